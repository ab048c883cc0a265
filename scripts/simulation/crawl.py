"""A crawl of a made-up web by many shards, second by second, without a network.

Who owns what is decided by the crawler's own rules (virtual shards and rendezvous hashing); each shard serves its
hosts as the crawler does, the one with most URLs left first, one request a delay, and never more pages a second than
one loop can. A page shows further pages of its host, and leads to others: to a front page, and to a page anywhere.
What leads to another shard is sent there, once for each shard that finds it.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from crawler.core.exchange import LONGEST_WAIT, MOST_URLS
from crawler.core.shards import assign
from scripts.simulation.web import SyntheticWeb

TICK = 10
"""Seconds that are simulated at once."""
SHOWN = 8
"""Pages of its own host that a page leads to and nothing has led to before."""
SEEDS = 10
"""One host in so many is a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated; times are seconds."""

    shards: int
    delay: float = 1.0
    rate: int = 500
    """Pages a second that one shard can do."""
    seed: int = 1
    shards_per_node: int = 8
    loss_every: float = 0.0
    """From one loss of a node to the next; 0.0 is never."""
    snapshot_every: float = 300.0
    restore: float = 30.0
    """From the loss of a node until its shards go on elsewhere, besides the bringing back of their folders."""
    page_bytes: int = 10_000
    """In the archive."""
    bandwidth: float = 100e6
    """Bytes a second at which one shard's folder is brought back."""

    @property
    def nodes(self) -> int:
        """Machines that the shards are on."""
        return -(-self.shards // self.shards_per_node)


class Skew(NamedTuple):
    """How unevenly something lies on the shards."""

    done: float
    """The share of all pages that was done at that moment."""
    by_mean: float
    """What the fullest shard has, as a multiple of the mean."""
    one_host: float
    """Which share of that its largest host has."""


@dataclass(slots=True)
class Course:
    """What came of a plan."""

    pages: int = 0
    """Different pages that were fetched."""
    seconds: float = 0.0
    bound: float = 0.0
    """Seconds that no crawl of the same pages can beat: by politeness, or by what the shards can do."""
    polite_bound: float = 0.0
    owned: float = 0.0
    """What the shard with most pages has, as a multiple of the mean."""
    left: list[Skew] = field(default_factory=list)
    links: int = 0
    """That led to another host."""
    sent: int = 0
    """URLs that went to another shard."""
    batches: float = 0.0
    losses: int = 0
    again: int = 0
    """Pages that were fetched and lost."""
    down: float = 0.0
    """Seconds that shards were away, all together."""


def batches_of(urls: int, seconds: int) -> float:
    """Return how many batches carry so many URLs of one shard to another, which come at random within some seconds.

    A batch leaves a second after its first URL, or when it is full; so after each one passes, on average,
    that second and the time until the next URL comes.
    """
    return max(urls / (1.0 + urls * LONGEST_WAIT / seconds), urls / MOST_URLS)


class Simulation:
    """One crawl; :meth:`run` makes it."""

    def __init__(self, web: SyntheticWeb, plan: Plan) -> None:
        self._web = web
        self._plan = plan
        self._rng = random.Random(f"crawl {plan.seed}")  # noqa: S311  no secret
        owners = assign(plan.shards)
        self._owner = array("H", [owners[virtual] for virtual in web.virtual])
        self._known = bytearray(web.pages)
        self._queued = array("I", [0]) * web.hosts
        self._shown = array("Q", web.first[:-1])
        """The first page of each host that may be unknown still."""
        self._left = array("Q", (web.first[host + 1] - web.first[host] for host in range(web.hosts)))
        self._waits = bytearray(web.hosts)
        """Whether a host stands in a heap."""
        self._heaps: list[list[tuple[int, int]]] = [[] for _ in range(plan.shards)]
        self._posted = bytearray(web.hosts * plan.shards // 8 + 1)
        """Whether a shard has sent the front page of a host."""
        self._pairs: dict[int, int] = {}
        self._since: list[dict[int, int]] = [{} for _ in range(plan.shards)]
        self._snapshots = [0] * plan.shards
        self._until = [0.0] * plan.shards
        self._archive = [0] * plan.shards
        self._moments = [0.5, 0.9, 0.99]
        self.course = Course()

    def run(self) -> Course:
        """Crawl to the end."""
        course, plan = self.course, self._plan
        for host in range(0, self._web.hosts, SEEDS):
            self._find(self._web.first[host])
        now, loss = 0.0, self._next_loss(0.0)
        reachable = self._web.pages
        while self._work_left(now):
            if plan.loss_every and now >= loss:
                self._lose(now)
                loss = self._next_loss(loss - loss % plan.loss_every + plan.loss_every)
            for shard in range(plan.shards):
                if self._heaps[shard] and self._until[shard] <= now:
                    self._serve(shard, now)
            for urls, pairs in Counter(self._pairs.values()).items():
                course.batches += pairs * batches_of(urls, TICK)
            self._pairs.clear()
            now += TICK
            if self._moments and course.pages >= self._moments[0] * reachable:
                course.left.append(self._skew(self._moments.pop(0)))
        return self._closed(now)

    def _next_loss(self, window: float) -> float:
        return window + self._rng.random() * self._plan.loss_every

    def _work_left(self, now: float) -> bool:
        return any(self._heaps) or any(until > now for until in self._until)

    def _find(self, page: int) -> None:
        """Make a page known to the shard that owns it."""
        if self._known[page]:
            return
        self._known[page] = 1
        host = self._web.host[page]
        self._queued[host] += 1
        if not self._waits[host]:
            self._waits[host] = 1
            heappush(self._heaps[self._owner[host]], (-1, host))

    def _serve(self, shard: int, now: float) -> None:
        """Let a shard work for one tick."""
        plan, heap, queued = self._plan, self._heaps[shard], self._queued
        room, turn = plan.rate * TICK, max(1, int(TICK / plan.delay))
        since = self._lately(shard, now) if plan.loss_every else None
        served: list[int] = []
        while heap and room > 0:
            host = heappop(heap)[1]
            pages = min(queued[host], turn, room)
            room -= pages
            queued[host] -= pages
            self._left[host] -= pages
            self._archive[shard] += pages
            self.course.pages += pages
            if since is not None:
                since[host] = since.get(host, 0) + pages
            self._show(host, pages * SHOWN)
            self._lead(shard, pages)
            served.append(host)
        for host in served:
            if queued[host]:
                heappush(heap, (-queued[host], host))
            else:
                self._waits[host] = 0

    def _lately(self, shard: int, now: float) -> dict[int, int]:
        """Return the pages of each host that no snapshot of the shard has; shards take them in turn."""
        snapshots = int((now + 37 * shard) // self._plan.snapshot_every)
        if snapshots != self._snapshots[shard]:
            self._snapshots[shard] = snapshots
            self._since[shard].clear()
        return self._since[shard]

    def _show(self, host: int, most: int) -> None:
        """Make further pages of a host known."""
        known, page, end = self._known, self._shown[host], self._web.first[host + 1]
        found = 0
        while page < end and found < most:
            if not known[page]:
                known[page] = 1
                found += 1
            page += 1
        self._shown[host] = page
        self._queued[host] += found

    def _lead(self, shard: int, pages: int) -> None:
        """Follow the links of pages to other hosts: two of each, to a front page and to a page anywhere."""
        rng, hosts, owner, known = self._rng.random, self._web.host, self._owner, self._known
        total, first, posted, shards = len(hosts), self._web.first, self._posted, self._plan.shards
        pairs, base, sent = self._pairs, shard * shards, 0
        for _ in range(pages):
            deep = int(rng() * total)
            front = hosts[int(rng() * total)]
            there = owner[front]
            if there != shard:
                bit = front * shards + shard
                if not posted[bit >> 3] >> (bit & 7) & 1:
                    posted[bit >> 3] |= 1 << (bit & 7)
                    pairs[base + there] = pairs.get(base + there, 0) + 1
                    sent += 1
            if not known[first[front]]:
                self._find(first[front])
            there = owner[hosts[deep]]
            if there != shard:
                pairs[base + there] = pairs.get(base + there, 0) + 1
                sent += 1
            if not known[deep]:
                self._find(deep)
        self.course.sent += sent
        self.course.links += 2 * pages

    def _lose(self, now: float) -> None:
        """Lose a node: its shards go on elsewhere from their last snapshots."""
        plan, course = self._plan, self.course
        nodes = plan.nodes
        node = self._rng.randrange(nodes)
        course.losses += 1
        for shard in range(node, plan.shards, nodes):
            until = now + plan.restore + self._archive[shard] * plan.page_bytes / plan.bandwidth
            course.down += until - max(now, self._until[shard])
            self._until[shard] = until
            for host, pages in self._lately(shard, now).items():
                self._queued[host] += pages
                self._left[host] += pages
                course.again += pages
                course.pages -= pages
                self._archive[shard] -= pages
                if not self._waits[host]:
                    self._waits[host] = 1
                    heappush(self._heaps[shard], (-self._queued[host], host))
            self._since[shard].clear()

    def _skew(self, done: float) -> Skew:
        """Look at what is left, and where."""
        left = [0] * self._plan.shards
        for host, pages in enumerate(self._left):
            left[self._owner[host]] += pages
        fullest = max(range(len(left)), key=left.__getitem__)
        largest = max((pages for host, pages in enumerate(self._left) if self._owner[host] == fullest), default=0)
        mean = sum(left) / len(left)
        return Skew(done, left[fullest] / mean if mean else 1.0, largest / max(1, left[fullest]))

    def _closed(self, now: float) -> Course:
        course, plan, web = self.course, self._plan, self._web
        owned, longest = [0] * plan.shards, 0
        for host in range(web.hosts):
            fetched = web.first[host + 1] - web.first[host] - self._left[host]
            owned[self._owner[host]] += fetched
            longest = max(longest, fetched)
        course.seconds = now
        course.polite_bound = longest * plan.delay
        course.bound = max(course.polite_bound, course.pages / (plan.rate * plan.shards))
        course.owned = max(owned) * plan.shards / max(1, sum(owned))
        return course
