"""Whole crawls whose folder is copied to an object store: machines that are lost, and stores that do not answer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.api import Crawler, crawl
from crawler.config import Config, Politeness, Snapshot, Store
from crawler.core.manifest import manifest_key, newest, read_manifest
from crawler.core.records import Page
from crawler.errors import Overtaken, StoreUnreachable, UsageError
from crawler.report.text import text
from crawler.storage.object_store import ObjectStore
from crawler.storage.snapshots import Snapshots
from crawler.storage.verify import verify as check_folder
from tests.buckets import ENVIRONMENT, SECRET, Buckets, buckets
from tests.cli.command import crawler
from tests.conftest import EAGER
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, check
from tests.killing import RUN_LIMIT, Blow, environment, run_and_kill, verify
from tests.site import Site, serve_in_thread

SETTINGS = """\
[fetch]
backoff = 0.05
[snapshot]
pages = 8
every = 0
endpoint = "{}"
"""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    with buckets(monkeypatch) as opened:
        yield opened


def copied(url: str, *, pages: int = 0, endpoint: str = "") -> Config:
    return replace(EAGER, snapshot=Snapshot(to=url, endpoint=endpoint, every=0.0, pages=pages))


def chain(site: Site, length: int) -> str:
    """Put pages on a site, each of which links to the next."""
    for number in range(length):
        site.page(f"/{number}", links=(f"/{number + 1}",) if number + 1 < length else ())
    return site.url("/0")


def lose(arguments: Sequence[str], out: Path, store: ObjectStore, snapshots: int) -> int:
    """Crawl until so many snapshots more are in the store, then kill it and lose its disk; return the pages it had."""
    before = store.keys("manifests/")
    with (out.parent / "printed").open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *arguments, "-o", str(out)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + RUN_LIMIT
        # the first one more is its claim
        while process.poll() is None and newest(store.keys("manifests/")) <= newest(before) + snapshots:
            assert time.monotonic() < deadline, (out.parent / "printed").read_text()
    finally:
        with suppress(ProcessLookupError):  # a crawl that has ended meanwhile loses its disk all the same
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    shutil.rmtree(out)
    last = newest(store.keys("manifests/"))
    return read_manifest(store.content(manifest_key(last), most=1 << 20), last).pages


def test_a_crawl_that_loses_its_machine_again_and_again_goes_on_from_an_s3_store(s3: Buckets, tmp_path: Path) -> None:
    web, store = Web.make(3, pages=70, obey=True), ObjectStore(s3.url("web"), s3.endpoint)
    (tmp_path / "settings.toml").write_text(SETTINGS.format(s3.endpoint))
    sites, beyond = [Site(f"127.0.0.{number + 1}") for number in range(web.hosts)], Site("127.0.0.99")
    with serve_in_thread(*sites, beyond):
        web.install(sites, beyond)
        (tmp_path / "seeds.txt").write_text("\n".join(web.fronts))
        common = [str(tmp_path / "seeds.txt"), "--config", str(tmp_path / "settings.toml"), "--quiet"]
        common += ["--delay", "0.1", "--allow-private", "seeds", "--snapshot-to", store.url]
        had = [lose(common, tmp_path / f"machine-{number}", store, snapshots=2) for number in range(2)]
        last = run_and_kill(
            [*common, "-o", str(tmp_path / "last")], tmp_path / "printed", sites, after=0, blow=Blow.GROUP
        )

    assert last.code == 0, last.said
    assert 0 < had[0] < had[1]
    # what was asked for after a snapshot is not known any more, so it is asked for again, and so is robots.txt
    ordeal = Ordeal(kills=len(had), in_flight=len(web.nodes))
    assert check(tmp_path / "last", web, ordeal, verify=verify) == []
    assert json.loads((tmp_path / "last" / "report.json").read_text())["snapshot"]["complete"]
    assert SECRET not in (tmp_path / "printed").read_text() + (tmp_path / "last" / "report.json").read_text()


async def test_a_folder_is_copied_while_it_grows_and_once_more_at_the_end(site: Site, tmp_path: Path) -> None:
    start = chain(site, 20)

    report = await crawl(start, config=copied(f"file://{tmp_path}/store", pages=5), out=tmp_path / "one")
    Snapshots(ObjectStore(f"file://{tmp_path}/store"), tmp_path / "two", keep=3).bring_back()

    assert report.snapshot is not None
    assert (report.snapshot.complete, report.snapshot.pages, report.snapshot.behind) == (True, 20, 0)
    assert report.snapshot.taken >= 2
    assert check_folder(tmp_path / "two").ok
    assert len(Evidence.of(tmp_path / "two").records) == 20
    assert "has all of it" in text(report)


async def test_an_empty_folder_is_brought_back_and_nothing_is_asked_for_again(site: Site, tmp_path: Path) -> None:
    start = chain(site, 6)
    config = copied(f"file://{tmp_path}/store")
    await crawl(start, config=config, out=tmp_path / "one")
    site.forget()

    report = await crawl(start, config=config, out=tmp_path / "two")

    assert (site.requests, report.known, report.ending) == ([], 6, "complete")


async def test_a_crawl_goes_on_while_its_store_does_not_answer_and_says_how_old_the_copy_is(
    s3: Buckets, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.stages.snapshot._PAUSES", (0.01,))
    start = chain(site, 30)
    config = copied(s3.url("gone"), pages=5, endpoint=s3.endpoint)

    async with Crawler(config, out=tmp_path / "out") as running:
        s3.stop()
        report = await running.crawl(start)

    assert (report.ending, report.done) == ("complete", 30)
    assert report.snapshot is not None
    assert (report.snapshot.complete, report.snapshot.taken_at, report.snapshot.behind) == (False, None, 30)
    assert report.snapshot.failed
    assert report.snapshot.trouble.startswith("s3://crawls/gone/")
    assert "No snapshot has reached s3://crawls/gone" in text(report)
    assert SECRET not in text(report)
    assert check_folder(tmp_path / "out").ok


async def test_a_crawl_that_is_asked_to_stop_asks_a_store_that_does_not_answer_once(
    s3: Buckets, site: Site, tmp_path: Path
) -> None:
    start = chain(site, 5)

    async with Crawler(copied(s3.url("gone"), endpoint=s3.endpoint), out=tmp_path / "out") as running:
        s3.stop()
        running.stop()
        report = await running.crawl(start)

    assert report.snapshot is not None
    assert (report.ending, report.snapshot.failed, report.snapshot.complete) == ("interrupted", 1, False)


async def test_a_store_that_does_not_answer_at_the_start_is_told_before_anything_is_asked_for(
    s3: Buckets, site: Site, tmp_path: Path
) -> None:
    s3.stop()

    with pytest.raises(StoreUnreachable, match="s3://crawls/gone/"):
        await crawl(chain(site, 3), config=copied(s3.url("gone"), endpoint=s3.endpoint), out=tmp_path / "out")

    assert site.requests == []


async def test_a_crawl_ends_when_another_one_has_gone_on_from_its_snapshot(site: Site, tmp_path: Path) -> None:
    start, url = chain(site, 400), f"file://{tmp_path}/store"
    config = replace(copied(url, pages=5), politeness=Politeness(delay=0.01))

    async with Crawler(config, out=tmp_path / "one") as running:
        pages = running.run(start)
        assert (await anext(pages)).url == start
        Snapshots(ObjectStore(url), tmp_path / "two", keep=3).begin()
        with pytest.raises(Overtaken, match="another crawl has written snapshot"):
            await _exhaust(pages)

    assert len(site.requests) < 400


async def _exhaust(pages: AsyncIterator[Page]) -> None:
    async for _ in pages:
        pass


async def test_a_copy_needs_a_folder_and_holds_no_mirror(tmp_path: Path) -> None:
    config = copied(f"file://{tmp_path}/store")

    with pytest.raises(UsageError, match=r"snapshot\.to needs an output folder"):
        Crawler(config, out=None)
    with pytest.raises(UsageError, match="a snapshot holds no mirror"):
        Crawler(replace(config, store=Store(mirror=True)), out=tmp_path / "out")


def test_the_command_line_copies_and_brings_back(tmp_path: Path) -> None:
    site = Site()
    with serve_in_thread(site):
        start = chain(site, 4)
        went = crawler(start, "--delay", "0", "-o", "one", "--snapshot-to", f"file://{tmp_path}/store", cwd=tmp_path)
    back = crawler("restore", f"file://{tmp_path}/store", "two", cwd=tmp_path)
    none = crawler("restore", f"file://{tmp_path}/store", "three", "--snapshot", "77", cwd=tmp_path)

    assert (went.code, back.code, none.code) == (0, 0, 2), went.err + back.err
    assert f"in file://{tmp_path}/store has all of it" in went.out
    assert back.out.startswith("two is as snapshot 2 of ")
    assert back.out.endswith(": 4 finished URLs\n")
    assert check_folder(tmp_path / "two").ok
    assert none.err == f"crawler: file://{tmp_path}/store: there is no snapshot 77\n"


def test_a_copy_that_is_behind_at_the_end_is_an_error_for_scripts(tmp_path: Path, s3: Buckets) -> None:
    site = Site()
    (tmp_path / "s.toml").write_text(f'[snapshot]\nevery = 0\nendpoint = "{s3.endpoint}"\n')
    with serve_in_thread(site):
        start = chain(site, 4)
        site.listeners.append(lambda request: s3.stop() if request.path == "/3" else None)
        went = crawler(
            *(start, "--delay", "0", "--config", "s.toml", "-o", "one", "--snapshot-to", s3.url("x")),
            cwd=tmp_path,
            env=ENVIRONMENT,
        )

    assert went.code == 74, went.err
    assert "crawler: WARNING: a snapshot failed: s3://crawls/x/" in went.err
    assert "No snapshot has reached s3://crawls/x" in went.out
    assert SECRET not in went.out + went.err
