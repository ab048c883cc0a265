"""The frontier alone: what it costs to add outlinks, to choose the next URL and to come back, as it grows.

No network, no parsing, no archive: real tables on disk, real transactions as the journal makes them
(a batch of pages, one ``BEGIN IMMEDIATE … COMMIT`` each, ``synchronous=FULL``), made-up URLs.
Of the outlinks of a page every other one is known already, and the known ones are drawn from all of them alike,
which is the worst case for the processor's caches.
Costs are CPU time of this process; the time spent making up URLs is not counted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import log2
from pathlib import Path

from crawler.config import Config
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.storage.database import Database, open_database
from crawler.storage.frontier import Frontier, StoredHost

OUTLINKS = 20
"""Outlinks of a page, half of them known."""
BATCH = 32
"""Pages of a transaction: the median of real crawls."""
HOSTS = 100
_LEAST = 40_000
"""Outlinks over which a cost is taken; a small frontier is built anew until there are so many."""


def made_up(number: int) -> str:
    """Return the URL of that number: distinct, as long as real ones are, spread over the hosts."""
    return f"https://docs{number % HOSTS}.example.org/library/part-{number % 977}/chapter-{number}.html"


@dataclass(slots=True)
class Web:
    """Outlinks without end; some lead to where others have led."""

    random: random.Random
    known: int = 0

    def outlinks(self, count: int) -> list[tuple[Kind, str]]:
        """Return new and known URLs in turn."""
        found = []
        for _ in range(count // 2):
            found.append((Kind.LINK, made_up(self.random.randrange(self.known))))
            found.append((Kind.LINK, made_up(self.known)))
            self.known += 1
        return found


class Rehearsal:
    """A crawl without pages: frontier and host queues do what they do in one, and nothing else is done."""

    def __init__(self, folder: Path, config: Config) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database: Database = open_database(folder, config.store.durability)
        self.frontier = Frontier(self.database, config.scope, config.traps)
        self.queues = HostQueues(delay=0.0, per_host=1, robots=False)
        self.web = Web(random.Random(1))  # noqa: S311  a benchmark wants the same numbers each time
        self.adding = 0.0
        """CPU seconds of transactions that made outlinks known and noted how pages ended."""
        self.choosing = 0.0
        """CPU seconds of choosing the next URL, bringing URLs back from disk included."""
        self.now = 1.0

    def sow(self) -> None:
        """Make one seed per host known, so that their hosts are in scope."""
        seeds = [made_up(number) for number in range(HOSTS)]
        with self.database.transaction():
            queued = self.frontier.sow(seeds).queued
            self.frontier.flush()
        self.web.known = HOSTS
        for url in queued:
            self.queues.add(url, self.now)
        self._load()

    def grow(self, known: int) -> None:
        """Make outlinks known until there are so many URLs, in large transactions; not timed."""
        source = CrawlURL(1, made_up(0), "https://docs0.example.org")
        while self.web.known < known:
            with self.database.transaction():
                links = [
                    (Kind.LINK, made_up(number))
                    for number in range(self.web.known, min(known, self.web.known + 10_000))
                ]
                self.web.known += len(links)
                queued = list(self.frontier.discover(source, links))
                self.frontier.flush()
            for url in queued:
                self.queues.add(url, self.now)

    def pages(self, count: int) -> None:
        """Choose pages, find their outlinks, and note how they ended: the frontier's part of ``count`` pages."""
        for start in range(0, count, BATCH):
            number = min(BATCH, count - start)
            links = [self.web.outlinks(OUTLINKS) for _ in range(number)]
            began = time.process_time()
            sources = [self._next() for _ in range(number)]
            chosen = time.process_time()
            with self.database.transaction():
                queued: list[CrawlURL] = []
                for source, outlinks in zip(sources, links, strict=True):
                    queued.extend(self.frontier.discover(source, outlinks))
                    self.frontier.finish(source, Outcome.OK)
                self.frontier.flush()
            added = time.process_time()
            for url in queued:
                self.queues.add(url, self.now)
            self.adding += added - chosen
            self.choosing += time.process_time() - added + chosen - began

    def _next(self) -> CrawlURL:
        while not isinstance(turn := self.queues.next(self.now), CrawlURL):
            self._load()
        if self.queues.hungry:
            self._load()
        self.queues.sent(turn.host, self.now)
        self.queues.done(turn, self.now)
        return turn

    def _load(self) -> None:
        for want in list(self.queues.wants()):
            if want.after:
                self.queues.loaded(want.host, self.frontier.load(want), self.now)
            else:
                stored: StoredHost = self.frontier.open(want)
                self.queues.open(HostQueue(want.host, 0.0), stored.urls, stored.queued, self.now)


@dataclass(frozen=True, slots=True)
class Growth:
    """What the frontier costs at one size, µs of CPU."""

    known: int
    outlink: float
    """Per outlink: known or not, and stored where not. How the page ended is in it."""
    choice: float
    """Per page: which URL is next, with what comes back from disk."""
    page: float
    """Per page: both."""


def growth(folder: Path, sizes: list[int], config: Config) -> Iterator[Growth]:
    """Measure the cost at each size."""
    for size in sizes:
        window = max(BATCH, min(size, _LEAST) // OUTLINKS // BATCH * BATCH)  # a size must stay about what it is
        adding = choosing = 0.0
        rounds = max(1, _LEAST // (window * OUTLINKS))
        for attempt in range(rounds):
            rehearsal = Rehearsal(folder / f"{size}-{attempt}", config)
            rehearsal.sow()
            rehearsal.grow(size)
            rehearsal.pages(BATCH)  # the first statements are compiled here
            rehearsal.adding = rehearsal.choosing = 0.0
            rehearsal.pages(window)
            rehearsal.database.close()
            adding, choosing = adding + rehearsal.adding, choosing + rehearsal.choosing
        pages = window * rounds
        each = 1e6 / pages
        yield Growth(size, adding * each / OUTLINKS, choosing * each, (adding + choosing) * each)
