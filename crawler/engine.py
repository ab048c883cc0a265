"""Keep N pages in flight until the frontier drains, a limit is hit, or stop is asked.

Theory of operation
-------------------
One task, the *feed*, asks the host queues what comes next and starts one short-lived task per page.
It sleeps until something changes (a fetch ends, a commit brings new URLs, a host becomes due): nothing is polled.
A second task brings queued URLs back from disk where memory runs low, a third sows the seeds.
When the feed ends, what is in flight is given a grace period, then cancelled: what was fetched is committed,
what was not is still queued.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator
from time import perf_counter

import msgspec
from msgspec import Struct

from crawler.bell import Bell
from crawler.config import Config
from crawler.core.host_queues import Again, HostQueues, Wait
from crawler.core.ledger import Feed
from crawler.core.records import CrawlURL, Kind, Page
from crawler.core.tally import Tally
from crawler.core.url import seed_url
from crawler.pipeline import Pipeline
from crawler.report.report import Ending
from crawler.seeding import seed_batches
from crawler.stages.commit import Commit
from crawler.storage.frontier import Sown, StoredHost

GRACE = 5.0
"""Seconds that fetches in flight are given when the crawl is asked to stop."""
FIRST_SLOTS = 64
"""Requests in flight at once, as long as nobody has said how many, and the crawl has not found out."""
_MOST_UNCOMMITTED = 128
"""Pages beyond those being fetched that may be on their way through parse and commit."""


class Share(Struct):
    """What this engine may do of a crawl that several share; the limits of the settings are those of all together."""

    expecting: bool = True
    """Whether others may still send URLs: then a frontier that is drained is not the end."""
    pages: int | None = None
    """Pages that may be finished in this run, at most; None is no limit."""
    bytes: int | None = None

    def used_up(self, tally: Tally, in_flight: int) -> bool:
        """Tell whether no further page may begin its way."""
        if not self.expecting:
            return False  # all is done everywhere
        pages = self.pages is not None and tally.pages + in_flight >= self.pages
        return pages or (self.bytes is not None and tally.bytes >= self.bytes)


class Engine:
    """Runs one crawl; made anew for each run.

    Args:
        config: the settings.
        queues: the hosts in memory.
        pipeline: one page's way.
        commit: the door to the journal.
        now: Unix seconds, by a clock that is never set back.
        deliver: takes each finished page; awaited, so that a slow caller slows the crawl.
    """

    def __init__(
        self,
        config: Config,
        *,
        queues: HostQueues,
        pipeline: Pipeline,
        commit: Commit,
        now: Callable[[], float],
        deliver: Callable[[Page], Awaitable[None]] | None = None,
    ) -> None:
        self._limits = config.limits
        self._slots = config.fetch.concurrency or FIRST_SLOTS
        self._queues = queues
        self._pipeline = pipeline
        self._room = pipeline.room
        self._commit = commit
        self._ledger = pipeline.ledger
        self._clock = pipeline.ledger.feed
        self.tally = Tally()
        """What this run has done so far."""
        self._now = now
        self._deliver = deliver
        self.share: Share | None = None
        """Its part of a crawl that several share; None if the crawl is its own."""
        self._changed = Bell()
        self._hungry = Bell()
        self._pages: set[asyncio.Task[None]] = set()
        self._sowing = True
        self._failure: BaseException | None = None
        self._undelivered = 0
        self.stop_reason = ""
        """Why the crawl was asked to stop; empty if it was not."""
        self.limit = ""
        """Which limit was reached; empty if none was."""

    @property
    def slots(self) -> int:
        """Requests that may be in flight at once."""
        return self._slots

    @property
    def most_pages(self) -> int:
        """Pages that may be on their way at once."""
        return self._slots + _MOST_UNCOMMITTED

    def resize(self, slots: int) -> None:
        """Let so many requests be in flight from now on; those that are more end in their own time."""
        self._slots = slots
        self._changed.ring()

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do: until others send something, if the crawl is shared."""
        return not self._pages and not self._sowing and self._queues.drained

    @property
    def starved(self) -> bool:
        """Whether its share is used up, though there is something to do."""
        return self.share is not None and self.share.used_up(self.tally, len(self._pages)) and not self.idle

    def shared(self, share: Share) -> None:
        """Go by this share from now on, and no more by the limits that are those of the whole crawl."""
        self.share = share
        self._limits = msgspec.structs.replace(self._limits, max_pages=0, max_bytes=0, max_time=0.0)
        self._changed.ring()

    @property
    def in_flight(self) -> int:
        """Pages between their turn and their commit."""
        return len(self._pages)

    @property
    def bytes_waiting(self) -> int:
        """Bytes of bodies that wait for a process, for the journal or for the caller."""
        return self._pipeline.bytes_waiting + self._undelivered

    async def run(self, seeds: Iterable[str] | AsyncIterable[str]) -> Ending:
        """Crawl from ``seeds`` and from what the folder still has queued; return why it ended.

        Raises:
            CrawlerError: the crawl cannot go on; what was committed stands.
        """
        loop = asyncio.get_running_loop()
        self._queues.window.elsewhere = True  # what an earlier run left is on disk
        others = [loop.create_task(self._sow(seeds)), loop.create_task(self._load())]
        for other in others:
            other.add_done_callback(self._heard)
        timer = loop.call_later(self._limits.max_time, self._out_of_time) if self._limits.max_time else None
        try:
            self._clock.enter(Feed.WORKING, perf_counter())
            await self._feed()
            self._clock.end(perf_counter())
            if not self._failure:
                await self._drain()
        finally:
            if timer is not None:
                timer.cancel()
            await self._end((*others, *self._pages))
        if self._failure is not None:
            raise self._failure
        if self.stop_reason:
            return Ending.INTERRUPTED
        return Ending.LIMIT if self.limit else Ending.COMPLETE

    def stop(self, reason: str = "asked to stop") -> None:
        """Start no further fetch, give those in flight a moment, and end."""
        self.stop_reason = self.stop_reason or reason
        self._changed.ring()

    def fail(self, error: BaseException) -> None:
        """End at once, and raise this: something that the crawl rests on has failed."""
        self._failure = self._failure or error
        self._changed.ring()

    def queued(self, url: CrawlURL | Again) -> None:
        """Take note of a URL that has become known and is to be crawled, or of some that are to be crawled again."""
        if isinstance(url, Again):
            self._queues.again(url, self._now())
        else:
            self._queues.add(url, self._now())
        self._changed.ring()
        if self._queues.window.hungry:
            self._hungry.ring()

    # the feed

    async def _feed(self) -> None:
        while not (self._failure or self.stop_reason or self._limit_reached()):
            full = self._full()
            if full is not None:
                await self._blocked(full)
                continue
            now = self._now()
            turn = self._queues.next(now)
            if isinstance(turn, CrawlURL):
                self._start(turn)
                continue
            if self._queues.window.hungry or self._queues.window.elsewhere:
                self._hungry.ring()
            if isinstance(turn, Wait):
                await self._blocked(Feed.WAIT, max(0.0, turn.until - now))
            elif self._drained():
                return
            else:
                await self._blocked(Feed.IDLE)

    async def _blocked(self, by: Feed, seconds: float | None = None) -> None:
        """Wait for a change, and let the ledger know for which."""
        self._clock.enter(by, perf_counter())
        await self._changed.wait(seconds)
        self._clock.enter(Feed.WORKING, perf_counter())

    def _full(self) -> Feed | None:
        """Tell why no further page may begin its way; None if one may."""
        pages, most = len(self._pages), self._limits.max_pages
        if self.share is not None and self.share.used_up(self.tally, pages):
            return Feed.CLOSING
        if not pages:
            return None
        if most and self.tally.pages + pages >= most:
            return Feed.CLOSING
        if (most := self._limits.max_disk) and self._commit.disk_used + self._room.held >= most:
            return Feed.CLOSING
        if self._ledger.fetching >= self._slots:
            return Feed.SLOTS
        behind = pages >= self.most_pages or self.bytes_waiting >= self._room.most
        return self._ledger.backlog if behind else None

    def _limit_reached(self) -> str:
        limits, tally = self._limits, self.tally
        if limits.max_bytes and tally.bytes >= limits.max_bytes:
            self.limit = f"{limits.max_bytes:,} bytes received"
        elif limits.max_pages and tally.pages >= limits.max_pages and not self._pages and not self._drained():
            self.limit = f"{limits.max_pages:,} pages crawled"
        elif limits.max_disk and self._commit.disk_used >= limits.max_disk:
            self.limit = f"{limits.max_disk:,} bytes on disk"
        return self.limit

    def _drained(self) -> bool:
        return self.idle and (self.share is None or not self.share.expecting)

    def _start(self, url: CrawlURL) -> None:
        self._ledger.fetching += 1
        page = asyncio.get_running_loop().create_task(self._page(url))
        self._pages.add(page)
        page.add_done_callback(self._ended)

    async def _page(self, url: CrawlURL) -> None:
        try:
            page = await self._turn(url)
        finally:
            self._queues.finished(url.host)
        if page is not None:
            self.tally.add(page)
            if self._deliver is not None:
                self._ledger.delivering += 1
                self._undelivered += page.weight
                self._room.held += page.weight
                await self._deliver(page)
                self._undelivered -= page.weight
                self._room.left(page.weight)
                self._ledger.delivering -= 1

    async def _turn(self, url: CrawlURL) -> Page | None:
        if url.kind is not Kind.ROBOTS:
            return await self._pipeline.page(url, self._freed)
        await self._pipeline.robots(url, self._freed)
        return None

    def _freed(self) -> None:
        self._ledger.fetching -= 1
        self._changed.ring()

    def _ended(self, page: asyncio.Task[None]) -> None:
        self._pages.discard(page)
        self._heard(page)
        self._changed.ring()

    def _heard(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def _out_of_time(self) -> None:
        self.limit = self.limit or f"{self._limits.max_time:g} seconds passed"
        self._changed.ring()

    # the ends

    async def _drain(self) -> None:
        """Give the pages in flight a moment to reach their commit."""
        if self._pages:
            await asyncio.wait(self._pages, timeout=GRACE)

    async def _end(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Cancel what is left, and see it gone."""
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    # seeds in, and URLs back from disk

    async def _sow(self, seeds: Iterable[str] | AsyncIterable[str]) -> None:
        async for batch in seed_batches(seeds):
            await self.sow(batch)
        await self._commit.reconsider()
        self._sowing = False
        self._changed.ring()

    async def sow(self, seeds: Iterable[str]) -> Sown:
        """Make some seeds known; return what became of them."""
        urls = list(self._crawlable(seeds))
        sown = await self._commit.sow(urls)
        self.tally.sown(len(urls), sown.known, sown.refused)
        return sown

    def _crawlable(self, seeds: Iterable[str]) -> Iterator[str]:
        for seed in seeds:
            try:
                yield seed_url(seed)
            except ValueError as error:
                self.tally.bad_seed(str(error))

    async def _load(self) -> None:
        queues = self._queues
        while True:
            wants = list(queues.window.wants())
            if wants:
                for want, found in zip(wants, await self._commit.load(wants), strict=True):
                    if isinstance(found, StoredHost):
                        self._pipeline.admit.open(found)
                    else:
                        queues.loaded(want.host, found, self._now())
                self._changed.ring()
            elif queues.window.elsewhere and (room := queues.window.room_for_hosts(self._now())):
                found_hosts = await self._commit.waiting_hosts(queues.window.held, room)
                queues.window.expect(found_hosts, more=len(found_hosts) == room)
                self._changed.ring()
            else:
                await self._hungry.wait()
