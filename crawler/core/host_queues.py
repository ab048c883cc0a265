"""Which URL comes next: a queue per host, and the time at which its next fetch may begin.

Theory of operation
-------------------
A host is *due* when it has a URL in memory, a free place (``per_host``), and its delay has passed.
Due hosts stand in a heap, the one that takes longest first, since it ends last: most URLs left, times the delay.
Those that have shown no page yet may be of any size; they stand in a heap of their own and count as average,
so that a large one is found in time. Hosts that will be due stand in a third heap, by that time.
So a slot is only ever taken by a host that is due, and a slow host never blocks another.
A due host whose IP address has no place for another request is parked there, see :mod:`crawler.core.addresses`.

The delay runs from the moment a request is *sent* (not asked for: a connection may take its time),
and while one is about to be sent no other of that host is handed out.
One owner reserves it, so there is no moment between checking and taking.

Memory holds a bounded part of the frontier, see :mod:`crawler.core.window`.

Time is Unix seconds and an argument, here as everywhere in the core.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from math import inf

from msgspec import Struct

from crawler.core.addresses import Addresses
from crawler.core.host_queue import HostQueue
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.core.robots import Robots
from crawler.core.window import Window


class Wait(Struct, frozen=True):
    """Nothing is due before ``until``, Unix seconds."""

    until: float


class Again(Struct, frozen=True):
    """Finished URLs of a host that have been queued again; they are on disk."""

    host: str
    count: int


class HostQueues:
    """Hand out the next URL whose host may be asked now.

    Args:
        delay: seconds between two requests to a host, where its robots.txt does not ask for more.
        per_host: requests in flight at one host, at most.
        per_address: requests in flight at one IP address, at most, or ``per_host`` where that is more; 0 is no limit.
        robots: whether each host's robots.txt comes before its first page.
        window: URLs in memory, at most; every host may have a few even when that is exceeded.
        most_hosts: hosts in memory, at most.
        fair: whether the host that was asked least comes first, so that what a limit allows is shared evenly.
        longest: seconds that nothing can have to wait; a time further ahead was stored before the clock was set back.
    """

    def __init__(  # noqa: PLR0913  the numbers that bound it, all by name
        self,
        *,
        delay: float,
        per_host: int,
        robots: bool,
        per_address: int = 0,
        window: int = 65_536,
        most_hosts: int = 4_096,
        fair: bool = False,
        longest: float = inf,
    ) -> None:
        self.delay = delay
        self.per_host = per_host
        self.addresses = Addresses(max(per_address, per_host) if per_address else 0)
        self.robots = robots
        self.fair = fair
        self.longest = longest
        self.hosts: dict[str, HostQueue] = {}
        self.window = Window(self.hosts, urls=window, most_hosts=most_hosts)
        self._soon: list[tuple[float, int, HostQueue]] = []
        self._ready: list[tuple[float, int, HostQueue]] = []
        self._unseen: list[tuple[float, int, HostQueue]] = []
        self._shown = self._known = 0
        """Hosts that have shown a page, and URLs ever queued of these."""
        self._sequence = 0

    # what there is

    def __len__(self) -> int:
        return sum(queue.left for queue in self.hosts.values())

    @property
    def drained(self) -> bool:
        """Whether no URL is waiting anywhere, in memory or on disk."""
        return self.window.complete and all(queue.idle for queue in self.hosts.values())

    def ready_hosts(self, now: float) -> int:
        """Count the hosts that could be asked at this moment."""
        return sum(queue.scheduled <= now for queue in self.hosts.values())

    # URLs coming in

    def add(self, url: CrawlURL, now: float) -> None:
        """Take note of a URL that has just become queued in the frontier."""
        queue = self.hosts.get(url.host)
        if queue is None:
            self.window.met(url.host)
            return
        queue.known += 1
        self._known += queue.shown
        if self.window.has_room(queue):
            self._take(queue, url, now)

    def again(self, urls: Again, now: float) -> None:
        """Take note of URLs that have become queued again."""
        queue = self.hosts.get(urls.host)
        if queue is None:
            self.window.met(urls.host)
            return
        queue.known += urls.count
        self._known += urls.count * queue.shown
        self.window.fell_behind(queue, urls.count)
        self._schedule(queue, now)

    def open(self, queue: HostQueue, urls: Iterable[CrawlURL], queued: int, now: float) -> None:
        """Bring a host into memory, with its first URLs.

        Args:
            queue: its clock and rules as they were stored.
            urls: the first of its queued URLs, in order.
            queued: how many it has in all.
            now: Unix seconds.
        """
        self.window.opened(queue)
        queue.backlog = queue.known = queued
        queue.next_at = min(queue.next_at, now + self.longest)
        self._load(queue, urls, now)

    def loaded(self, host: str, urls: Iterable[CrawlURL], now: float) -> None:
        """Take the URLs that the window asked for."""
        queue, before = self.hosts[host], self.hosts[host].backlog
        queue.loading = False
        self._load(queue, urls, now)
        if queue.behind and queue.backlog == before:  # what is left lies before the cursor
            self.window.ran_dry(queue)

    def retry(self, url: CrawlURL, now: float) -> None:
        """Take back a URL that is to be tried again at ``url.due``."""
        queue = self.hosts[url.host]
        heappush(queue.later, (url.due, url.id, url))
        self._schedule(queue, now)

    # URLs going out

    def next(self, now: float) -> CrawlURL | Wait | None:
        """Hand out a due URL, or say how long to wait, or None if nothing in memory can become due by itself."""
        while self._soon and self._soon[0][0] <= now:
            due, _, queue = heappop(self._soon)
            if queue.scheduled == due:
                self._sequence += 1
                heappush(self._ready if queue.shown or self.fair else self._unseen, self._order(queue))
        while self._ready or self._unseen:
            queue = heappop(self._longest())[2]
            if queue.scheduled > now or queue.due(self.per_host, now) > now:
                continue
            if queue.refusal is None and self.addresses.full(queue):
                queue.scheduled = inf
                self.addresses.park(queue)
                continue
            return self._hand_out(queue, now)
        while self._soon and self._soon[0][2].scheduled != self._soon[0][0]:
            heappop(self._soon)
        return Wait(self._soon[0][0]) if self._soon else None

    def sent(self, host: str, now: float) -> None:
        """Start the host's delay: a request to it has just gone out."""
        queue = self.hosts[host]
        queue.smallest_gap = min(queue.smallest_gap, now - queue.last_sent)
        queue.last_sent = now
        queue.requests += 1
        queue.unsent = max(0, queue.unsent - 1)
        queue.next_at = max(queue.next_at, now + queue.delay)
        self._schedule(queue, now)

    def done(self, url: CrawlURL, now: float, *, sent: bool = True) -> None:
        """Free the host's place: a fetch has ended. ``sent`` is False if no request ever went out."""
        queue = self.hosts[url.host]
        self._leave(queue, now)
        if not sent:
            queue.unsent = max(0, queue.unsent - 1)
        queue.free_since = now
        if url.kind is Kind.ROBOTS:
            queue.asking_robots = False
        elif not queue.shown:
            queue.shown = True
            self._shown, self._known = self._shown + 1, self._known + queue.known
        self._schedule(queue, now)

    def finished(self, host: str) -> None:
        """Take note that a turn is over, its page committed. Before that the page is queued on disk still.

        A host that is let go of earlier would come back from there with it, and the page would be fetched twice.
        """
        queue = self.hosts[host]
        queue.unfinished -= 1
        self.window.turn_back(queue)

    def located(self, host: str, address: str, now: float) -> None:
        """Take note of the IP address at which a host is; what it has in flight counts there."""
        queue = self.hosts[host]
        if not self.addresses.most or (queue.address is not None and queue.address.name == address):
            return
        for other in self.addresses.move(queue, address):
            self._schedule(other, now)

    def crowded(self, host: str) -> bool:
        """Tell whether more is in flight at the host's address than may be."""
        address = self.hosts[host].address
        return address is not None and address.in_flight > self.addresses.most

    def give_back(self, url: CrawlURL, now: float) -> None:
        """Take back a URL that was handed out, and of which nothing was asked; its host comes up again."""
        queue = self.hosts[url.host]
        self._leave(queue, now)
        queue.unsent = max(0, queue.unsent - 1)
        queue.free_since = now
        if url.kind is Kind.ROBOTS:
            queue.asking_robots = False
        else:
            queue.waiting.appendleft(url)
        self._schedule(queue, now)

    def hold(self, host: str, until: float, now: float) -> None:
        """Leave a host alone until then: it asked for that, or it fails."""
        queue = self.hosts[host]
        queue.held_until = until
        queue.next_at = max(queue.next_at, until)
        self._schedule(queue, now)

    def obey(self, host: str, rules: Robots, *, delay: float, until: float, now: float) -> None:
        """Take the host's robots.txt into account.

        Args:
            host: its key.
            rules: what it allows.
            delay: seconds between two requests, already capped; ours holds where it is longer.
            until: Unix seconds up to which the rules may be trusted.
            now: Unix seconds.
        """
        queue = self.hosts[host]
        queue.rules = rules
        queue.robots_delay = rules.crawl_delay
        queue.robots_until = until
        queue.delay = max(self.delay, delay)
        queue.next_at = max(queue.next_at, queue.last_sent + queue.delay)
        self._schedule(queue, now)

    def give_up(self, host: str, refusal: tuple[Outcome, str], now: float) -> None:
        """Hand out what is left of a host without asking it again: each URL then ends for this reason."""
        queue = self.hosts[host]
        queue.refusal = refusal
        queue.robots_until = inf
        queue.next_at = now
        self._schedule(queue, now)

    # inside

    def _load(self, queue: HostQueue, urls: Iterable[CrawlURL], now: float) -> None:
        for url in urls:
            queue.backlog -= 1
            self._take(queue, url, now)
        self.window.thirst(queue)

    def _take(self, queue: HostQueue, url: CrawlURL, now: float) -> None:
        queue.cursor = max(queue.cursor, url.id)
        if url.due > now:
            heappush(queue.later, (min(url.due, now + self.longest), url.id, url))
        else:
            if not queue.waiting and not queue.in_flight:
                queue.free_since = now
            queue.waiting.append(url)
        self._schedule(queue, now)

    def _leave(self, queue: HostQueue, now: float) -> None:
        """Free a place at the host, and at its address, where those who have waited for one come up."""
        queue.in_flight -= 1
        if queue.address is None:
            return
        queue.address.in_flight -= 1
        while (other := self.addresses.freed(queue.address)) is not None:
            other.next_at = max(other.next_at, now)  # so long it waited out of politeness, not for a slot
            self._schedule(other, now)
            if other.scheduled <= now:
                return  # one place, one host; those that are not due yet were only in its way

    def _schedule(self, queue: HostQueue, now: float) -> None:
        due = inf if queue.parked and queue.refusal is None else queue.due(self.per_host, now)
        if due != queue.scheduled:
            queue.scheduled = due
            if due != inf:
                self._sequence += 1
                heappush(self._soon, (due, self._sequence, queue))

    def _order(self, queue: HostQueue) -> tuple[float, int, HostQueue]:
        """Return what due hosts are sorted by: the one that takes longest first, or the one that was asked least."""
        if self.fair:
            return (queue.requests + queue.unsent, self._sequence, queue)
        left = queue.left + (queue.requests > 0)  # whose robots.txt is known shows its size sooner
        return (-left * (queue.delay or 1.0), self._sequence, queue)

    def _longest(self) -> list[tuple[float, int, HostQueue]]:
        """Return the heap whose first host takes longer; one that has shown no page is of average size at least."""
        if not self._ready or not self._unseen:
            return self._ready or self._unseen
        order, _, queue = self._unseen[0]
        average = self._known / max(1, self._shown) * (queue.delay or 1.0)
        return self._ready if self._ready[0][0] < min(order, -average) else self._unseen

    def _hand_out(self, queue: HostQueue, now: float) -> CrawlURL:
        due = min(queue.scheduled, now)  # later than its delay if its only URL is one that is tried again
        queue.polite_wait += max(0.0, min(queue.next_at, due) - queue.free_since)
        queue.slot_wait += now - max(queue.free_since, due)
        queue.free_since = now
        queue.in_flight += 1
        queue.unfinished += 1
        if queue.address is not None:
            queue.address.in_flight += 1
        queue.unsent += 1
        queue.scheduled = inf
        if self.robots and queue.robots_until <= now:
            queue.asking_robots = True
            return CrawlURL(id=0, url=f"{queue.key}/robots.txt", host=queue.key, kind=Kind.ROBOTS)
        if queue.later and queue.later[0][0] <= now:
            url = heappop(queue.later)[2]
        else:
            url = queue.waiting.popleft()
            self.window.thirst(queue)
        self._schedule(queue, now)
        return url
