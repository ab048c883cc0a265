"""Connections that nobody uses, kept for the next request to the same origin."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What can be kept."""

    origin: str
    """Scheme, host and port: what it is kept for."""

    def close(self) -> None:
        """Hang up."""


_Kept = TypeVar("_Kept", bound=Closable)


class Pool(Generic[_Kept]):
    """Keep connections for a while, and not too many.

    Args:
        room: how many are kept at most; the oldest goes first. 0 is no limit.
        patience: seconds that one is kept.
    """

    def __init__(self, *, room: int, patience: float) -> None:
        self._room = room
        self._patience = patience
        self._kept: OrderedDict[_Kept, float] = OrderedDict()
        """With the loop time until which they are kept, so in the order in which they go."""
        self._by_origin: dict[str, list[_Kept]] = {}
        self._loop = asyncio.get_running_loop()
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, one: _Kept) -> None:
        """Keep a connection."""
        self._kept[one] = self._loop.time() + self._patience
        self._by_origin.setdefault(one.origin, []).append(one)
        if 0 < self._room < len(self._kept):
            self.let_go(1)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._patience, self._let_go_of_old)

    def take(self, origin: str) -> _Kept | None:
        """Hand out the connection to an origin that was used last."""
        kept = self._by_origin.get(origin)
        if not kept:
            return None
        one = kept[-1]
        self.forget(one)
        return one

    def forget(self, one: _Kept) -> None:
        """Take note that a connection is closed or in use, if it was kept at all."""
        if self._kept.pop(one, None) is None:
            return
        kept = self._by_origin[one.origin]
        kept.remove(one)
        if not kept:
            del self._by_origin[one.origin]

    def let_go(self, count: int | None = None) -> None:
        """Hang up the oldest so many connections, or all."""
        for one in list(self._kept)[:count]:
            self.forget(one)
            one.close()

    def close(self) -> None:
        """Hang up all, and keep no more."""
        self.let_go()
        if self._sweep is not None:
            self._sweep.cancel()

    def _let_go_of_old(self) -> None:
        now = self._loop.time()
        self.let_go(sum(1 for until in self._kept.values() if until <= now))
        oldest = next(iter(self._kept.values()), None)
        self._sweep = None if oldest is None else self._loop.call_at(oldest, self._let_go_of_old)
