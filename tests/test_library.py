"""The library in somebody else's program."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import uvloop

from crawler import Crawler, Ending, FolderBusy, FolderUnusable, UsageError, crawl
from tests.conftest import EAGER
from tests.site import Site


def chain(site: Site, length: int) -> str:
    """A website of pages that each link to all others."""
    paths = [f"/p{number}" for number in range(length)]
    for path in paths:
        site.page(path, links=paths)
    return site.url("/p0")


async def test_pages_are_streamed_after_their_commit(site: Site, tmp_path: Path) -> None:
    start = chain(site, 5)
    urls = []
    async with Crawler(EAGER, out=tmp_path) as crawler:
        async for page in crawler.run([start]):
            assert page.url in (tmp_path / "pages.jsonl").read_text()
            urls.append(page.url)

        assert crawler.report().done == 5

    assert sorted(urls) == [site.url(f"/p{number}") for number in range(5)]


async def test_a_caller_that_leaves_early_leaves_nothing_behind_and_the_rest_can_be_resumed(
    site: Site, tmp_path: Path
) -> None:
    start = chain(site, 30)
    async with Crawler(EAGER, out=tmp_path) as crawler:
        async for _ in crawler.run([start]):
            break

    report = await crawl([start], config=EAGER, out=tmp_path)

    assert (report.ending, report.totals.done) == (Ending.COMPLETE, 30)


async def test_a_caller_that_takes_its_time_slows_the_crawl(site: Site, tmp_path: Path) -> None:
    start = chain(site, 1500)
    async with Crawler(EAGER, out=tmp_path) as crawler:
        pages = crawler.run([start])
        await anext(pages)
        seen = -1
        while seen != len(site.requests):  # until the crawl has come to rest
            seen = len(site.requests)
            await asyncio.sleep(0.5)

        assert seen < 1500


async def test_a_timeout_around_a_crawl_leaves_a_state_that_can_be_resumed(site: Site, tmp_path: Path) -> None:
    gate = asyncio.Event()
    start = site.page("/", links=("/stuck",))
    site.page("/stuck", slow=gate)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await crawl([start], config=EAGER, out=tmp_path)
    gate.set()

    report = await crawl([start], config=EAGER, out=tmp_path)

    assert (report.ending, report.totals.done, report.conserved) == (Ending.COMPLETE, 2, True)


async def test_stop_commits_what_is_fetched_and_returns(site: Site, tmp_path: Path) -> None:
    start = chain(site, 40)
    async with Crawler(EAGER, out=tmp_path) as crawler:
        async for _ in crawler.run([start]):
            crawler.stop()
        report = crawler.report()

    assert report.ending is Ending.INTERRUPTED
    assert report.conserved
    assert report.totals.queued > 0


async def test_two_crawls_run_at_once(site: Site, tmp_path: Path) -> None:
    start = chain(site, 10)

    one, two = await asyncio.gather(
        crawl([start], config=EAGER, out=tmp_path / "one"), crawl([start], config=EAGER, out=tmp_path / "two")
    )

    assert (one.done, two.done) == (10, 10)


async def test_two_crawls_into_one_folder_are_refused(site: Site, tmp_path: Path) -> None:
    async with Crawler(EAGER, out=tmp_path):
        with pytest.raises(FolderBusy, match=f"process {os.getpid()}"):
            await crawl([site.page("/")], config=EAGER, out=tmp_path)


async def test_a_file_in_place_of_the_folder_is_one_clear_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")

    with pytest.raises(FolderUnusable, match="cannot be written"):
        await crawl([site.page("/")], config=EAGER, out=tmp_path / "out")

    assert site.log == []


async def test_a_crawler_makes_one_run(site: Site, tmp_path: Path) -> None:
    async with Crawler(EAGER, out=tmp_path) as crawler:
        with pytest.raises(UsageError, match="not ended"):
            crawler.report()
        await crawler.crawl([site.page("/")])
        with pytest.raises(UsageError, match="one run"):
            await crawler.crawl([site.url("/")])


async def test_seeds_may_keep_coming_while_the_crawl_runs(site: Site, tmp_path: Path) -> None:
    first, second = site.page("/first"), site.page("/second")

    async def seeds() -> AsyncIterator[str]:
        yield first
        await site.seen(1)  # the second seed is only thought of when the first has been asked for
        yield second

    await crawl(seeds(), config=msgspec.structs.replace(EAGER), out=tmp_path)

    assert site.requests == ["/first", "/second"]


async def test_an_error_in_the_callers_seeds_is_the_callers(site: Site, tmp_path: Path) -> None:
    async def seeds() -> AsyncIterator[str]:
        yield site.page("/")
        raise LookupError("no more seeds")

    with pytest.raises(LookupError, match="no more seeds"):
        await crawl(seeds(), config=EAGER, out=tmp_path)


def test_it_works_under_uvloop_and_outside_the_main_thread(tmp_path: Path) -> None:
    reports = []

    async def main() -> None:
        async with Site() as site:
            reports.append(await crawl([chain(site, 5)], config=EAGER, out=tmp_path))

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert reports[0].done == 5


async def test_the_host_program_is_left_as_it_was(site: Site, tmp_path: Path) -> None:
    def surroundings() -> tuple[object, ...]:
        loop = asyncio.get_running_loop()
        return (
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
            dict(os.environ),
            Path.cwd(),
            getattr(loop, "_default_executor", None),
            len(asyncio.all_tasks()),
        )

    before = surroundings()
    await crawl([site.page("/")], config=EAGER, out=tmp_path)

    assert surroundings() == before
