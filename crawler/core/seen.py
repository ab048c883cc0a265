"""The seen set: which fingerprints are known, in about 13 bytes each.

256 shards, each an open-addressed table (linear probing, Knuth 6.4 algorithm L) in an ``array('q')``, chosen by the
lowest eight bits of the fingerprint.
A full shard grows alone, by half, so no single call moves more than a 256th of the set;
the shards start with different capacities and thus grow at different times, so the bytes per URL stay even.

Fingerprints are *signed* 64-bit integers, as :mod:`crawler.core.fingerprint` makes them and SQLite keeps them.
They are taken to be evenly spread: a keyed hash sees to that, and nobody can craft a crowd without the key.
An empty slot holds 0, so whether the fingerprint 0 is known is kept apart.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

_SHARDS = 256
_GROWTH = 1.5
_LOAD = 0.75
"""The share of slots in use at which a shard grows; past it, probes become long."""
_SMALLEST = 16
_MASK = (1 << 28) - 1
"""The bits that choose the slot; Python divides integers below 2**30 fastest."""


class Seen:
    """A set of signed 64-bit fingerprints that only grows."""

    __slots__ = ("_has_zero", "_room", "_tables")

    def __init__(self, expected: int = 0) -> None:
        """Make an empty set with room for about ``expected`` fingerprints, so that a restart need not grow it."""
        least = max(_SMALLEST, int(expected / _SHARDS * 1.05 / _LOAD))
        capacities = [int(least * _GROWTH ** (shard / _SHARDS)) for shard in range(_SHARDS)]
        self._tables = [_empty(capacity) for capacity in capacities]
        self._room = [int(capacity * _LOAD) for capacity in capacities]
        self._has_zero = False

    def add(self, fingerprint: int) -> bool:
        """Add a fingerprint; True if it is new.

        Raises:
            OverflowError: it is not a signed 64-bit integer.
        """
        shard = fingerprint & 255
        table = self._tables[shard]
        slot = (fingerprint >> 8 & _MASK) % len(table)
        # Probes go down: a negative index wraps round by itself, and a free slot is always there to end them.
        while found := table[slot]:
            if found == fingerprint:
                return False
            slot -= 1
        if not fingerprint:
            return self._add_zero()
        table[slot] = fingerprint
        room = self._room
        room[shard] -= 1
        if not room[shard]:
            self._grow(shard)
        return True

    def update(self, fingerprints: Iterable[int]) -> None:
        """Add many fingerprints, such as those that a database kept."""
        add = self.add
        for fingerprint in fingerprints:
            add(fingerprint)

    def __contains__(self, fingerprint: int) -> bool:
        table = self._tables[fingerprint & 255]
        slot = (fingerprint >> 8 & _MASK) % len(table)
        while found := table[slot]:
            if found == fingerprint:
                return True
            slot -= 1
        return self._has_zero and not fingerprint

    def __len__(self) -> int:
        free = sum(self._room)
        return sum(int(len(table) * _LOAD) for table in self._tables) - free + self._has_zero

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use, the tables' own overhead included."""
        return sum(map(sys.getsizeof, self._tables)) + sys.getsizeof(self._tables) + sys.getsizeof(self._room)

    def _add_zero(self) -> bool:
        new = not self._has_zero
        self._has_zero = True
        return new

    def _grow(self, shard: int) -> None:
        old = self._tables[shard]
        size = int(len(old) * _GROWTH) + 1
        table = _empty(size)
        mask = _MASK
        for fingerprint in filter(None, old):
            slot = (fingerprint >> 8 & mask) % size
            while table[slot]:
                slot -= 1
            table[slot] = fingerprint
        self._tables[shard] = table
        self._room[shard] += int(size * _LOAD) - int(len(old) * _LOAD)


def _empty(capacity: int) -> array[int]:
    return array("q", (0,)) * capacity
