"""LOOP: gives a running crawl as many slots as turn out to be of use, and keeps a record of each change and its cause.

What is decided, and by what, is in :mod:`crawler.core.concurrency`; how far it may go is read from the machine here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from crawler.core.concurrency import Change, Concurrency
from crawler.core.evidence import Reading
from crawler.net.request import room_for_connections

_log = logging.getLogger(__name__)

MOST_SLOTS = 1_024
"""More than one loop can keep busy."""
_SHARE = 4
"""The part of the machine's memory, one in so many, that bodies which are still arriving may take."""


class Tuning:
    """Looks at each reading of the meters.

    Args:
        concurrency: the number of slots.
        resize: makes a change come true.
    """

    def __init__(self, concurrency: Concurrency, resize: Callable[[int], None]) -> None:
        self._concurrency = concurrency
        self._resize = resize
        self.changes: list[Change] = []
        """All there were, the first one first; rests that grow keep them few."""

    def see(self, reading: Reading) -> None:
        """Take a reading into account."""
        change = self._concurrency.see(reading)
        if change is not None:
            self._resize(change.after)
            self.changes.append(change)
            _log.info("concurrency %d instead of %d: %s", change.after, change.before, change.cause)


def most_slots(largest: int) -> int:
    """Return how many requests this machine can have in flight, with bodies of up to ``largest`` bytes; at least 1."""
    files = room_for_connections() or MOST_SLOTS
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SHARE
    return max(1, min(MOST_SLOTS, files, memory // max(1, largest)))
