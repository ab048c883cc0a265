"""How a crawl went over time, in memory that does not grow with it.

A reading is what the meters have counted so far, so a slot of time is the difference of two readings,
and to make slots coarser is to drop the readings between them: nothing is added up, and no sum is ever lost.
When there are too many, every other one goes and the slots become twice as long.
So a crawl of a minute and one of a month are told by about as many slots, all of nearly the same length.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec.structs import replace

from crawler.core.evidence import Reading, between

MOST = 120
"""Slots, at most; half as many at least, once there have been as many."""
FINEST = 0.2
"""Seconds that a slot covers at first."""


class Timeline:
    """Readings of a crawl in the order of time, of which only so many are kept.

    Args:
        most: slots, at most; an even number.
        finest: seconds from one reading that is kept to the next, at first.
    """

    def __init__(self, most: int = MOST, finest: float = FINEST) -> None:
        self._most = most
        self._step = finest
        self._kept: list[Reading] = []
        self._last: Reading | None = None

    def see(self, reading: Reading) -> None:
        """Take note of a reading, later than all before."""
        self._last = reading
        if self._kept and reading.at - self._kept[-1].at < self._step:
            return
        self._kept.append(replace(reading, blamed={}))  # by far the largest part, and of no use here
        if len(self._kept) > self._most:
            self._kept = self._kept[::2]
            self._step *= 2

    def slots(self) -> Iterator[tuple[float, Reading]]:
        """Return, slot by slot, the seconds from the first reading to its beginning, and what was used up in it.

        Together they cover all that was seen; the last one may be shorter than the others.
        """
        readings = self._kept
        if self._last is not None and self._last.at > readings[-1].at:
            readings = [*readings, replace(self._last, blamed={})]
        for earlier, later in pairwise(readings):
            yield earlier.at - readings[0].at, between(earlier, later)
