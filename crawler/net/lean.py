"""The lean client: HTTP/1.1 over asyncio, with nothing in it that the crawler does not use.

Theory of operation
-------------------
A :class:`LeanSession` gives a request a connection: one that is kept from an earlier request to the same origin,
or a new one, by way of the name server, the guard (every address that is connected to) and TLS.
The answer is read by :mod:`crawler.core.http_reader`.
Who has had his answer gives the connection back, and it is kept if the answer was whole and the server agrees.

It stands beside aiohttp behind the same seam and passes the same scenarios; see ``docs/decisions``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Self

from aiodns.error import DNSError
from aiohappyeyeballs import start_connection
from msgspec import Struct

from crawler.config import Access, Fetch
from crawler.core.records import CrawlURL
from crawler.core.url import host_key, host_name
from crawler.errors import ConfigError
from crawler.net.access import Logins
from crawler.net.connection import Connection
from crawler.net.exchange import Exchange
from crawler.net.guard import Guard
from crawler.net.names import Names
from crawler.net.pool import Pool
from crawler.net.request import KEEP_ALIVE, RequestHeaders, room_for_connections, tls_context

_NEXT_ADDRESS_AFTER = 0.25
"""Seconds that an address has to answer before the next one is tried beside it (RFC 8305 §8)."""


class Origin(Struct, frozen=True):
    """Whom to connect to for a URL."""

    key: str
    """Scheme, host and port, as :func:`crawler.core.url.host_key` writes them."""
    host: str
    port: int
    tls: bool
    authority: bytes
    """What the Host field says (RFC 9110 §7.2)."""

    @staticmethod
    def of(url: str) -> Origin:
        """Return whom to connect to for a URL."""
        return _origin(host_key(url))


@lru_cache(maxsize=4096)
def _origin(key: str) -> Origin:
    scheme, _, authority = key.partition("://")
    port = authority.rpartition(":")[2] if not authority.endswith("]") and ":" in authority else ""
    tls = scheme == "https"
    return Origin(key, host_name(key), int(port or (443 if tls else 80)), tls, authority.encode("ascii"))


class LeanSession:
    """One client for a whole crawl: ``async with LeanSession(...) as session``.

    To make one blocks for some 50 ms, in which the certificates to trust are read; to open it does not.

    Args:
        settings: how pages are requested.
        access: log-ins and client certificates.

    Raises:
        ConfigError: one of the settings cannot be used; a proxy is one of them.
    """

    def __init__(self, settings: Fetch, access: Access = Access()) -> None:  # noqa: B008  frozen
        if access.proxy:
            raise ConfigError("fetch.client: the lean client knows no proxy; use aiohttp")
        self._settings = settings
        self._logins = Logins(access, settings.ca_file)
        self._tls = tls_context(settings.ca_file)
        self.headers = RequestHeaders(settings, self._logins.headers)
        self._guard = Guard(settings.allow_private)
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._names = Names()
        room = room_for_connections()
        self._places = asyncio.Semaphore(room) if room else None
        self._pool: Pool[Connection] = Pool(room=room, patience=KEEP_ALIVE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.close()
        await self._names.close()

    @property
    def lookups(self) -> int:
        """Questions to the name servers so far."""
        return self._names.lookups

    async def locate(self, url: str) -> str:
        """Return the IP address at which a URL's host would be asked first; empty if there is none."""
        origin = Origin.of(url)
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                found = await self._names.addresses(origin.host, origin.port)
        except (DNSError, TimeoutError):
            return ""
        return next((str(address[4][0]) for address in found), "")

    def request(
        self, origin: Origin, source: CrawlURL, asked: Mapping[str, str], *, trusted: bool
    ) -> tuple[bytes, bytes]:
        """Return the request for a URL as it is sent, and as it is archived: without what is secret."""
        start = b"GET %s HTTP/1.1\r\nHost: %s\r\n" % (source.url[len(origin.key) :].encode("ascii"), origin.authority)
        open_ = start + _lines(asked) + self.headers.tail(origin.key)
        private = self.headers.private_to(source, trusted=trusted)
        return (start + _lines(private) + open_[len(start) :], open_) if private else (open_, open_)

    async def connection(self, origin: Origin, exchange: Exchange) -> Connection:
        """Return a connection over which a request can be sent now; give it back by :meth:`release`.

        Raises:
            Exception: it cannot be made; :func:`crawler.net.failures.failure` has a name for it.
        """
        if self._places is not None:
            await self._place(self._places, exchange)
        try:
            if (kept := self._pool.take(origin.key)) is not None:
                return kept
            return await exchange.connection(partial(self._connect, origin, exchange), self._pool.let_go)
        except BaseException:
            self._leave()
            raise

    def release(self, connection: Connection) -> None:
        """Take a connection back: keep it if it can be used again, and hang up if not."""
        self._leave()
        if connection.reusable:
            self._pool.keep(connection)
        else:
            connection.close()

    async def _place(self, places: asyncio.Semaphore, exchange: Exchange) -> None:
        if not places.locked():
            await places.acquire()
            return
        paused = exchange.paused()
        await places.acquire()
        exchange.resumed(paused)

    def _leave(self) -> None:
        if self._places is not None:
            self._places.release()

    async def _connect(self, origin: Origin, exchange: Exchange) -> Connection:
        began = self._loop.time()
        exchange.resolving = True
        addresses = await self._names.addresses(origin.host, origin.port)
        exchange.resolving = False
        exchange.dns += self._loop.time() - began
        exchange.found(self._guard, origin.host, [address[4][0] for address in addresses])
        # Where a name stands for private addresses too, what the others say is what is to be told.
        reachable = [address for address in addresses if exchange.may_reach(self._guard, address[4][0])]
        made = await start_connection(
            reachable or addresses,
            happy_eyeballs_delay=_NEXT_ADDRESS_AFTER,
            loop=self._loop,
            socket_factory=partial(self._socket, exchange),
        )
        exchange.handshaking = True
        try:
            _, connection = await self._loop.create_connection(
                partial(Connection, origin.key, self._settings.max_body, self._pool.forget),
                sock=made,
                ssl=(self._logins.tls(origin.key) or self._tls) if origin.tls else None,
                server_hostname=origin.host.rstrip(".") if origin.tls else None,
            )
        except BaseException:
            with contextlib.suppress(OSError):
                made.close()  # where the loop did not come so far as to take it over
            raise
        return connection

    def _socket(self, exchange: Exchange, address: tuple[Any, ...]) -> socket.socket:
        made = exchange.new_socket(self._guard, address)
        self.connections += 1
        return made


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode("utf-8")
