"""The end of a crawl that many shards share: found by counting what they send each other, never by waiting a while.

Theory of operation
-------------------
A shard that has nothing to do may get something to do at any moment, from another that still works,
or from a parcel that is on its way. The shards are looked at one after another, so no look is a picture of one instant.
But each counts the parcels it has ever sent, and those it has ever received, and these counts only grow.
A *wave* looks at all shards once. The crawl has ended if, in two waves of which the second began when the first was
over, every shard was idle, and the four sums (sent and received, of both waves) are equal:
then what was sent by the end of the first wave had been received by its beginning,
so there was an instant between the waves at which nothing was on its way, and nobody was there to send anything.

The counts are stored with what they count, a parcel sent in the commit of its page and a parcel received in the
commit of its URLs, so a shard that dies and comes back counts on.

Source: Mattern, Algorithms for distributed termination detection, 1987, §4 (the four counter method).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Sight(Struct, frozen=True):
    """A shard at one look."""

    idle: bool
    """Whether it has nothing to do: no page in flight, no URL queued, no seed to sow, nothing being received."""
    sent: int
    """Parcels for other shards, ever, whether or not they have arrived yet."""
    received: int
    """Parcels of other shards, ever."""


class Waves:
    """Judges wave after wave. A wave must have ended before the next one begins."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None

    def see(self, sights: Sequence[Sight | None]) -> bool:
        """Take note of a wave, and tell whether the crawl has ended.

        Args:
            sights: one per shard; None for a shard that did not answer, with which no crawl has ended.
        """
        seen = [sight for sight in sights if sight is not None and sight.idle]
        before, self._before = self._before, None
        if len(seen) < len(sights):
            return False
        now = sum(sight.sent for sight in seen), sum(sight.received for sight in seen)
        self._before = now
        return before == now and now[0] == now[1]
