"""A shard of a shared crawl: the crawl of a single machine, and beside it one task that sends what is for others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec

from crawler.api import Crawler
from crawler.cluster.link import Beginning, Bounds, Look, Peer, Sown, Unreachable
from crawler.config import Config
from crawler.core.exchange import MOST_URLS, Parcel, batch, due
from crawler.core.shards import Shard
from crawler.engine import Engine, Share
from crawler.errors import FolderBusy, UsageError
from crawler.report.report import Report
from crawler.seams import Seams

AGAIN = 0.2
"""Seconds until a shard that did not answer is tried again."""
PATIENCE = 60.0
"""Seconds that the process before this one is given to let go of the folder: it is dying, or thought dead."""
_LOOK_EVERY = 0.05
"""Seconds from one look at the outbox to the next."""
_GO_ON = Beginning()
_parcels = msgspec.msgpack.Decoder(tuple[Parcel, ...])


class Member:
    """One shard, for one run.

    Args:
        config: its settings, see :func:`crawler.core.sharing.share_out`.
        folder: its own.
        seams: which shard it is, and what the caller has put in.
        peers: the others, by their numbers.
        begin: how its run begins; after a kill, too.
    """

    def __init__(
        self, config: Config, folder: Path, seams: Seams, peers: Mapping[int, Peer], *, begin: Beginning = _GO_ON
    ) -> None:
        if seams.shard is None:
            raise UsageError("a member of a shared crawl needs to know which shard it is")
        self._config = config
        self._folder = folder
        self._seams = seams
        self._shard: Shard = seams.shard
        self._peers = peers
        self._begin = begin
        self._share = Share()
        self._sown = asyncio.Event()
        self._crawler: Crawler | None = None
        self._running = asyncio.Lock()
        self._receiving = 0
        self._exchanged = 0
        self._stopped = ""

    # for the driver

    async def run(self, bounds: Bounds, *, sown: bool) -> Report:
        """See :class:`~crawler.cluster.link.Part`; called again while it runs, it waits for the end of the first."""
        if sown:
            self._sown.set()
        self._share.pages, self._share.bytes = bounds.pages, bounds.bytes
        async with self._running, AsyncExitStack() as opened:
            crawler = await self._entered(opened)
            crawler.share(self._share)
            self._crawler = crawler
            try:
                if self._stopped:
                    crawler.stop(self._stopped)
                return await _beside(crawler.crawl(self._seeds()), self._send_on())
            finally:
                self._crawler = None

    async def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known that belong to it."""
        sown = await self._engine().sow(urls)
        return Sown(known=sown.known, refused={str(outcome): count for outcome, count in sown.refused.items()})

    async def all_sown(self) -> None:
        """Take note that no more seeds will come."""
        self._sown.set()

    async def look(self) -> Look:
        """Tell how it stands."""
        engine = self._engine()
        standing = self._ready().commit.standing
        if standing is None:
            raise Unreachable
        return Look(
            idle=engine.idle and not self._receiving,
            starved=engine.starved,
            sown=self._sown.is_set(),
            pages=engine.tally.pages,
            in_flight=engine.in_flight,
            bytes=engine.tally.bytes,
            sent=standing.sent,
            received=standing.received,
            waiting=standing.waiting.total(),
            exchanged=self._exchanged,
            progress=self._ready().progress(),
        )

    async def allow(self, bounds: Bounds) -> Bounds:
        """Set new bounds; return them as they are now: what is under way is not taken back."""
        engine = self._engine()
        tally, share = engine.tally, self._share
        share.pages = None if bounds.pages is None else max(bounds.pages, tally.pages + engine.in_flight)
        share.bytes = None if bounds.bytes is None else max(bounds.bytes, tally.bytes)
        engine.shared(share)
        return Bounds(pages=share.pages, bytes=share.bytes)

    async def so_far(self) -> Report | None:
        """Tell its run as it stands, as a report."""
        return self._ready().so_far()

    async def finish(self) -> None:
        """Take note that the whole crawl has ended."""
        self._share.expecting = False
        self._engine().shared(self._share)

    async def stop(self, reason: str) -> None:
        """Start no further fetch, and end soon."""
        self._stopped = reason
        self._sown.set()
        if self._crawler is not None:
            self._crawler.stop(reason)

    # for the other shards

    async def receive(self, sender: int, run: int, parcels: bytes) -> None:
        """Commit what a shard has for this one. When this returns, the sender may forget it."""
        if run != self._shard.run:
            raise UsageError(f"shard {sender} is still in run {run}, and this is run {self._shard.run}")
        self._receiving += 1  # until its URLs are known to the engine, this shard is not idle
        try:
            await self._ready().commit.receive(sender, _parcels.decode(parcels))
        finally:
            self._receiving -= 1

    # inside

    async def _entered(self, opened: AsyncExitStack) -> Crawler:
        """Enter a crawler, once the process that held the folder before is gone."""
        deadline = time.monotonic() + PATIENCE
        while True:
            begin = self._begin
            crawler = Crawler(
                self._config, out=self._folder, rebuild=begin.rebuild, recrawl=begin.recrawl, **_named(self._seams)
            )
            try:
                return await opened.enter_async_context(crawler)
            except FolderBusy:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(AGAIN)

    async def _seeds(self) -> AsyncIterator[str]:
        """Give the engine no seed, but let it know when all have been dealt out."""
        await self._sown.wait()
        none: tuple[str, ...] = ()
        for seed in none:
            yield seed

    def _ready(self) -> Crawler:
        if self._crawler is None or self._crawler.engine is None:
            raise Unreachable
        return self._crawler

    def _engine(self) -> Engine:
        engine = self._ready().engine
        if engine is None:
            raise Unreachable
        return engine

    # what is for others

    async def _send_on(self) -> None:
        """Send what waits in the outbox, to each shard one batch at a time, until cancelled."""
        began: dict[int, float] = {}
        async with asyncio.TaskGroup() as sending:
            under_way: dict[int, asyncio.Task[None]] = {}
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                now = time.monotonic()
                for owner, urls in self._waiting().items():
                    if not urls:
                        began.pop(owner, None)
                    elif not ((task := under_way.get(owner)) and not task.done()):
                        oldest = began.setdefault(owner, now)
                        if not due(urls, oldest, now, idle=self._engine().idle):
                            del began[owner]
                            under_way[owner] = sending.create_task(self._send(owner))

    def _waiting(self) -> Mapping[int, int]:
        with suppress(Unreachable):
            standing = self._ready().commit.standing
            if standing is not None:
                return standing.waiting
        return {}

    async def _send(self, owner: int) -> None:
        commit = self._ready().commit
        while parcels := batch(await commit.parcels(owner)):
            await self._delivered(owner, msgspec.msgpack.encode(parcels))
            await commit.delivered(owner, parcels[-1].number)
            if self._waiting().get(owner, 0) < MOST_URLS:
                return  # what has come meanwhile waits for more

    async def _delivered(self, owner: int, parcels: bytes) -> None:
        """Send some parcels again and again until the other shard has committed them."""
        while True:
            try:
                await self._peers[owner].receive(self._shard.number, self._shard.run, parcels)
            except Unreachable:
                await asyncio.sleep(AGAIN)
            else:
                self._exchanged += len(parcels)
                return


async def _beside(crawl: Coroutine[Any, Any, Report], other: Coroutine[Any, Any, None]) -> Report:
    """Await a crawl, and the other work as long as the crawl goes on; a failure of either ends both."""
    crawling, beside = asyncio.ensure_future(crawl), asyncio.ensure_future(other)
    try:
        await asyncio.wait((crawling, beside), return_when=asyncio.FIRST_COMPLETED)
        if beside.done() and not crawling.done():
            beside.result()
        return await crawling
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    finally:
        left = [task for task in (crawling, beside) if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


def _named(seams: Seams) -> dict[str, Any]:
    return {name: getattr(seams, name) for name in ("extract", "fetcher", "store", "scope", "shard")}
