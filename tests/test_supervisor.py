"""Whole crawls of documents that parsers choke on, beside healthy pages: what each costs, and whom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.api import Crawler, crawl
from crawler.config import Config
from crawler.core.warc_reader import members
from crawler.report.report import Report
from crawler.testing.site import Site, serve_in_thread
from tests.conftest import EAGER
from tests.leftovers import processes
from tests.verdicts import DISTURBING

MANY = 1_000_000
MIB = 1 << 20
LARGEST = 20 * MIB
HEALTHY = 40
CALM, BUSY = 0.5, 0.1
"""Seconds that the loop may be late, unless it could run and found no core, and that one callback may compute."""
BROKEN = {"parse_crash", "parse_timeout", "parse_memory"}
LINK = b'<a href="/seen">seen</a>'


def _many_links() -> bytes:
    return b"".join(b"<a href=%d>" % number for number in range(MANY))


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "nested divs": lambda: LINK + b"<div>" * 100_000,
    "nested tables": lambda: LINK + b"<table><tr><td>" * 50_000,
    "nested formatting": lambda: LINK + b"<b><i><a href=x>" * 30_000,
    "many attributes": lambda: LINK + b"<p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">",
    "an attribute of 9 MB": lambda: LINK + b'<p title="' + b"a" * 9_000_000 + b'">',
    "an address of 9 MB": lambda: LINK + b'<a href="/' + b"a" * 9_000_000 + b'">long</a>',
    "nothing but less-than": lambda: LINK + b"<" * (LARGEST - 100),
    "nothing but ampersands": lambda: LINK + b"&" * (LARGEST - 100),
    "nothing but NUL": lambda: LINK + b"\0" * (LARGEST - 100),
    "open comments": lambda: LINK + b"<!--" * 2_000_000,
    "many links": _many_links,
}


def changed(**sections: dict[str, Any]) -> Config:
    config = EAGER
    for name, settings in sections.items():
        config = replace(config, **{name: replace(getattr(config, name), **settings)})
    return config


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the page log by path."""
    found = map(json.loads, (folder / "pages.jsonl").read_text(encoding="utf-8").splitlines())
    return {"/" + line["url"].split("/", 3)[3]: line for line in found}


@pytest.fixture
def web() -> Iterator[Site]:
    """A site with healthy pages, served from a thread, so that the crawl has its loop for itself."""
    with serve_in_thread(site := Site()):
        healthy = [site.page(f"/well/{number}") for number in range(HEALTHY)]
        site.page("/", links=[*healthy, "/seen"])
        site.page("/seen")
        yield site


@contextlib.asynccontextmanager
async def lateness(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[list[float], list[float]]]:
    """Measure by how many seconds the loop is late, again and again, and how many each callback on it computes.

    A loop that found no core for a while has much to do in its next turn, so a turn says less than a callback.
    """
    loop, thread = asyncio.get_running_loop(), threading.get_ident()
    late, computed, run = [0.0], [0.0], asyncio.Handle._run

    async def measure() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            late.append(loop.time() - before - 0.005)

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        if threading.get_ident() == thread:
            computed.append(time.thread_time() - began)

    monkeypatch.setattr(asyncio.Handle, "_run", measured)
    probe = asyncio.create_task(measure())
    try:
        yield late, computed
    finally:
        probe.cancel()


def is_well(report: Report, log: dict[str, dict[str, Any]]) -> bool:
    """Whether nothing was lost of what is healthy."""
    return (
        report.conserved and not report.totals.queued and all(log[f"/well/{n}"]["outcome"] == "ok" for n in range(40))
    )


