"""What shards tell each other: outlinks that belong to another shard, and when it is time to send them.

Outlinks travel in *parcels*: what one page has to say to one virtual shard.
A parcel has a number, given once by the shard that sends it, and rising.
What waits for a shard is sent in the order of these numbers, one batch of parcels at a time,
so the receiver need remember one number per sender to tell a parcel that comes again, after a lost answer or a kill.

Where folders may be lost, a shard is brought back as its last snapshot has it, and has forgotten what came later.
So a parcel is *heard* when the receiver has committed it, but is let go of only when it is *kept*: when it would still
be there after such a loss. Each start of a shard there is a new *life*, with a higher number:

- A receiver that was brought back lacks what the sender took for heard. Each batch says after which parcel it comes,
  so the receiver finds the gap, and answers with what it has; and it says so to all others when it begins a life.
  The sender goes back to there: it has everything still that is not kept.
- A sender that was brought back gives numbers once more that it had given to other parcels. The receiver, told of a
  new life, begins to count anew, and is sent all that waits. To hear a URL twice does no harm.

Where nothing is ever lost, all lives are number 0, and what is heard is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec

MOST_URLS = 1_000
"""URLs of one batch, at most, unless a single parcel has more."""
LONGEST_WAIT = 1.0
"""Seconds that a URL waits for others to be sent with."""

Link: TypeAlias = tuple[str, int, str]
"""Kind, depth and URL."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """The outlinks of one page that belong to one virtual shard."""

    number: int
    shard: int
    """The virtual shard they belong to."""
    via: str
    """The page; empty for links of a robots.txt."""
    chain: tuple[str, ...]
    """The URLs that led to that page by redirects, or the indexes that led to a sitemap, oldest first."""
    links: tuple[Link, ...]


def due(urls: int, oldest: float, now: float, *, idle: bool) -> float:
    """Return the seconds until what waits for a shard is to be sent; 0.0 is now.

    Args:
        urls: that wait, at least one.
        oldest: when the first of them began to wait.
        now: by the same clock.
        idle: whether the sender has nothing else to do, so that waiting would gather nothing.
    """
    return 0.0 if idle or urls >= MOST_URLS else max(0.0, oldest + LONGEST_WAIT - now)


def batch(parcels: Sequence[Parcel]) -> tuple[Parcel, ...]:
    """Return the first of some parcels that make up a batch."""
    urls = 0
    for count, parcel in enumerate(parcels):
        urls += len(parcel.links)
        if count and urls > MOST_URLS:
            return tuple(parcels[:count])
    return tuple(parcels)


def unheard(parcels: Sequence[Parcel], last: int) -> tuple[Parcel, ...]:
    """Return those parcels of a sender that come after the last one heard of."""
    return tuple(parcel for parcel in parcels if parcel.number > last)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a shard remembers of a sender; it is stored with the URLs that were heard."""

    life: int = 0
    """Of the sender."""
    last: int = 0
    """The number of its last parcel in that life."""

    def next(self, life: int, after: int, parcels: Sequence[Parcel]) -> tuple[Heard, tuple[Parcel, ...]]:
        """Return what to remember when a batch has come, and which of its parcels are to be committed.

        Args:
            life: of the sender.
            after: the number of the parcel before the first of them; 0 if there is none.
            parcels: in the order of their numbers.

        Raises:
            ValueError: the sender has begun a new life, and this one is over.
        """
        if life < self.life:
            raise ValueError(f"is over: life {self.life} has been heard of")
        now = self if life == self.life else Heard(life)
        if after > now.last:
            return now, ()  # what lies between has been lost
        new = unheard(parcels, now.last)
        return (Heard(life, new[-1].number) if new else now), new


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """How much a shard has of a sender's parcels, in the life that the sender is in."""

    life: int
    """Of the shard that has them."""
    heard: int
    """The number of the last one that it has committed."""
    kept: int
    """...and of the last one that it would have if it lost its folder, as far as is known."""


@dataclass(frozen=True, slots=True)
class Way:
    """How far the parcels for one shard have come, as their sender knows; it is forgotten with the sender's life."""

    life: int = 0
    """Of the shard that they are for."""
    heard: int = 0
    """The number of the last one that it has; those after it are to be sent."""
    kept: int = 0
    """The number of the last one that need not be sent again, whatever happens."""

    def told(self, receipt: Receipt) -> Way:
        """Return what is known when a receipt has come, however late.

        In one life of a shard, what it has heard only grows. A receipt of an earlier life tells nothing of what the
        present one has; but what was kept once is kept: each life begins with the last snapshot.
        """
        kept = max(self.kept, receipt.kept)
        if receipt.life < self.life:
            return replace(self, kept=kept)
        heard = max(self.heard, receipt.heard) if receipt.life == self.life else receipt.heard
        return Way(receipt.life, max(heard, kept), kept)
