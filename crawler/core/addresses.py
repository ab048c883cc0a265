"""How many requests are in flight at one IP address, whatever the names of the hosts there.

Ten thousand names may stand for one machine (a wildcard in DNS, shared hosting); a delay per host spares it nothing.
A host whose address has no place is *parked*: it comes up again when a request there has ended.
"""

from __future__ import annotations

from collections import deque
from weakref import WeakValueDictionary

from crawler.core.host_queue import HostQueue


class Address:
    """One IP address: requests in flight at it, and hosts that wait for a place."""

    __slots__ = ("__weakref__", "in_flight", "name", "parked")

    def __init__(self, name: str) -> None:
        self.name = name
        self.in_flight = 0
        self.parked: deque[HostQueue] = deque()


class Addresses:
    """All addresses at which hosts in memory are.

    Args:
        most: requests in flight at one address, at most; 0 is no limit.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: WeakValueDictionary[str, Address] = WeakValueDictionary()

    def move(self, queue: HostQueue, name: str) -> deque[HostQueue]:
        """Take note of where a host is; return the hosts that may come up since it is no longer where it was."""
        old, new = queue.address, self._known.get(name)
        if new is None:
            new = self._known[name] = Address(name)
        queue.address = new
        new.in_flight += queue.in_flight
        freed: deque[HostQueue] = deque()
        if old is not None:
            old.in_flight -= queue.in_flight
            freed, old.parked = old.parked, freed
        for one in freed:
            one.parked = False
        return freed

    def full(self, queue: HostQueue) -> bool:
        """Tell whether there is no place for a further request at the host's address."""
        return queue.address is not None and queue.address.in_flight >= self.most

    def park(self, queue: HostQueue) -> None:
        """Let a host wait for a place at its address, which is full."""
        assert queue.address is not None  # noqa: S101  an unknown address is never full
        queue.parked = True
        queue.address.parked.append(queue)

    def freed(self, address: Address) -> HostQueue | None:
        """Return the host that has waited longest, if there is a place for it now."""
        if not address.parked or address.in_flight >= self.most:
            return None
        queue = address.parked.popleft()
        queue.parked = False
        return queue
