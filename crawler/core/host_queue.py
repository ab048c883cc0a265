"""One host: its waiting URLs, its clock, its robots.txt, and how it behaved."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct, field

from crawler.core.ease import Ease
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL
from crawler.core.robots import Robots

if TYPE_CHECKING:
    from crawler.core.addresses import Address


class HostQueue(Struct, eq=False):
    """What is known of one host while the crawl has it in memory."""

    key: str
    delay: float
    trusted: bool = False
    """Whether a seed names it, so that its address may be private."""
    address: Address | None = None
    """Where it is; None before it is known, or if it need not be."""
    parked: bool = False
    """Whether it waits for a place at its address."""
    rules: Robots | None = None
    """Its robots.txt; None before it is known."""
    refusal: tuple[Outcome, str] | None = None
    """Why none of its pages can be fetched in this run."""
    has_robots: bool = False
    """Whether there is a robots.txt at all."""
    robots_attempts: int = 0
    robots_delay: float | None = None
    """Seconds its robots.txt asks for."""
    robots_until: float = 0.0
    """Unix seconds until which its robots.txt is trusted; 0.0 before it was ever asked for."""
    next_at: float = 0.0
    waiting: deque[CrawlURL] = field(default_factory=deque)
    later: list[tuple[float, int, CrawlURL]] = field(default_factory=list)
    """A heap of URLs to be tried again, by time."""
    backlog: int = 0
    known: int = 0
    """URLs of it that were ever queued while it was in memory."""
    shown: bool = False
    """Whether one of its pages has been fetched: before that, nobody knows how many there are."""
    cursor: int = 0
    behind: bool = False
    """Whether rows before the cursor have been queued again."""
    dry: bool = False
    """Whether the backlog is only of these."""
    loading: bool = False
    in_flight: int = 0
    ease: Ease = field(default_factory=Ease)
    unfinished: int = 0
    """Its turns that are not over: a page counts as queued on disk until its commit."""
    unsent: int = 0
    asking_robots: bool = False
    failures: int = 0
    """Failures in a row that speak of the host, not of a page."""
    held_until: float = 0.0
    scheduled: float = inf
    free_since: float = 0.0
    last_sent: float = -inf
    smallest_gap: float = inf
    requests: int = 0
    rate_limited: int = 0
    polite_wait: float = 0.0
    """Seconds it had URLs and a free place, but its delay had not passed."""
    slot_wait: float = 0.0
    """Seconds it was due, but all slots were taken."""

    @property
    def waited(self) -> float:
        """Seconds it had URLs and was not asked for one, though it could have taken a request."""
        return self.polite_wait + self.slot_wait

    @property
    def left(self) -> int:
        """URLs still to be fetched, in memory and on disk."""
        return len(self.waiting) + len(self.later) + self.backlog

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do for it."""
        return not (self.in_flight or self.waiting or self.later or self.backlog or self.loading)

    def places(self, per_host: int) -> float:
        """Return how many more requests may be in flight there: fewer than ``per_host`` where it has slowed down."""
        return min(per_host, int(self.ease.allowed) if self.ease.least else per_host) - self.in_flight

    def due(self, per_host: int, now: float) -> float:
        """Return the time at which its next fetch may begin; infinity while something must happen first."""
        if self.places(per_host) <= 0 or self.asking_robots:
            return inf
        if self.delay and self.unsent and self.refusal is None:
            return inf
        if self.waiting:
            return self.next_at
        if not self.later:
            return inf
        return max(self.next_at, self.later[0][0]) if self.later[0][0] > now else self.next_at
