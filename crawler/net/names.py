"""Names to addresses, asked of the name servers by aiodns, and remembered for a while."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeAlias

from aiodns import DNSResolver

from crawler.net.request import DNS_TTL, MOST_ADDRESSES

Address: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]
"""As ``getaddrinfo`` returns it."""
_MOST_NAMES = 10_000
"""Names that are remembered; the one that was looked up first is forgotten first."""


class Names:
    """The addresses of hosts.

    Two requests that want the same name at once share one question.
    """

    def __init__(self) -> None:
        self._resolver = DNSResolver()
        self._known: OrderedDict[tuple[str, int], tuple[float, list[Address]]] = OrderedDict()
        self._asking: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}
        self.lookups = 0
        """Questions to the name servers so far."""

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, IPv6 first, a few of each family; an address is its own.

        Raises:
            aiodns.error.DNSError: it has none, or nobody could say.
        """
        if (literal := _literal(host, port)) is not None:
            return [literal]
        key, loop = (host, port), asyncio.get_running_loop()
        known = self._known.get(key)
        if known is not None and loop.time() < known[0]:
            return known[1]
        if (asking := self._asking.get(key)) is None:
            self.lookups += 1
            asking = self._asking[key] = asyncio.ensure_future(self._ask(host, port))
            asking.add_done_callback(partial(self._asked, key))
        # Who gives up waiting must not take the answer from the others.
        found = await asyncio.shield(asking)
        self._known[key] = loop.time() + DNS_TTL, found
        self._known.move_to_end(key)
        if len(self._known) > _MOST_NAMES:
            self._known.popitem(last=False)
        return found

    def _asked(self, key: tuple[str, int], asking: asyncio.Future[list[Address]]) -> None:
        del self._asking[key]
        if not asking.cancelled():
            asking.exception()  # there may be nobody left who waits for it

    async def _ask(self, host: str, port: int) -> list[Address]:
        answer = await self._resolver.getaddrinfo(
            host, port=port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG, family=socket.AF_UNSPEC
        )
        found: dict[int, list[Address]] = {socket.AF_INET6: [], socket.AF_INET: []}
        for node in answer.nodes:
            where = (node.addr[0].decode("ascii"), *node.addr[1:])
            found[node.family].append((node.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where))
        return [one for of_family in found.values() for one in of_family[:MOST_ADDRESSES]]

    async def close(self) -> None:
        """Ask no more."""
        for asking in self._asking.values():
            asking.cancel()
        await self._resolver.close()


def _literal(host: str, port: int) -> Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if address.version == 6:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)
