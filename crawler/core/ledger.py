"""What each stage of each page cost: waiting, running and CPU time, as streaming histograms.

A histogram has eight buckets to a doubling, from 1 µs to 12 days, so a quantile is within 9 % of the truth
while adding a number costs a few bit operations and memory never grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_FINE = 3  # bits kept below the highest one: 2**3 buckets to a doubling
_BUCKETS = (40 + 1) << _FINE


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


def _middle(bucket: int) -> float:
    shift = max(0, (bucket >> _FINE) - 1)
    low = bucket - (shift << _FINE) if shift else bucket
    return (low + 0.5) * (1 << shift) if shift else float(low)


@dataclass(slots=True)
class Stage:
    """What one stage has cost so far, seconds."""

    name: str
    place: str
    waiting: Histogram = field(default_factory=Histogram)
    running: Histogram = field(default_factory=Histogram)
    whole: Histogram = field(default_factory=Histogram)
    cpu: float = 0.0

    def add(self, waiting: float, running: float, cpu: float = 0.0) -> None:
        """Count one call."""
        self.waiting.add(waiting)
        self.running.add(running)
        self.whole.add(waiting + running)
        self.cpu += cpu


@dataclass(slots=True)
class Ledger:
    """The stages of a page's way, and the whole way."""

    connect: Stage = field(default_factory=lambda: Stage("connect", "loop"))
    """Waiting is DNS, running is connection and TLS; reused connections do not count."""
    fetch: Stage = field(default_factory=lambda: Stage("fetch", "loop"))
    """Waiting is the time to the header, running the time of the body."""
    parse: Stage = field(default_factory=lambda: Stage("parse", "process"))
    mirror: Stage = field(default_factory=lambda: Stage("mirror", "thread"))
    commit: Stage = field(default_factory=lambda: Stage("commit", "thread"))
    latency: Histogram = field(default_factory=Histogram)
    """From the request being sent to the last byte of the body."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, in the order of a page's way."""
        return (self.connect, self.fetch, self.parse, self.mirror, self.commit)
