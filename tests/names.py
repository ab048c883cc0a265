"""A name server on loopback that fails and lies as its zone tells it (RFC 1035, just enough of it)."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, TypeAlias

import pytest
from aiodns import DNSResolver
from aiohttp.resolver import AsyncResolver

from crawler.net import names, session

Addresses: TypeAlias = Iterable[str]
Zone: TypeAlias = Callable[[str, int], "Addresses | int | None"]
"""Name and number of the look-up, from 1 → addresses, or an RCODE, or None for silence.

A name among the addresses is what the name before it is an alias of. Nothing may be remembered: each TTL is 0.
"""

SERVFAIL, NXDOMAIN = 2, 3
_A, _CNAME, _AAAA, _IN = 1, 5, 28, 1


class NameServer:
    """Answers A and AAAA over UDP, from a thread: ``with NameServer(zone) as names``."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve, name="names")

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
            bell.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    @property
    def _options(self) -> dict[str, Any]:
        # Not ``lookups`` nor ``domains``: pycares 5.2 frees these strings while they are still in use.
        return {"nameservers": ["127.0.0.1"], "udp_port": self.port, "tcp_port": self.port, "timeout": 5.0, "tries": 2}

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Let both HTTP clients ask this server and nobody else."""
        patch.setattr(session, "AsyncResolver", lambda: AsyncResolver(**self._options))
        patch.setattr(names, "DNSResolver", lambda: DNSResolver(**self._options))

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(512)
            if not data:
                return
            reply = self._answer(data)
            if reply:
                self._socket.sendto(reply, peer)

    def _answer(self, data: bytes) -> bytes:
        name, kind, question = _question(data)
        if kind == _A:
            self.asked.append(name)
        found = self._zone(name, self.asked.count(name))
        if found is None:
            return b""
        code, told = (found, ()) if isinstance(found, int) else (0, found)
        records = list(_records(question[:-4], kind, told))
        return data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question + b"".join(records)


def _records(name: bytes, kind: int, told: Iterable[str]) -> Iterator[bytes]:
    """Write what is told of a name, as far as it answers a question of that kind."""
    for one in told:
        try:
            address = ipaddress.ip_address(one)
        except ValueError:
            alias = b"".join(bytes([len(label)]) + label.encode("ascii") for label in one.split(".")) + b"\0"
            yield name + struct.pack(">HHIH", _CNAME, _IN, 0, len(alias)) + alias
            name = alias
            continue
        if address.version == (4 if kind == _A else 6):
            yield name + struct.pack(">HHIH", kind, _IN, 0, len(address.packed)) + address.packed


def _question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), kind, data[12 : at + 5]
