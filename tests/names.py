"""A name server on loopback that fails and lies as its zone tells it (RFC 1035, just enough of it)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Self, TypeAlias

from aiohttp.resolver import AsyncResolver

Addresses: TypeAlias = Iterable[str]
Zone: TypeAlias = Callable[[str, int], "Addresses | int | None"]
"""Name and number of the look-up, from 1 → addresses, or an RCODE, or None for silence."""

SERVFAIL, NXDOMAIN = 2, 3
_A, _AAAA, _IN = 1, 28, 1


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA over UDP; ``async with NameServer(zone) as names``."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.asked: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        self._bound = bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # uvloop keeps only its number
        bound.bind(("127.0.0.1", 0))
        self.port = int(bound.getsockname()[1])
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()
            self._bound.close()

    def resolver(self) -> AsyncResolver:
        """Return a resolver that asks nobody else."""
        return AsyncResolver(
            nameservers=["127.0.0.1"],
            udp_port=self.port,
            tcp_port=self.port,
            timeout=0.3,
            tries=2,
            domains=[],
            lookups="b",
        )

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question."""
        assert self._transport is not None
        name, kind, question = _question(data)
        if kind == _A:
            self.asked.append(name)
        found = self._zone(name, self.asked.count(name))
        if found is None:
            return
        code, addresses = (found, []) if isinstance(found, int) else (0, [ipaddress.ip_address(one) for one in found])
        records = [one.packed for one in addresses if one.version == (4 if kind == _A else 6)]
        reply = data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question
        for packed in records:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", kind, _IN, 0, len(packed)) + packed
        self._transport.sendto(reply, addr)


def _question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), kind, data[12 : at + 5]
