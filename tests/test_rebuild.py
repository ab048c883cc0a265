"""A state that is lost is made anew from the archive, and nothing that is there is fetched again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.api import Crawler, crawl
from crawler.errors import FolderDamaged, UsageError
from crawler.report.report import Ending
from crawler.testing.site import Site, serve_in_thread
from tests.conftest import EAGER
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, check
from tests.killing import Tear, tear, verify
from tests.test_machine import run
from tests.test_supervisor import changed

FIRST = 25
"""Pages before the state is lost."""


@pytest.fixture
def web() -> Iterator[Web]:
    site, beyond = Site(), Site("127.0.0.99")
    with serve_in_thread(site, beyond):
        made = Web.make(11, pages=60, hosts=1)
        made.install([site], beyond)
        yield made


def _garbage(out: Path) -> None:
    (out / "crawl.db").write_bytes(b"\xde\xad" * 5000)


def _gone(out: Path) -> None:
    (out / "crawl.db").unlink()


def _gone_with_its_log(out: Path) -> None:
    _gone(out)
    (out / "pages.jsonl").unlink()


def _torn(out: Path) -> None:
    newest = max((out / "archive").glob("*.warc.gz"))
    newest = newest.rename(newest.with_name(newest.name + ".open"))
    assert tear(out, Tear.MEMBER)
    _gone(out)


@pytest.mark.parametrize("lose", [_garbage, _gone, _gone_with_its_log, _torn])
def test_a_lost_state_is_rebuilt_and_what_is_archived_is_not_asked_for_again(
    web: Web, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    assert run(web, out, "--max-pages", str(FIRST)).code == 11
    lose(out)
    before = (out / "crawl.db").read_bytes() if (out / "crawl.db").exists() else b""

    ended = run(web, out, "--rebuild")

    assert (ended.code, ended.err) == (0, "")
    assert check(out, web, Ordeal(), verify=verify) == []
    (lost,) = out.glob("lost-*")
    assert (lost / "archive").is_dir()
    assert not before or (lost / "crawl.db").read_bytes() == before


def test_a_rebuilding_that_is_cut_short_is_gone_on_with(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(web, out).code == 0
    asked = len(web.sites[0].log)
    _gone(out)

    first = run(web, out, "--rebuild", "--max-pages", "7")
    again = run(web, out, "--rebuild")

    assert (first.code, again.code) == (11, 0)
    assert check(out, web, Ordeal(), verify=verify) == []
    assert len(list(out.glob("lost-*"))) == 1
    failed_for_a_while = len(web.sites[0].log) - asked
    assert failed_for_a_while == 0


def test_a_sound_state_is_gone_on_with_as_if_nothing_were_asked(web: Web, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(web, out, "--max-pages", str(FIRST)).code == 11

    ended = run(web, out, "--rebuild")

    assert ended.code == 0
    assert check(out, web, Ordeal(), verify=verify) == []
    assert not list(out.glob("lost-*"))


async def test_a_site_that_is_gone_is_rebuilt_from_the_archive_alone(tmp_path: Path) -> None:
    with serve_in_thread(site := Site()):
        start = site.page("/", links=("/a", "/b"))
        site.page("/a", links=("/c",), coding="gzip", chunked=True)
        site.page("/c", body="twin")
        site.redirect("/b", "/c")
        await crawl([start], config=EAGER, out=tmp_path)
    whole = payloads(tmp_path)
    _gone(tmp_path)

    report = await crawl([start], config=changed(fetch={"attempts": 1}), out=tmp_path, rebuild=True)

    assert (report.ending, report.done, report.totals.queued) == (Ending.COMPLETE, 4, 0)
    assert payloads(tmp_path) == whole
    assert verify(tmp_path) == 0


def lost_runs(out: Path) -> list[Path]:
    return list(out.glob("lost-*"))


def payloads(folder: Path) -> set[tuple[str, int, str, bytes]]:
    return {(record.url, record.status, record.digest, record.payload) for record in Evidence.of(folder).records}


async def test_a_lost_state_without_leave_to_rebuild_is_refused(tmp_path: Path) -> None:
    with serve_in_thread(site := Site()):
        start = site.page("/")
        await crawl([start], config=EAGER, out=tmp_path)
        _gone(tmp_path)

        with pytest.raises(FolderDamaged, match="missing"):
            await crawl([start], config=EAGER, out=tmp_path)

    assert lost_runs(tmp_path) == []


def test_beginning_anew_and_rebuilding_contradict_each_other(web: Web, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        Crawler(out=tmp_path, fresh=True, rebuild=True)

    assert run(web, tmp_path / "out", "--fresh", "--rebuild").code == 2
