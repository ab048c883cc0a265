"""The driver of a shared crawl: deals out the seeds, shares out the limits, finds the end, and merges the reports.

Theory of operation
-------------------
One task per shard calls its ``run``, and calls it again when the shard has died and come back.
One task deals out the seeds (:mod:`crawler.cluster.seeds`). The main task looks at all shards a few times a second:
such a wave is what the end is found by (:mod:`crawler.core.ending`), what limits are shared out by
(:mod:`crawler.core.sharing`), and what the live line shows.
Nothing that the driver knows is needed after its death: the next run finds everything in the shards' folders.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Iterable, Sequence
from typing import Any, TypeVar

from crawler.cluster.link import Bounds, Look, Part, Unreachable
from crawler.cluster.outlook import Outlook
from crawler.cluster.seeds import DealSeeds
from crawler.config import Limits
from crawler.core.ending import Sight, Waves
from crawler.core.shards import Assignment, Territory
from crawler.core.sharing import LEAST_BYTES, Allowance
from crawler.core.tally import Tally
from crawler.report.report import Ending, Report

T = TypeVar("T")

_log = logging.getLogger(__name__)

AGAIN = 0.2
"""Seconds until a shard that did not answer is asked again."""
LOOK_EVERY = 0.25
"""Seconds from one wave to the next while shards are at work."""
SILENT = 120.0
"""Seconds after which something is said of a shard that does not answer."""
LAST_TRIES = 3
"""Snapshots of a shard that must have failed one after another for the crawl to end without them."""
_LOOK_SOON = 0.02
"""...and when all were idle."""


class Driver:
    """Drives one run of a shared crawl.

    Args:
        parts: the shards, by their numbers.
        assignment: what belongs to which.
        limits: of the whole crawl.
        outlook: is told how the shards stand.
    """

    def __init__(self, parts: Sequence[Part], assignment: Assignment, limits: Limits, outlook: Outlook) -> None:
        self._parts = parts
        self._limits = limits
        self._outlook = outlook
        self._pages = Allowance(limits.max_pages, len(parts)) if limits.max_pages else None
        self._bytes = Allowance(limits.max_bytes, len(parts), least=LEAST_BYTES) if limits.max_bytes else None
        self._seeds = DealSeeds(parts, Territory(assignment, 0), until=self._is_ending)
        self.reason = ""
        self._waves = Waves()
        self._ending: Ending | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._runs: list[asyncio.Task[Report]] = []
        self.reports: list[Report] = []
        """Of the shards, by their numbers, once all have ended."""

    async def run(self, seeds: Iterable[str] | AsyncIterable[str]) -> Ending:
        """Crawl to the end; return why it ended.

        Raises:
            CrawlerError: a shard cannot begin or cannot go on; what was committed stands.
        """
        loop = asyncio.get_running_loop()
        self._runs = [loop.create_task(self._keep_running(shard)) for shard in range(len(self._parts))]
        sowing = loop.create_task(self._seeds.deal(seeds))
        tasks: list[asyncio.Task[Any]] = [*self._runs, sowing]
        for task in tasks:
            task.add_done_callback(lambda _: self._changed.set())
        try:
            await self._watch(sowing)
            self.reports = [await run for run in self._runs]
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await _gone(tasks)
        return self._ending or Ending.COMPLETE

    @property
    def tally(self) -> Tally:
        """What was made of the seeds."""
        return self._seeds.tally

    def stop(self, reason: str) -> None:
        """Let all shards end soon."""
        self._end(Ending.INTERRUPTED, reason)

    # the watch

    async def _watch(self, sowing: asyncio.Task[None]) -> None:
        """Look at the shards, wave after wave, until all have ended."""
        while not all(run.done() for run in self._runs):
            self._hear(sowing)
            if self._ending is not None:
                await self._tell_end()
            looks = await self._wave()
            self._outlook.see(looks)
            self._seeds.see(looks)
            if self._timer is None and any(looks):
                self._start_timer()
            if self._ending is None:
                await self._judge(looks)
            await self._pause(
                _LOOK_SOON if all(look and _rests(look, given_up=False) for look in looks) else LOOK_EVERY
            )

    def _start_timer(self) -> None:
        """Count the time that the crawl may take, from when the first shard is at work."""
        if seconds := self._limits.max_time:
            loop, words = asyncio.get_running_loop(), f"{seconds:g} seconds passed"
            self._timer = loop.call_later(seconds, self._end, Ending.LIMIT, words)

    def _hear(self, sowing: asyncio.Task[None]) -> None:
        """Take note of what has ended by itself: an error ends all, and so does a limit that a shard keeps alone."""
        if sowing.done():
            sowing.result()
        for run in self._runs:
            if run.done() and (report := run.result()).ending in (Ending.LIMIT, Ending.INTERRUPTED):
                self._end(report.ending, report.reason)

    async def _wave(self) -> list[Look | None]:
        return list(await asyncio.gather(*(_or_none(part.look()) for part in self._parts)))

    async def _judge(self, looks: Sequence[Look | None]) -> None:
        """Find out if the crawl has ended, or may not go on; else give the shards what they are short of."""
        given_up = any(look is not None and look.failing >= LAST_TRIES for look in looks)
        sights = [
            Sight(_rests(look, given_up=given_up), look.process, look.commits) if look else None for look in looks
        ]
        if self._waves.see(sights) and self._seeds.sown and (self._seeds.kept or given_up):
            self._end(Ending.COMPLETE, "")
            return
        if all(look is not None and look.idle and not look.waiting for look in looks):
            await self._keep(looks)
        pages, received = (sum(getattr(look, what) for look in looks if look) for what in ("pages", "bytes"))
        if any(look is None or not look.idle for look in looks):
            if self._bytes and received >= self._bytes.total:
                self._end(Ending.LIMIT, f"{self._bytes.total:,} bytes received")
            elif self._pages and pages >= self._pages.total:
                self._end(Ending.LIMIT, f"{self._pages.total:,} pages crawled")
        for shard, look in enumerate(looks):
            if look is None or self._ending is not None:
                continue
            if look.starved:
                await self._feed(shard, look, looks)
            if self._seeds.sown and not look.sown:  # it was killed just when it had been told
                await _or_none(self._parts[shard].all_sown())

    async def _keep(self, looks: Sequence[Look | None]) -> None:
        """Ask shards to keep what would be undone if their folders were lost: only that stands in the way of the end.

        It is asked in vain where one that was not looked at at the same moment is at work again by now.
        """
        behind = [part for part, look in zip(self._parts, looks, strict=True) if look and look.kept != look.commits]
        await asyncio.gather(*(_or_none(part.keep()) for part in behind))

    async def _feed(self, shard: int, look: Look, looks: Sequence[Look | None]) -> None:
        """Let a shard that has used up its share go on, if need be at the cost of others that have not."""
        short = [
            (allowance, used)
            for allowance, used in ((self._pages, "pages"), (self._bytes, "bytes"))
            if allowance is not None and _spent(look, used) >= allowance.bounds[shard]
        ]
        for allowance, used in short:
            if not allowance.free:
                for other, seen in enumerate(looks):
                    if seen is not None and other != shard:
                        await self._take_back(other, seen, allowance, used)
            allowance.more(shard)
        await _or_none(self._parts[shard].allow(self._bounds(shard)))

    async def _take_back(self, shard: int, look: Look, allowance: Allowance, used: str) -> None:
        spent = _spent(look, used)
        spare = allowance.bounds[shard] - spent
        if look.starved or spare <= 0:
            return
        bounds = self._bounds(shard)
        keep = spent + (0 if look.idle else spare // 2)
        wanted = Bounds(
            pages=keep if used == "pages" else bounds.pages, bytes=keep if used == "bytes" else bounds.bytes
        )
        now = await _or_none(self._parts[shard].allow(wanted))
        if now is not None:
            allowance.less(shard, getattr(now, used))

    def _bounds(self, shard: int) -> Bounds:
        return Bounds(
            pages=self._pages.bounds[shard] if self._pages else None,
            bytes=self._bytes.bounds[shard] if self._bytes else None,
        )

    async def _pause(self, seconds: float) -> None:
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    # the shards

    async def _keep_running(self, shard: int) -> Report:
        """Run a shard to its end, from its folder again if it dies on the way."""
        warn_at, again = asyncio.get_running_loop().time() + SILENT, False
        while True:
            if (now := asyncio.get_running_loop().time()) > warn_at:
                warn_at = now + SILENT
                _log.warning("shard %d does not answer; the crawl waits until the cluster has a place for it", shard)
            try:
                return await self._parts[shard].run(self._bounds(shard), sown=self._seeds.sown, again=again)
            except Unreachable:
                again = True
                if self._outlook.lost(shard):
                    warn_at = asyncio.get_running_loop().time() + SILENT
                await asyncio.sleep(AGAIN)

    async def _tell_end(self) -> None:
        """Let those that have not ended know that they are to; again and again, since they may die and forget it."""
        left = [part for part, run in zip(self._parts, self._runs, strict=True) if not run.done()]
        if self._ending is Ending.COMPLETE:
            await asyncio.gather(*(_or_none(part.finish()) for part in left))
        else:
            await asyncio.gather(*(_or_none(part.stop(self.reason)) for part in left))

    def _end(self, ending: Ending, reason: str) -> None:
        if self._ending is None:
            self._ending, self.reason = ending, reason
            self._changed.set()

    def _is_ending(self) -> bool:
        return self._ending is not None


def _rests(look: Look, *, given_up: bool) -> bool:
    """Tell whether nothing is left to do for a shard.

    Args:
        look: at it.
        given_up: whether the store of snapshots does not answer: then what was committed has to do.
    """
    if not look.idle or look.waiting:
        return False
    return given_up or (not look.heard and look.kept == look.commits)


def _spent(look: Look, used: str) -> int:
    return look.pages + look.in_flight if used == "pages" else look.bytes


async def _or_none(call: Awaitable[T]) -> T | None:
    try:
        return await call
    except Unreachable:
        return None


async def _gone(tasks: Sequence[asyncio.Task[Any]]) -> None:
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # heard, or of no more interest
