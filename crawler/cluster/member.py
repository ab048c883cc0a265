"""A shard of a shared crawl: the crawl of a single machine, and beside it a courier that sends what is for others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from crawler.api import Crawler
from crawler.cluster.courier import AGAIN, Courier
from crawler.cluster.link import Batch, Beginning, Bounds, Look, Peer, Sown, Unreachable
from crawler.config import Config
from crawler.core.exchange import Parcel, Receipt
from crawler.core.shards import Shard
from crawler.engine import Engine, Share
from crawler.errors import FolderBusy, StoreUnreachable, UsageError
from crawler.report.report import Report
from crawler.seams import Seams

PATIENCE = 60.0
"""Seconds that the process before this one is given to let go of the folder: it is dying, or thought dead.
As many are given to the store of snapshots, if it does not answer when a shard is started again."""
T = TypeVar("T")

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
        self._courier: Courier | None = None
        self._process = ""
        self._running = asyncio.Lock()
        self._receiving = 0
        self._at_work: set[asyncio.Task[Any]] = set()
        self._stopped = ""

    @property
    def crawler(self) -> Crawler | None:
        """What crawls; None while nothing does."""
        return self._crawler

    # for the driver

    async def run(self, bounds: Bounds, *, sown: bool, again: bool) -> Report:
        """See :class:`~crawler.cluster.link.Part`; called again while it runs, it waits for the end of the first."""
        if sown:
            self._sown.set()
        self._share.pages, self._share.bytes = bounds.pages, bounds.bytes
        async with self._running, AsyncExitStack() as opened:
            crawler = await self._entered(opened, patient=again)
            crawler.share(self._share)
            self._crawler, self._process = crawler, uuid4().hex
            self._courier = courier = Courier(self._shard, self._peers, crawler.commit, self._is_idle, again=again)
            if crawler.snapshots is not None:
                crawler.snapshots.taken.append(courier.kept)
            try:
                if self._stopped:
                    crawler.stop(self._stopped)
                return await _beside(crawler.crawl(self._seeds()), courier.run())
            finally:
                self._crawler = None

    async def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known that belong to it."""
        return await self._whole(self._sow(urls))

    async def _sow(self, urls: Sequence[str]) -> Sown:
        engine, crawler, process = self._engine(), self._ready(), self._process
        sown = await engine.sow(urls)
        if self._sown.is_set():  # dealt once more, since they were lost: what others sent meanwhile was judged without
            await crawler.commit.reconsider()
        return Sown(
            known=sown.known,
            refused={str(outcome): count for outcome, count in sown.refused.items()},
            process=process,
            commits=crawler.commit.transactions,
        )

    async def all_sown(self) -> None:
        """Take note that no more seeds will come."""
        self._sown.set()

    async def look(self) -> Look:
        """Tell how it stands."""
        engine, crawler, courier = self._engine(), self._ready(), self._courier
        commits, standing, snapshots = crawler.commit.transactions, crawler.commit.standing, crawler.snapshots
        if standing is None or courier is None:
            raise Unreachable
        return Look(
            idle=engine.idle and not self._receiving,
            starved=engine.starved,
            sown=self._sown.is_set(),
            process=self._process,
            commits=commits,
            kept=snapshots.kept if snapshots else commits,
            failing=snapshots.failing if snapshots else 0,
            pages=engine.tally.pages,
            in_flight=engine.in_flight,
            bytes=engine.tally.bytes,
            sent=standing.sent,
            received=standing.received,
            waiting=standing.waiting.total(),
            heard=standing.heard,
            exchanged=courier.exchanged,
            progress=crawler.progress(),
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

    async def keep(self) -> None:
        """See to it that what has become durable is not undone if the folder is lost, and that soon."""
        if (snapshots := self._ready().snapshots) is not None:
            snapshots.soon()

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

    async def receive(self, sender: int, run: int, batch: Batch) -> Receipt:
        """Commit what a shard has for this one, and tell how much it has of that."""
        if run != self._shard.run:
            raise UsageError(f"shard {sender} is still in run {run}, and this is run {self._shard.run}")
        return await self._whole(self._receive(sender, batch))

    async def _receive(self, sender: int, batch: Batch) -> Receipt:
        self._receiving += 1  # until its URLs are known to the engine, this shard is not idle
        try:
            return await self._ready().commit.receive(sender, batch.life, batch.after, _parcels.decode(batch.parcels))
        finally:
            self._receiving -= 1

    async def told(self, owner: int, run: int, life: int, receipt: Receipt) -> None:
        """Take note of how much a shard has of what this one had for it."""
        commit = self._ready().commit
        if run != self._shard.run:
            return
        if life != commit.life:
            receipt = Receipt(receipt.life, 0, 0)
        await commit.told(owner, receipt)

    # inside

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work to its end, even if the caller dies on the way: what is committed has to reach the engine too."""
        task = asyncio.get_running_loop().create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()  # heard by the caller, or by nobody

    async def _entered(self, opened: AsyncExitStack, *, patient: bool) -> Crawler:
        """Enter a crawler, once the process that held the folder before is gone."""
        deadline = time.monotonic() + PATIENCE
        passing = (FolderBusy, StoreUnreachable) if patient else (FolderBusy,)
        while True:
            begin = self._begin
            crawler = Crawler(
                self._config, out=self._folder, rebuild=begin.rebuild, recrawl=begin.recrawl, **_named(self._seams)
            )
            try:
                return await opened.enter_async_context(crawler)
            except passing:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(AGAIN)

    def _is_idle(self) -> bool:
        return self._crawler is not None and self._crawler.engine is not None and self._crawler.engine.idle

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
