"""Pages as they come: their bodies, how many of them wait, and what can be asked meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from crawler import Crawler, Ending, NoBody, Outcome, Page, Report, StorageError, UsageError, crawl
from crawler.config import Config, Store
from crawler.core.records import Held, Kind
from crawler.pages import MOST_BYTES, MOST_PAGES, Pages
from crawler.testing.site import Site
from tests.conftest import EAGER
from tests.test_contract import ran

WITHOUT_ARCHIVE = msgspec.structs.replace(EAGER, store=Store(archive="none"))


async def crawled(start: str, config: Config, out: Path | None) -> dict[str, Page]:
    async with Crawler(config, out=out) as crawler:
        return {page.url: page async for page in crawler.run(start)}


@pytest.mark.parametrize("where", ["archive", "memory", "nowhere"])
async def test_a_page_gives_its_body_decoded_also_when_the_crawl_is_over(
    where: str, site: Site, tmp_path: Path
) -> None:
    start = site.page("/", links=("/data",))
    data = site.put("/data", 200, b"what came " * 1000, {"Content-Type": "text/plain"}, coding="gzip")
    during: list[bytes] = []
    async with Crawler(
        WITHOUT_ARCHIVE if where == "memory" else EAGER, out=None if where == "nowhere" else tmp_path
    ) as crawler:
        pages = []
        async for page in crawler.run([start]):
            during.append(await page.body())
            pages.append(page)

    after = {page.url: await page.body() for page in pages}

    assert sorted(during) == sorted(after.values())
    assert after[data] == b"what came " * 1000
    assert after[start] == site.answers["/"].payload


async def test_a_body_that_was_met_before_is_given_too(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/a", "/b"))
    twins = [site.file(path, b"the very same", "text/plain") for path in ("/a", "/b")]

    first = await crawled(start, EAGER, tmp_path)
    more = [site.file(path, b"the very same", "text/plain") for path in ("/c", "/d")]
    site.page("/more", links=("/c", "/d"))
    second = await crawled(site.url("/more"), EAGER, tmp_path)

    pages = [first[url] for url in twins] + [second[url] for url in more]
    assert [page.revisit for page in pages].count(True) == 3
    assert [await page.body() for page in pages] == [b"the very same"] * 4


async def test_a_page_without_a_body_says_so(site: Site, tmp_path: Path) -> None:
    gone = site.put("/gone", 200, b"", {}, drop=True)
    pages = await crawled(gone, EAGER, tmp_path)

    with pytest.raises(NoBody, match="none to be had"):
        await pages[gone].body()


async def test_a_record_that_is_gone_is_no_body(site: Site, tmp_path: Path) -> None:
    start = site.page("/")
    pages = await crawled(start, EAGER, tmp_path)
    for segment in (tmp_path / "archive").iterdir():
        segment.unlink()

    with pytest.raises(NoBody, match="cannot be read"):
        await pages[start].body()


def page_of(number: int, weight: int) -> Page:
    page = Page(f"http://a/{number}", Outcome.OK, "", 200, 0, Kind.LINK, None, 1, datetime.now(UTC), 0.0)
    page.know(Held(b"", b""), weight=weight)
    return page


@pytest.mark.parametrize(("weight", "window"), [(0, MOST_PAGES), (MOST_BYTES // 4, 4), (MOST_BYTES * 2, 1)])
async def test_pages_that_wait_for_the_caller_are_bounded_in_number_and_bytes(weight: int, window: int) -> None:
    arrived: list[int] = []

    def start(deliver: Callable[[Page], Awaitable[None]]) -> asyncio.Task[Report]:
        async def one(number: int) -> None:
            await deliver(page_of(number, weight))
            arrived.append(number)

        async def run() -> Report:
            await asyncio.gather(*(one(number) for number in range(100)))
            return Report(ending=Ending.COMPLETE, started_at=0.0, ended_at=0.0, seconds=0.0)

        return asyncio.create_task(run())

    pages = Pages(start)
    urls = [(await anext(pages)).url]
    await asyncio.sleep(0)

    assert len(arrived) <= window + 1
    urls += [page.url async for page in pages]
    assert urls == [f"http://a/{number}" for number in range(100)]


async def test_a_crawl_can_be_asked_for_its_report_at_any_time(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/a", "/b", "/c"))
    for path in ("/a", "/b", "/c"):
        site.page(path)
    async with Crawler(EAGER, out=tmp_path) as crawler:
        before = crawler.report()
        during = [crawler.report() async for _ in crawler.run([start])]
        after = crawler.report()

    assert (before.ending, before.pages, before.known) == (Ending.RUNNING, 0, 0)
    assert {report.ending for report in during[:-1]} == {Ending.RUNNING}
    assert all(report.conserved and 1 <= report.pages <= 4 for report in during)
    assert (after.ending, after.pages, after.known) == (Ending.COMPLETE, 4, 4)


async def test_one_url_may_be_given_as_it_is(site: Site, tmp_path: Path) -> None:
    assert (await crawl(site.page("/"), config=EAGER, out=tmp_path)).done == 1


NO_FILE = """
import os, sys

def watch(event, arguments):
    if event in ("os.mkdir", "os.rename", "os.remove", "os.truncate", "os.link", "os.symlink"):
        written.append((event, arguments))
    if event == "open" and not isinstance(arguments[0], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.append(arguments)
    if event == "sqlite3.connect" and arguments[0] != ":memory:":
        written.append(arguments)

written = []
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import asyncio
from crawler import Config, crawl
from crawler.config import Fetch, Politeness

config = Config(politeness=Politeness(delay=0.0), fetch=Fetch(allow_private="always"))
report = asyncio.run(crawl("{start}", config=config, out=None))
print(report.ending, report.totals.done, report.folder or "nowhere", written)
"""


def test_a_crawl_without_a_folder_writes_no_file(tmp_path: Path) -> None:
    site = Site()
    with site.serve_in_thread():
        start = site.page("/", links=("/a", "/b"))
        site.page("/a", links=("/b",))
        told = ran("-c", NO_FILE.replace("{start}", start), cwd=tmp_path)

    assert told == "complete 2 nowhere []"
    assert list(tmp_path.iterdir()) == []


async def test_a_crawl_without_a_folder_is_bounded_in_memory(site: Site) -> None:
    small = msgspec.structs.replace(EAGER, store=Store(memory=256 * 1024))
    start = site.page("/", links=[f"/{number:0200}" for number in range(5_000)])

    with pytest.raises(StorageError, match=r"outgrown the memory.*store\.memory"):
        await crawl([start], config=small, out=None)


async def test_what_needs_a_folder_is_refused_without_one() -> None:
    with pytest.raises(UsageError, match=r"store\.mirror needs an output folder"):
        Crawler(msgspec.structs.replace(EAGER, store=Store(mirror=True)), out=None)
    with pytest.raises(UsageError, match="rebuild needs an output folder"):
        Crawler(EAGER, out=None, rebuild=True)
