from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler import Config, Crawler, FolderBusy, Report, UsageError
from crawler.config import Fetch, Limits, Parse, Politeness
from crawler.report.report import Ending
from crawler.storage.verify import verify
from crawler.testing.site import Site
from tests.cluster.links import shared
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import differing, fates, truth

EAGER = Config(
    politeness=Politeness(delay=0.0, per_host=8, robots="ignore"),
    fetch=Fetch(allow_private="always", backoff=0.01, concurrency=16),
    parse=Parse(workers=1),
)
HOSTS = 10


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with AsyncExitStack() as opened:
        sites = [await opened.enter_async_context(Site(f"127.0.0.{number + 1}")) for number in range(HOSTS)]
        beyond = await opened.enter_async_context(Site("127.0.0.99"))
        made = Web.make(7, pages=120, hosts=HOSTS)
        made.install(sites, beyond)
        yield made


async def crawled(web: Web, out: Path, shards: int | None = 3, config: Config = EAGER, **how: Any) -> Report:
    async with shared(config, out, shards, **how) as crawler:
        return await asyncio.wait_for(crawler.crawl(web.fronts), 100)


def kept(out: Path) -> set[tuple[str, str]]:
    """Return what all shards say they have; each once."""
    found = [fate for folder in sorted(out.glob("shard-*")) for fate in fates(Evidence.of(folder))]
    assert len(found) == len(set(found))
    return set(found)


async def test_shards_crawl_what_a_single_crawl_does(web: Web, tmp_path: Path) -> None:
    report = await crawled(web, tmp_path / "shared")
    async with Crawler(EAGER, out=tmp_path / "single") as crawler:
        single = await crawler.crawl(web.fronts)

    assert differing(truth(web), kept(tmp_path / "shared"), "the truth", "the crawl") == []
    assert (report.ending, report.conserved) == (Ending.COMPLETE, True)
    assert (report.pages, report.known, report.totals) == (single.pages, single.known, single.totals)
    assert all(verify(folder).ok for folder in (tmp_path / "shared").glob("shard-*"))
    assert sum(row.sent for row in report.shards) == sum(row.received for row in report.shards) > 0


async def test_calls_that_are_lost_lose_nothing(web: Web, tmp_path: Path) -> None:
    report = await crawled(web, tmp_path, lossy=1)

    assert differing(truth(web), kept(tmp_path), "the truth", "the crawl") == []
    assert (report.ending, report.totals.queued) == (Ending.COMPLETE, 0)


async def test_a_limit_on_pages_is_kept_in_sum_and_the_next_run_goes_on(web: Web, tmp_path: Path) -> None:
    first = await crawled(web, tmp_path, config=limited(max_pages=31))
    rest = await crawled(web, tmp_path)

    assert (first.ending, first.pages, first.reason) == (Ending.LIMIT, 31, "31 pages crawled")
    assert first.totals.queued > 0
    assert rest.ending is Ending.COMPLETE
    assert differing(truth(web), kept(tmp_path), "the truth", "the crawl") == []
    assert [run.pages for run in rest.history] == [31]


async def test_a_limit_larger_than_the_crawl_is_none(web: Web, tmp_path: Path) -> None:
    report = await crawled(web, tmp_path, config=limited(max_pages=10_000, max_bytes=1 << 40, max_time=1000.0))

    assert report.ending is Ending.COMPLETE


async def test_a_limit_on_bytes_ends_all_shards(web: Web, tmp_path: Path) -> None:
    report = await crawled(web, tmp_path, config=limited(max_bytes=20_000))

    assert report.ending is Ending.LIMIT
    assert report.bytes_received >= 20_000


async def test_a_limit_on_time_ends_all_shards(sites: Callable[..., Awaitable[Site]], tmp_path: Path) -> None:
    there = [await sites(f"127.0.0.{number + 1}") for number in range(4)]
    fronts = [site.page("/", links=("/never",)) for site in there]
    config = msgspec.structs.replace(limited(max_time=0.2), politeness=Politeness(delay=600.0, robots="ignore"))

    async with shared(config, tmp_path, 2) as crawler:
        report = await asyncio.wait_for(crawler.crawl(fronts), 100)

    assert (report.ending, report.reason) == (Ending.LIMIT, "0.2 seconds passed")


async def test_a_crawl_that_is_asked_to_stop_can_be_gone_on_with(web: Web, tmp_path: Path) -> None:
    async with shared(EAGER, tmp_path, 3) as crawler:
        for site in web.sites:
            site.listeners.append(lambda _: crawler.stop("enough"))
        stopped = await asyncio.wait_for(crawler.crawl(web.fronts), 100)
    for site in web.sites:
        site.listeners.clear()

    report = await crawled(web, tmp_path)

    assert (stopped.ending, stopped.reason) == (Ending.INTERRUPTED, "enough")
    assert report.ending is Ending.COMPLETE
    assert differing(truth(web), kept(tmp_path), "the truth", "the crawl") == []


async def test_two_crawls_do_not_share_a_folder(web: Web, tmp_path: Path) -> None:
    async with shared(EAGER, tmp_path, 2):
        with pytest.raises(FolderBusy):
            await crawled(web, tmp_path, 2)


async def test_a_folder_is_shared_or_it_is_not(web: Web, tmp_path: Path) -> None:
    await crawled(web, tmp_path / "shared", 2, limited(max_pages=5))
    async with Crawler(limited(max_pages=5), out=tmp_path / "single") as crawler:
        await crawler.crawl(web.fronts)

    with pytest.raises(UsageError, match="shared by several shards"):
        await Crawler(EAGER, out=tmp_path / "shared").__aenter__()
    with pytest.raises(UsageError, match="without a cluster"):
        await crawled(web, tmp_path / "single", 2)


async def test_a_finished_crawl_is_done_once_more_when_asked(web: Web, tmp_path: Path) -> None:
    await crawled(web, tmp_path)

    again = await crawled(web, tmp_path, None, recrawl="all")

    assert again.ending is Ending.COMPLETE
    assert again.changes.round == 2
    assert again.changes.unchanged > 0
    assert len(again.shards) == 3


def limited(**limits: Any) -> Config:
    return msgspec.structs.replace(EAGER, limits=Limits(**limits))


async def test_whoever_looks_sees_all_shards_while_they_work(
    sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    looked = asyncio.Event()
    fronts = [(await sites(f"127.0.0.{number + 1}")).page("/", slow=looked) for number in range(4)]
    async with shared(EAGER, tmp_path, 2) as crawler:
        before = crawler.so_far()
        run = asyncio.create_task(crawler.crawl(fronts))
        while (seen := crawler.so_far()) is None or seen.known < 4:  # noqa: ASYNC110  made now and then, for who asks
            await asyncio.sleep(0.02)
        shown = crawler.progress()
        looked.set()
        report = await asyncio.wait_for(run, 100)

    assert before is None
    assert (seen.ending, len(seen.shards), seen.pages) == (Ending.RUNNING, 2, 0)
    assert shown.in_flight + shown.queued == 4
    assert (report.pages, crawler.report()) == (4, report)
