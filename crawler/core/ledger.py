"""What each stage of each page cost, and what the feed, which starts pages, was doing meanwhile.

A histogram has eight buckets to a doubling, from 1 µs to 12 days, so a quantile is within 9 % of the truth
while adding a number costs a few bit operations and memory never grows.

The feed is in exactly one state at any time, so the seconds spent in each add up to the crawl:
what it mostly waits for is what holds the crawl back (see ``verdict.py``).
Time is an argument: seconds by any clock that is never set back.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct, field

from crawler.core.records import Timings

_FINE = 3  # bits kept below the highest one: 2**3 buckets to a doubling
_BUCKETS = (40 + 1) << _FINE
_COARSE = 4  # buckets that are told as one


class Histogram:
    """A distribution of durations, seconds.

    Source: the log-linear buckets of HdrHistogram (G. Tene), with one significant octal digit.
    """

    __slots__ = ("_counts", "count", "largest", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.total = 0.0
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; what is negative (a clock was set back) counts as nothing."""
        micros = int(seconds * 1e6)
        shift = micros.bit_length() - _FINE - 1
        bucket = (shift << _FINE) + (micros >> shift) if shift > 0 else max(0, micros)
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self.count += 1
        self.total += seconds
        self.largest = max(self.largest, seconds)

    def quantile(self, share: float) -> float:
        """Return the duration, seconds, that ``share`` (0..1) of all do not exceed; 0.0 without any."""
        wanted, seen = share * self.count, 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(self.largest, _middle(bucket) / 1e6)
        return self.largest

    def spread(self) -> Iterator[tuple[float, int]]:
        """Return bounds, seconds, two to a doubling, and how many durations lie between each and the one before."""
        for first in range(0, _BUCKETS, _COARSE):
            yield _end(first + _COARSE - 1) / 1e6, sum(self._counts[first : first + _COARSE])


def _end(bucket: int) -> int:
    shift = max(0, (bucket >> _FINE) - 1)
    return (bucket - (shift << _FINE) + 1) << shift


def _middle(bucket: int) -> float:
    shift = max(0, (bucket >> _FINE) - 1)
    low = bucket - (shift << _FINE) if shift else bucket
    return (low + 0.5) * (1 << shift) if shift else float(low)


class Stage(Struct):
    """What one stage has cost so far, seconds."""

    name: str
    place: str
    waiting: Histogram = field(default_factory=Histogram)
    running: Histogram = field(default_factory=Histogram)
    whole: Histogram = field(default_factory=Histogram)
    cpu: float = 0.0
    inside: int = 0
    """Calls that have been entered and not yet counted."""
    batches: int = 0
    """Batches of calls, where its place takes many at once."""
    other: float = 0.0
    """Seconds for which its place was busy with other work than these calls."""

    def enter(self) -> None:
        """Take note of a call that has begun and will be counted when it ends."""
        self.inside += 1

    def leave(self, waiting: float, running: float, cpu: float = 0.0) -> None:
        """Count a call that was entered."""
        self.inside -= 1
        self.add(waiting, running, cpu)

    def add(self, waiting: float, running: float, cpu: float = 0.0) -> None:
        """Count one call."""
        self.waiting.add(waiting)
        self.running.add(running)
        self.whole.add(waiting + running)
        self.cpu += cpu


class Feed(IntEnum):
    """What the feed can be doing: working, or waiting, and then for what."""

    WORKING = 0
    """It asks what comes next and starts pages."""
    SLOTS = 1
    """All fetch slots are taken."""
    PARSE = 2
    """As many pages are on their way as there may be, and most of them are in parse."""
    MIRROR = 3
    COMMIT = 4
    CALLER = 5
    """The same, and most of them wait until the caller takes them."""
    WAIT = 6
    """URLs are waiting, and a moment is known at which the first of their hosts may be asked."""
    IDLE = 7
    """Nothing can be asked for before a page in flight has brought something about."""
    CLOSING = 8
    """Enough pages for a limit are on their way."""


class FeedClock:
    """Adds up the time that the feed spends in each state."""

    __slots__ = ("_since", "_spent", "ended", "state")

    def __init__(self) -> None:
        self._spent = [0.0] * len(Feed)
        self._since: float | None = None
        self.state = Feed.WORKING
        self.ended = False
        """Whether no further page will be started."""

    def enter(self, state: Feed, now: float) -> None:
        """Take note that the feed is in another state from now on."""
        if self._since is not None:
            self._spent[self.state] += now - self._since
        self._since = now
        self.state = state

    def end(self, now: float) -> None:
        """Take note that no further page will be started."""
        self.enter(Feed.CLOSING, now)
        self.ended = True

    def spent(self, now: float) -> tuple[float, ...]:
        """Return the seconds in each state, in the order of :class:`Feed`."""
        if self._since is not None:
            self.enter(self.state, now)
        return tuple(self._spent)


class Requests(Struct):
    """All requests of pages, those that failed too, and what they waited for, seconds."""

    sent: int = 0
    dns: float = 0.0
    connect: float = 0.0
    """TCP and TLS."""
    first_byte: float = 0.0
    body: float = 0.0
    connections: int = 0
    """Requests for which a connection was made."""
    handshakes: int = 0
    """Those of them with TLS."""
    answered: int = 0
    """Requests that an answer came to, other than 429 and 503."""
    rate_limited: int = 0
    """Answers 429 and 503."""

    def add(self, timings: Timings, *, tls: bool, answered: bool, rate_limited: bool) -> None:
        """Count one request that went out."""
        self.sent += 1
        self.answered += answered and not rate_limited
        self.first_byte += timings.first_byte
        self.body += timings.body
        self.rate_limited += rate_limited
        if not timings.reused:
            self.connections += 1
            self.handshakes += tls
            self.dns += timings.dns
            self.connect += timings.connect


class Ledger(Struct):
    """The stages of a page's way, the whole way, and the feed at its beginning."""

    connect: Stage = field(default_factory=lambda: Stage("connect", "loop"))
    """Waiting is DNS, running is connection and TLS; reused connections do not count."""
    fetch: Stage = field(default_factory=lambda: Stage("fetch", "loop"))
    """Waiting is the time to the header, running the time of the body."""
    parse: Stage = field(default_factory=lambda: Stage("parse", "process"))
    extract: Stage = field(default_factory=lambda: Stage("extract", "process"))
    """The user's function, which runs within a call of parse, and does not count for it."""
    mirror: Stage = field(default_factory=lambda: Stage("mirror", "thread"))
    commit: Stage = field(default_factory=lambda: Stage("commit", "thread"))
    latency: Histogram = field(default_factory=Histogram)
    """From the request being sent to the last byte of the body."""
    requests: Requests = field(default_factory=Requests)
    feed: FeedClock = field(default_factory=FeedClock)
    fetching: int = 0
    """Pages that are being fetched at this moment; further on, each stage knows its own."""
    delivering: int = 0
    """Pages that wait until the caller takes them."""

    @property
    def backlog(self) -> Feed:
        """The place beyond fetch in which most pages are at this moment."""
        most, place = self.parse.inside, Feed.PARSE
        if self.mirror.inside > most:
            most, place = self.mirror.inside, Feed.MIRROR
        if self.commit.inside > most:
            most, place = self.commit.inside, Feed.COMMIT
        return Feed.CALLER if self.delivering > most else place

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, in the order of a page's way."""
        return (self.connect, self.fetch, self.parse, self.extract, self.mirror, self.commit)