async def test_hazardous_documents_cost_a_page_each_at_most_and_never_the_loop(
    web: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {f"/hazard/{number}": name for number, name in enumerate(DOCUMENTS)}
    seeds = [web.file(path, DOCUMENTS[name](), "text/html") for path, name in paths.items()]
    config = changed(scope={"max_depth": 1}, fetch={"max_body": LARGEST}, parse={"timeout": 1.0, "max_links": 500})

    async with Crawler(config, out=tmp_path) as crawler, lateness(monkeypatch) as (late, computed):
        report = await crawler.crawl([web.url("/"), *seeds])

    log = lines(tmp_path)
    latest, busiest = max(late), max(computed)
    figures = [f"the loop was late by {latest * 1000:.0f} ms and computed for {busiest * 1000:.0f} ms, at most"]
    figures += [f"{name}: {log[path]['outcome']}" for path, name in paths.items()]
    with capsys.disabled():
        sys.stdout.write("".join(f"\n  {line}" for line in figures))
    assert {log[path]["outcome"] for path in paths} <= {"ok", *BROKEN}
    assert is_well(report, log)
    assert log["/seen"]["outcome"] == "ok"
    assert latest < CALM or report.ledger.loop_starved > DISTURBING
    assert busiest < BUSY


async def test_of_a_million_links_some_are_taken_and_the_page_is_flagged(web: Site, tmp_path: Path) -> None:
    start = web.file("/many", DOCUMENTS["many links"](), "text/html")
    config = changed(scope={"max_depth": 0}, fetch={"max_body": LARGEST}, parse={"timeout": 60.0, "max_links": 500})

    await crawl([start], config=config, out=tmp_path)

    line = lines(tmp_path)["/many"]
    assert (line["outcome"], line["links"], line["links_capped"]) == ("ok", 500, True)


async def test_a_page_that_takes_too_long_is_named_sampled_and_archived(web: Site, tmp_path: Path) -> None:
    body = DOCUMENTS["many attributes"]()
    bad = web.file("/bad", body, "text/html")
    config = changed(parse={"timeout": 0.3})

    report = await crawl([web.url("/"), bad], config=config, out=tmp_path)

    line = lines(tmp_path)["/bad"]
    assert (line["outcome"], line["attempts"]) == ("parse_timeout", 1)
    sample = tmp_path / line["detail"].rpartition("sample in ")[2]
    story = json.loads(sample.with_suffix(".json").read_bytes())
    assert sample.read_bytes() == body == archived(tmp_path, line)
    assert (story["url"], story["outcome"]) == (bad, "parse_timeout")
    assert is_well(report, lines(tmp_path))
    assert web.requests.count("/bad") == 1


def archived(folder: Path, line: dict[str, Any]) -> bytes:
    """Return the payload of the record that a line names."""
    with (folder / "archive" / line["segment"]).open("rb") as file:
        member = next(one for one in members(file) if one.offset == line["offset"])
    return member.block.partition(b"\r\n\r\n")[2]


async def test_what_could_not_be_decoded_is_not_mirrored_as_if_it_were_the_page(web: Site, tmp_path: Path) -> None:
    bad = web.put("/bad", 200, b"no gzip at all", {"Content-Type": "text/html", "Content-Encoding": "gzip"})

    await crawl([web.url("/"), bad], config=changed(store={"mirror": True}), out=tmp_path)

    log = lines(tmp_path)
    assert (log["/bad"]["outcome"], log["/bad"]["mirror"]) == ("decode_failed", "")
    assert log["/"]["mirror"]


async def test_healthy_pages_leave_no_quarantine(web: Site, tmp_path: Path) -> None:
    await crawl([web.url("/")], config=EAGER, out=tmp_path)

    assert not (tmp_path / "quarantine").exists()


async def test_workers_that_are_killed_from_outside_cost_no_healthy_page_its_place(web: Site, tmp_path: Path) -> None:
    async with Crawler(changed(parse={"workers": 2}), out=tmp_path) as crawler:
        pages = crawler.run([web.url("/")])
        met = [await anext(pages)]
        for child in children():
            os.kill(child, signal.SIGKILL)
        met += [page async for page in pages]

    assert len(met) == HEALTHY + 2
    assert crawler.report().conserved
    assert crawler.report().totals.queued == 0
    assert {page.outcome.value for page in met} <= {"ok", "parse_crash"}
    assert sum(page.outcome.value == "ok" for page in met) >= HEALTHY


def children() -> list[int]:
    """Return the workers: children of ours that were spawned."""
    mine = [process.pid for process in processes() if process.parent == os.getpid()]
    return [pid for pid in mine if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
