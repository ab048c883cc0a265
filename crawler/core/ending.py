"""The end of a crawl that many shards share: found by counting what they do, never by waiting a while.

Theory of operation
-------------------
A shard that has nothing to do may get something to do at any moment, from another that still works,
or from a parcel that is on its way. The shards are looked at one after another, so no look is a picture of one instant.
But each counts its commits, and whatever happens to it is among them: a page that ends, a seed, a parcel posted,
a parcel received, a parcel let go of.

A *wave* looks at all shards once. The crawl has ended if, in two waves of which the second began when the first was
over, every shard *rested*, and was the same process with the same count: then nothing has happened to any of them from
its first look to its second, and all these spans have an instant in common, between the waves.
At that instant nobody works, and nothing is on its way: a parcel stays in its sender's outbox until the receiver has it
for good, and a shard rests only if its outbox is empty.

Where folders may be lost, a shard rests only if its last snapshot holds all of it, and lets go of a parcel only when
the receiver's last snapshot holds that. So a shard that is lost after the end comes back as it was at the end.

When all have come to rest, nothing changes any count, so two waves later the end is found.

Source: after the four counter method of Mattern, Algorithms for distributed termination detection, 1987, §4. Each
shard's commits are compared instead of sums of messages: a count that is rolled back might make sums agree by chance.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Sight(Struct, frozen=True):
    """A shard at one look."""

    rests: bool
    """Whether it has nothing to do (no page in flight, no URL queued, no seed to sow, nothing being received), nothing
    for others that they do not have for good, and nothing that a loss of its folder would undo."""
    process: str
    """Which one it is: a name that no two processes of any shard have in common."""
    commits: int
    """How often something became durable in this process."""


class Waves:
    """Judges wave after wave. A wave must have ended before the next one begins."""

    def __init__(self) -> None:
        self._before: tuple[Sight | None, ...] = ()

    def see(self, sights: Sequence[Sight | None]) -> bool:
        """Take note of a wave, and tell whether the crawl has ended.

        Args:
            sights: one per shard; None for a shard that did not answer, with which no crawl has ended.
        """
        before, self._before = self._before, tuple(sights)
        return all(sight is not None and sight.rests for sight in sights) and before == self._before
