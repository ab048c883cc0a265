"""The library in somebody else's program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from crawler import Crawler, Ending, FolderUnusable, UsageError, crawl
from crawler.testing.site import Site
from tests.conftest import EAGER


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


async def test_stop_commits_what_is_fetched_and_returns(site: Site, tmp_path: Path) -> None:
    start = chain(site, 40)
    async with Crawler(EAGER, out=tmp_path) as crawler:
        async for _ in crawler.run([start]):
            crawler.stop()
        report = crawler.report()

    assert report.ending is Ending.INTERRUPTED
    assert report.conserved
    assert report.totals.queued > 0


async def test_a_file_in_place_of_the_folder_is_one_clear_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")

    with pytest.raises(FolderUnusable, match="cannot be written"):
        await crawl([site.page("/")], config=EAGER, out=tmp_path / "out")

    assert site.log == []


async def test_a_crawler_makes_one_run(site: Site, tmp_path: Path) -> None:
    async with Crawler(EAGER, out=tmp_path) as crawler:
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
