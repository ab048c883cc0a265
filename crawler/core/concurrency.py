"""How many requests may be in flight, decided from the meters of a running crawl.

Theory of operation
-------------------
More slots help only while it is slots that the feed waits for and the loop has time to spare; then they double.
Little's law tells whether that was right: if twice the slots did not bring more answers a second, requests only wait
longer for the same server or line, so the step is taken back, and the next one is tried after twice as long a rest.
Answers that come too late, or say that there were too many requests, are none, so what hurts is taken back too.
So a crawl settles at the least that is fast enough, and is disturbed ever more seldom.
What follows a step at once was asked for before it: for the time of an answer and a half nothing is judged.

A slot is taken only by a host that is due, so nothing here hurries any host; how each is treated is politeness.

Source: the slow start of TCP (Jacobson, 1988), with throughput in the place of loss as the sign to stop.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.evidence import Cause, Evidence, Reading, Rules, between

SHORTEST = 1.0
"""Seconds that are judged at a time, at least, and never less than the time of two answers..."""
FEWEST = 20
"""...nor so few answers."""
SETTLING = 1.5
"""Times of an answer until those come that were asked for after a step."""
WANTING = 0.2
"""Share of the time for which the feed waited for slots, from which more of them are tried."""
SPARE = 0.7
"""Utilisation of the loop up to which it has time for more of them."""
WORTH = 1.05
"""What twice the slots must bring, in answers a second, to be kept."""
REST = 8.0
"""Seconds after a step that was taken back until the next one; each time twice as long."""
LONGEST_REST = 600.0


class Change(Struct, frozen=True, kw_only=True):
    """A number of slots that is another one from now on, and why."""

    at: float
    """Seconds from the first reading."""
    before: int
    after: int
    cause: str


class _Step(Struct, frozen=True):
    """A step up that is not judged yet."""

    before: int
    rate: float
    """Answers a second that there were before it."""


class Concurrency:
    """The number of slots of a crawl: at least what it begins with, and never more than it may be.

    Args:
        rules: the bounds under which the crawl works; its concurrency is what it begins with, at least 1.
        most: slots, at most; never less than those at the beginning.
    """

    def __init__(self, rules: Rules, most: int) -> None:
        self._rules = rules
        self._most = max(most, rules.concurrency)
        self._first: Reading | None = None
        self._mark = Reading()
        self._step: _Step | None = None
        self._rest, self._until, self._settled = REST, 0.0, 0.0

    @property
    def slots(self) -> int:
        """How many there are now."""
        return self._rules.concurrency

    def see(self, reading: Reading) -> Change | None:
        """Decide anew.

        Args:
            reading: the meters of now, later than those of the last call.

        Returns:
            The change that is to be made, if any.
        """
        if self._first is None:
            self._first = self._mark = reading
        if reading.at < self._settled:
            self._mark = reading
            return None
        seen = Evidence(used=between(self._mark, reading), rules=self._rules)
        if seen.used.at < max(SHORTEST, 2 * _latency(seen)) or seen.used.answered < FEWEST:
            return None
        self._mark = reading
        change = self._judge(seen, reading.at)
        if change is not None:
            self._settled = reading.at + SETTLING * _latency(seen)
        return change

    def _judge(self, seen: Evidence, now: float) -> Change | None:
        rate = seen.used.answered / seen.used.at
        step, self._step = self._step, None
        if step is not None and rate < WORTH * step.rate:
            self._until = now + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
            return self._set(step.before, now, f"{rate:.0f} answers/s are no more than {step.rate:.0f} with half of it")
        if step is not None:
            self._rest = REST
        wanting, busy = seen.causes()[Cause.SLOTS], seen.loop_busy
        if wanting < WANTING or busy > SPARE or now < self._until or self.slots >= self._most:
            return None
        self._step = _Step(self.slots, rate)
        cause = f"all slots were taken {wanting:.0%} of the time, and the loop was busy {busy:.0%}"
        return self._set(2 * self.slots, now, cause)

    def _set(self, slots: int, now: float, cause: str) -> Change:
        before, after = self.slots, min(slots, self._most)
        self._rules = replace(self._rules, concurrency=after)
        began = self._first.at if self._first else now
        return Change(at=now - began, before=before, after=after, cause=cause)


def _latency(seen: Evidence) -> float:
    """Return the seconds that a request took, on average."""
    return seen.slot_time / seen.used.requests if seen.used.requests else 0.0
