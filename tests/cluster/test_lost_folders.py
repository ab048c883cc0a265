"""Shared crawls whose shards lose their folders, and are brought back from their snapshots."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler import Config, Report, UsageError
from crawler.cluster.crawl import SharedCrawler
from crawler.config import Politeness, Snapshot, Store
from crawler.errors import Overtaken
from crawler.report.report import Ending
from crawler.report.text import text
from crawler.storage.object_store import ObjectStore
from crawler.storage.shared_folder import shard_folders
from crawler.storage.shared_snapshots import SharedSnapshots, bring_back, shard_place
from crawler.storage.verify_shared import verify_shared
from crawler.testing.site import Site
from tests.cli.command import crawler
from tests.cluster.links import InProcess, shared
from tests.cluster.test_shared import EAGER, HOSTS, kept, limited
from tests.graph import Web, served
from tests.invariants import CLOCK, differing, repeated, truth

LIMIT = 120
IN_FLIGHT = 16
"""Pages that a crawl on a slow machine may have to give up when it is stopped: as many as are in flight at once."""


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with served(7, pages=120, hosts=HOSTS) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"file://{tmp_path}/store")


def copied(store: ObjectStore, config: Config = EAGER, *, pages: int = 5) -> Config:
    return replace(config, snapshot=Snapshot(to=store.url, every=0.0, pages=pages))


async def crawled(web: Web, config: Config, out: Path, shards: int | None = 3, **how: Any) -> Report:
    async with shared(config, out, shards, **how) as running:
        return await asyncio.wait_for(running.crawl(web.fronts), LIMIT)


class Strikes:
    """Strikes shards while they crawl, each time that the sites have seen so many requests more."""

    def __init__(self, web: Web, place: InProcess, seed: int, *, every: int, most: int) -> None:
        self._web, self._place = web, place
        self._chance = random.Random(seed)  # noqa: S311  # no secret
        self._every, self._most = every, most
        self.lost = 0
        """Pages that had been crawled for nothing, at most."""
        self.fell = 0

    async def fall(self) -> None:
        asked = asyncio.Event()
        for site in self._web.sites:
            site.listeners.append(lambda _: asked.set())
        for time in range(self._most):
            while sum(len(site.log) for site in self._web.sites) < self._every * (time + 1):
                asked.clear()
                await asked.wait()
            number = self._chance.randrange(len(self._place.posts))
            self.lost += await self._place.strike(number, lose=self._chance.random() < 0.8)
            self.fell += 1


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.timeout(300)
async def test_shards_that_lose_their_folders_lose_no_page_and_double_none(
    web: Web, store: ObjectStore, tmp_path: Path, seed: int
) -> None:
    place = InProcess(seed)
    strikes = Strikes(web, place, seed, every=25, most=4)
    async with SharedCrawler(copied(store), out=tmp_path / "out", shards=3, place=place) as running:
        falling = asyncio.create_task(strikes.fall())
        report = await asyncio.wait_for(running.crawl(web.fronts), LIMIT)
        falling.cancel()

    shutil.rmtree(tmp_path / "out")  # as a shard may have lost its folder when all was done
    bring_back(store, "", tmp_path / "back")

    assert (report.ending, report.totals.queued, strikes.fell > 1) == (Ending.COMPLETE, 0, True)
    assert report.conserved
    assert differing(truth(web), kept(tmp_path / "back"), "the truth", "what was brought back") == []
    assert repeated(web) <= strikes.lost
    assert verify_shared(tmp_path / "back").ok
    assert (tmp_path / "back" / "report.json").exists()


async def test_a_crawl_whose_folders_are_all_lost_goes_on_elsewhere_and_there_alone(
    web: Web, store: ObjectStore, tmp_path: Path
) -> None:
    first = await crawled(web, copied(store, limited(max_pages=60)), tmp_path / "one")
    rest = await crawled(web, copied(store), tmp_path / "two", None)

    assert (first.ending, first.pages, rest.ending, len(rest.shards)) == (Ending.LIMIT, 60, Ending.COMPLETE, 3)
    assert differing(truth(web), kept(tmp_path / "two"), "the truth", "the crawl") == []
    assert repeated(web) <= IN_FLIGHT
    assert rest.snapshot is not None
    assert (rest.snapshot.complete, rest.snapshot.behind, rest.snapshot.place) == (True, 0, store.url)
    assert f"The last snapshot of each shard in {store.url} has all of it" in " ".join(text(rest).split())
    with pytest.raises(Overtaken, match="another crawl has written snapshot"):
        await crawled(web, copied(store), tmp_path / "one")


async def test_seeds_that_a_lost_shard_had_are_dealt_again(store: ObjectStore, web: Web, tmp_path: Path) -> None:
    place, dealt = InProcess(), asyncio.Event()

    async def seeds() -> AsyncIterator[str]:
        for front in web.fronts:
            yield front
        dealt.set()
        await gone.wait()

    gone = asyncio.Event()
    config = copied(store, pages=0)  # no snapshot before all is done
    async with SharedCrawler(config, out=tmp_path / "out", shards=2, place=place) as running:
        run = asyncio.create_task(running.crawl(seeds()))
        await dealt.wait()
        for number in (0, 1):
            await place.strike(number, lose=True)
        gone.set()
        report = await asyncio.wait_for(run, LIMIT)

    assert report.ending is Ending.COMPLETE
    assert differing(truth(web), kept(tmp_path / "out"), "the truth", "the crawl") == []


async def test_a_folder_that_the_store_has_gone_on_without_is_moved_aside(
    web: Web, store: ObjectStore, tmp_path: Path
) -> None:
    await crawled(web, copied(store, limited(max_pages=30)), tmp_path / "out", 2)
    shutil.copytree(tmp_path / "out" / "shard-01", tmp_path / "as it was")
    await crawled(web, copied(store, limited(max_pages=30)), tmp_path / "out", 2)
    shutil.rmtree(tmp_path / "out" / "shard-01")
    shutil.copytree(tmp_path / "as it was", tmp_path / "out" / "shard-01")

    report = await crawled(web, copied(store), tmp_path / "out", 2)

    assert report.ending is Ending.COMPLETE
    assert differing(truth(web), kept(tmp_path / "out"), "the truth", "the crawl") == []
    assert len(list((tmp_path / "out" / "shard-01").glob("lost-*"))) == 1
    assert repeated(web) <= IN_FLIGHT


async def test_a_store_that_does_not_answer_does_not_keep_a_crawl_from_its_end(
    web: Web, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.stages.snapshot._PAUSES", (0.1,))
    async with shared(copied(store), tmp_path / "out", 2) as running:
        run = asyncio.create_task(running.crawl(web.fronts))
        await web.sites[0].seen(1)
        shutil.rmtree(tmp_path / "store")
        (tmp_path / "store").write_text("no folder")
        report = await asyncio.wait_for(run, LIMIT)

    assert report.ending is Ending.COMPLETE
    assert report.snapshot is not None
    assert (report.snapshot.complete, report.snapshot.failed > 2) == (False, True)
    assert differing(truth(web), kept(tmp_path / "out"), "the truth", "the crawl") == []


async def test_a_crawl_that_is_asked_to_stop_has_all_of_it_in_the_store(
    web: Web, store: ObjectStore, tmp_path: Path
) -> None:
    async with shared(copied(store), tmp_path / "one", 3) as running:
        web.sites[5].listeners.append(lambda _: running.stop("enough"))
        stopped = await asyncio.wait_for(running.crawl(web.fronts), LIMIT)
    web.sites[5].listeners.clear()
    await crawled(web, copied(store), tmp_path / "two")

    assert stopped.snapshot is not None
    assert (stopped.ending, stopped.snapshot.complete, stopped.snapshot.behind) == (Ending.INTERRUPTED, True, 0)
    assert differing(truth(web), kept(tmp_path / "two"), "the truth", "the crawl") == []


async def test_a_host_that_a_lost_shard_had_just_asked_is_not_hurried(store: ObjectStore, tmp_path: Path) -> None:
    place, delay = InProcess(), 1.5
    config = replace(copied(store, pages=0), politeness=Politeness(delay=delay))
    async with Site("127.0.0.1") as site, SharedCrawler(config, out=tmp_path, shards=1, place=place) as running:
        run = asyncio.create_task(running.crawl(site.page("/", links=("/a",))))
        site.page("/a")
        await site.seen(1)
        await place.strike(0, lose=True)
        report = await asyncio.wait_for(run, LIMIT)
        asked = [request.at for request in site.log]

    assert (report.ending, report.pages) == (Ending.COMPLETE, 2)
    assert all(later - earlier >= delay - CLOCK for earlier, later in pairwise(asked))


async def test_what_cannot_be_where_folders_may_be_lost_is_refused(
    web: Web, store: ObjectStore, tmp_path: Path
) -> None:
    config = copied(store)
    await crawled(web, copied(store, limited(max_pages=10)), tmp_path / "out", 2)
    single = ObjectStore(shard_place(store.url, 0))

    with pytest.raises(UsageError, match="the number of shards stays what it was: 2"):
        await crawled(web, config, tmp_path / "out", 3)
    with pytest.raises(UsageError, match="holds snapshots of an earlier crawl"):
        await crawled(web, config, tmp_path / "out", 2, fresh=True)
    assert (tmp_path / "out" / "cluster.json").exists()
    with pytest.raises(UsageError, match="a snapshot holds no mirror"):
        shared(replace(config, store=Store(mirror=True)), tmp_path / "out", 2)
    with pytest.raises(UsageError, match="holds snapshots of a crawl without a cluster"):
        SharedSnapshots(single, tmp_path / "new", keep=1).begin()
    with pytest.raises(UsageError, match="several shards share; go on with --cluster"):
        await _alone(web, config, tmp_path / "alone")
    shutil.rmtree(shard_folders(tmp_path / "out")[0])
    with pytest.raises(UsageError, match="recrawl needs the folders of all shards"):
        await crawled(web, config, tmp_path / "out", 2, recrawl="all")


async def test_what_cannot_be_brought_back_is_told_in_one_sentence(
    web: Web, store: ObjectStore, tmp_path: Path
) -> None:
    await crawled(web, copied(store, limited(max_pages=10)), tmp_path / "out", 2)
    earlier = crawler("restore", store.url, "back", "--snapshot", "1", cwd=tmp_path)
    full = crawler("restore", store.url, "out", cwd=tmp_path)
    for one in (tmp_path / "store").glob("*/cluster-*.json"):
        one.write_text("{}")
    damaged = crawler("restore", store.url, "back", cwd=tmp_path)

    assert (earlier.code, full.code, damaged.code) == (2, 2, 65)
    assert (
        earlier.err
        == "crawler: --snapshot: several shards share this crawl, and their earlier snapshots may lack links\n"
    )
    assert full.err == "crawler: out: holds a crawl already; name an empty folder\n"
    assert "is missing, or not what a crawl writes" in damaged.err
    assert damaged.err.count("\n") == 1


async def _alone(web: Web, config: Config, out: Path) -> None:
    from crawler import crawl  # noqa: PLC0415

    await crawl(web.fronts, config=config, out=out)
