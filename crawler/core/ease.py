"""How many requests a host takes at a time before it slows down.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), as in TCP: an answer that comes much later than the
host can do it halves what may be in flight there, an answer in time allows a part of one more.
A lone request shows what the host can do. Nothing under a second counts as slow, for the loop itself may be late.
"""

from __future__ import annotations

from math import inf

SLOW = 1.0
"""Seconds within which any answer is in time..."""
TIMES = 3.0
"""...and how many times the host's own time an answer may take."""


class Ease:
    """What one host may have in flight."""

    __slots__ = ("_best", "_earlier", "allowed", "least")

    def __init__(self) -> None:
        self.allowed = inf
        """Requests in flight; infinity until the host has slowed down once."""
        self.least = 0
        """The fewest requests at a time that it was brought down to; 0 if it never slowed down."""
        self._best = inf
        self._earlier = 0
        """Requests still in flight that went out before the last cut: they tell of the time before it."""

    def see(self, waited: float, in_flight: int) -> None:
        """Take an answer into account.

        Args:
            waited: seconds from the request to the answer's header.
            in_flight: the host's requests in flight, this one included.
        """
        # Alone, it was as fast as it can be now: a host that has become slow for good is measured by what it is.
        self._best = waited if in_flight <= 1 else min(self._best, waited)
        if self._earlier:
            self._earlier -= 1
        elif waited > max(SLOW, TIMES * self._best):
            self.allowed = max(1.0, in_flight / 2)
            self.least = min(self.least or in_flight, int(self.allowed))
            self._earlier = in_flight - 1
        elif self.allowed < inf:
            self.allowed += 1.0 / self.allowed
