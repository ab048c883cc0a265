"""A crawl without pages: frontier and host queues do what they do in one, on real tables, and nothing else is done.

Transactions are those of the journal: a batch of pages, ``BEGIN IMMEDIATE … COMMIT``, ``synchronous=FULL``.
Of the outlinks of a page every other one is known already, and the known ones are drawn from all alike,
which is the worst case for the processor's caches.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crawler.config import Config
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.storage.database import open_database
from crawler.storage.frontier import Frontier, StoredHost

OUTLINKS = 20
"""Outlinks of a page, half of them known: what a worker returns of a page with a hundred links."""
BATCH = 32
"""Pages of a transaction: the median of real crawls."""

Outlinks = list[tuple[Kind, str]]


@dataclass(slots=True)
class Web:
    """Outlinks without end.

    Attributes:
        hosts: how many hosts there are.
        known: URLs that outlinks have led to so far; URL number n is on host n modulo ``hosts``.
        scattered: whether the new outlinks of a page lead to all hosts in turn; else they stay on its own.
    """

    hosts: int
    scattered: bool
    random: random.Random
    known: int = 0
    _ends: dict[int, int] | None = None

    def url(self, number: int) -> str:
        """Return the URL of that number: distinct, as long as real ones are."""
        return f"https://docs{number % self.hosts}.example.org/library/part-{number % 977}/chapter-{number}.html"

    def sow(self) -> list[str]:
        """Return one URL per host."""
        self.known = self.hosts
        self._ends = dict.fromkeys(range(self.hosts), 1)
        return [self.url(number) for number in range(self.hosts)]

    def outlinks(self, count: int, host: int) -> Outlinks:
        """Return new and known URLs in turn, found on a page of that host."""
        found: Outlinks = []
        for _ in range(count // 2):
            home = self.known % self.hosts if self.scattered else host
            found.append((Kind.LINK, self.url(self._old(host))))
            found.append((Kind.LINK, self.url(self._new(home))))
        return found

    def more(self, count: int, host: int) -> Outlinks:
        """Return new URLs of one host."""
        return [(Kind.LINK, self.url(self._new(host))) for _ in range(count)]

    def _new(self, host: int) -> int:
        ends = self._ends or {}
        step, ends[host] = ends[host], ends[host] + 1
        self.known += 1
        return step * self.hosts + host

    def _old(self, host: int) -> int:
        ends = self._ends or {}
        home = self.random.randrange(self.hosts) if self.scattered else host
        return self.random.randrange(ends[home]) * self.hosts + home


class Rehearsal:
    """One frontier with its host queues; it adds up what they cost, CPU seconds of this process.

    Args:
        folder: for its database.
        config: the settings.
        hosts: how many hosts there are.
        scattered: see :class:`Web`.
    """

    def __init__(self, folder: Path, config: Config, *, hosts: int, scattered: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = open_database(folder, config.store.durability)
        self.frontier = Frontier(self.database, config.scope, config.traps)
        self.queues = HostQueues(delay=0.0, per_host=1, robots=False)
        self.web = Web(hosts, scattered, random.Random(1))  # noqa: S311  a benchmark wants the same numbers each time
        self.choosing = self.adding = self.ending = 0.0
        """What it took to choose URLs and bring them back from disk, to make outlinks known, to end pages."""
        self.wall = 0.0
        """Seconds on the clock that the transactions took."""
        with self.database.transaction():
            queued = self.frontier.sow(self.web.sow()).queued
            self.frontier.flush()
        self._queue(queued)
        self._load()

    def grow(self, known: int) -> None:
        """Make URLs known until there are so many, in large transactions; not counted."""
        host = 0
        while self.web.known < known:
            with self.database.transaction():
                queued: list[CrawlURL] = []
                for _ in range(min(1_000, (known - self.web.known) // OUTLINKS + 1)):
                    host = (host + 1) % self.web.hosts
                    queued.extend(self.frontier.discover(self.home(host), self.web.more(OUTLINKS, host)))
                self.frontier.flush()
            self._queue(queued)

    def home(self, host: int) -> CrawlURL:
        """Return the first page of a host."""
        return CrawlURL(host + 1, self.web.url(host), f"https://docs{host}.example.org")

    def pages(self, count: int) -> None:
        """Do the frontier's part of ``count`` pages: choose them, make their outlinks known, end them."""
        while count:
            began = time.process_time()
            sources = list(islice(self._turns(), min(BATCH, count)))
            self.choosing += time.process_time() - began
            self.commit(sources)
            count -= len(sources)

    def commit(self, sources: Sequence[CrawlURL], outlinks: int = OUTLINKS, *, end: bool = True) -> None:
        """Make outlinks of pages known, and end the pages if asked to, in one transaction."""
        found = [self.web.outlinks(outlinks, _host(source)) for source in sources]
        start, began = time.perf_counter(), time.process_time()
        with self.database.transaction():
            queued = [
                url
                for source, links in zip(sources, found, strict=True)
                for url in self.frontier.discover(source, links)
            ]
            ended = time.process_time()
            if end:
                for source in sources:
                    self.frontier.finish(source, Outcome.OK)
            finished = time.process_time()
            self.frontier.flush()
        added = time.process_time()
        self.wall += time.perf_counter() - start
        self._queue(queued)
        self.ending += finished - ended
        self.adding += added - finished + ended - began
        self.choosing += time.process_time() - added

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def _turns(self) -> Iterator[CrawlURL]:
        """Choose URLs as long as there are any."""
        while True:
            if self.queues.window.hungry:
                self._load()
            turn = self.queues.next(1.0)
            if not isinstance(turn, CrawlURL):
                return
            self.queues.sent(turn.host, 1.0)
            self.queues.done(turn, 1.0)
            yield turn

    def _queue(self, urls: Sequence[CrawlURL]) -> None:
        for url in urls:
            self.queues.add(url, 1.0)

    def _load(self) -> None:
        for want in list(self.queues.window.wants()):
            if want.after:
                self.queues.loaded(want.host, self.frontier.load(want), 1.0)
            else:
                stored: StoredHost = self.frontier.open(want)
                self.queues.open(HostQueue(want.host, 0.0), stored.urls, stored.queued, 1.0)


def _host(source: CrawlURL) -> int:
    return int(source.host.removeprefix("https://docs").partition(".")[0])
