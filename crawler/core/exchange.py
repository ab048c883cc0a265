"""What shards tell each other: outlinks that belong to another shard, and when it is time to send them.

Outlinks travel in *parcels*: what one page has to say to one virtual shard.
A parcel has a number, given once by the shard that sends it, and rising.
What waits for a shard is sent in the order of these numbers, one batch of parcels at a time,
so the receiver need remember one number per sender to tell a parcel that comes again, after a lost answer or a kill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

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
