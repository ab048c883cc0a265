"""Which shard owns what: virtual shards, dealt out over the shards of a cluster.

The hosts of a registrable domain belong to one of 4,096 virtual shards for ever
(:func:`crawler.core.url.virtual_shard`); a virtual shard belongs to one shard as long as their number stays the same.
By rendezvous hashing, the owner of a virtual shard is the shard that, hashed together with it, gives the greatest
number. So when the number of shards changes, whole virtual shards move and nothing is hashed anew:
from N to N + 1 shards, only to the new one, and about one in N + 1 does; back again, only from the one that leaves.

Source: Thaler and Ravishankar, Using Name-Based Mappings to Increase Hit Rates, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

from crawler.core.url import SHARDS, host_name, virtual_shard

Assignment: TypeAlias = tuple[int, ...]
"""The owner, 0..N-1, of each of the 4,096 virtual shards."""

MOST_SHARDS = 1_024
"""More would leave some without a virtual shard."""
_MOST_CACHED = 65_536


@lru_cache(maxsize=16)
def assign(shards: int) -> Assignment:
    """Deal the virtual shards out over so many shards; the same number always gives the same assignment.

    It takes a microsecond for each pair of a virtual shard and a shard.

    Raises:
        ValueError: there are no shards, or too many.
    """
    if not 1 <= shards <= MOST_SHARDS:
        raise ValueError(f"{shards} is not a number of shards from 1 to {MOST_SHARDS:,}")
    return tuple(_owner(virtual, shards) for virtual in range(SHARDS))


def _owner(virtual: int, shards: int) -> int:
    state = blake2b(virtual.to_bytes(2, "big"), digest_size=8)
    weights: list[bytes] = []
    for shard in range(shards):
        pair = state.copy()
        pair.update(shard.to_bytes(2, "big"))
        weights.append(pair.digest())
    return weights.index(max(weights))


def moved(before: Assignment, after: Assignment) -> dict[int, tuple[int, int]]:
    """Return the virtual shards that change hands, each with its owner before and after."""
    pairs = enumerate(zip(before, after, strict=True))
    return {virtual: (one, other) for virtual, (one, other) in pairs if one != other}


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of a crawl that several shards share, in one run of it."""

    number: int
    """0..N-1."""
    assignment: Assignment
    run: int
    """Of the whole crawl, from 1: what is counted of the exchange is counted from the beginning of a run."""
    key: bytes
    """Of the fingerprints: the same for all, so that URLs can move from one to another as they are stored."""
    round: int = 0
    """The round of the crawl that the run is to begin, if it is to begin one."""
    life: int = 0
    """Which of its lives this is, where its folder may be lost; see :mod:`crawler.core.exchange`."""


class Territory:
    """What one shard owns, asked by URL.

    Args:
        assignment: of all virtual shards.
        shard: the one whose territory it is.
    """

    __slots__ = ("_assignment", "_shard", "_virtual")

    def __init__(self, assignment: Assignment, shard: int) -> None:
        self._assignment = assignment
        self._shard = shard
        self._virtual: dict[str, int] = {}
        """By host name: a page's outlinks lead to few hosts, and finding a registrable domain takes microseconds."""

    def elsewhere(self, url: str) -> int | None:
        """Return the virtual shard of a URL, or of a host key, that another shard owns; None if this one does."""
        virtual = self.virtual(url)
        return None if self._assignment[virtual] == self._shard else virtual

    def owner(self, url: str) -> int:
        """Return the shard that owns a URL."""
        return self._assignment[self.virtual(url)]

    def owner_of(self, virtual: int) -> int:
        """Return the shard that owns a virtual shard."""
        return self._assignment[virtual]

    def virtual(self, url: str) -> int:
        """Return the virtual shard of a URL."""
        name = host_name(url)
        virtual = self._virtual.get(name)
        if virtual is None:
            if len(self._virtual) >= _MOST_CACHED:
                self._virtual.clear()
            virtual = self._virtual[name] = virtual_shard(name)
        return virtual
