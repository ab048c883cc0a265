"""The aiohttp client, tuned once.

Theory of operation
-------------------
aiohttp parses HTTP and keeps connections; everything that decides is ours.
Redirects, cookies, decompression, retries and time limits of the client are off: each has its own place in the crawler.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.resolver import AsyncResolver
from yarl import URL

from crawler.config import Access, Fetch
from crawler.core.records import CrawlURL
from crawler.core.url import host_key
from crawler.net.access import Logins
from crawler.net.exchange import Exchange
from crawler.net.guard import Guard
from crawler.net.proxy import Names, proxy_of
from crawler.net.request import DNS_TTL, KEEP_ALIVE, MOST_ADDRESSES, RequestHeaders, room_for_connections, tls_context
from crawler.net.wire import Wire, current

MAX_HEADER_LINE = 64 * 1024
MAX_HEADERS = 1_000
_READ_SIZE = 256 * 1024


class _Connector(aiohttp.TCPConnector):
    def __init__(self, guard: Guard, *, loop: asyncio.AbstractEventLoop, room: int, **options: Any) -> None:
        super().__init__(loop=loop, limit=room, **options)
        self._factory = self._wire  # type: ignore[assignment]  # called without arguments, as aiohttp's partial is
        self._guard = guard
        self._room = room
        self.lookups = 0
        self._kept: dict[ResponseHandler, None] = {}
        """Connections that nobody uses, in the order in which they were kept; some may be closed by now."""

    def _wire(self) -> Wire:
        # Called when TCP has connected, before TLS; where a proxy opens a tunnel, a second time within that.
        exchange, wire = current.get(), Wire(self._loop)
        exchange.handshaking = exchange.let_through or not exchange.proxy
        if not exchange.handshaking:
            wire.expect_head(0)  # the proxy's answer to CONNECT
        return wire

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109  aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        assert isinstance(protocol, Wire)  # noqa: S101  the factory above makes nothing else
        self._kept.pop(protocol, None)
        exchange = current.get()
        protocol.expect_head(exchange.settings.max_body)
        exchange.connected(protocol)
        return connection

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        make = partial(super()._create_connection, req, traces, timeout)
        return await current.get().connection(make, lambda: self._let_go(len(self._kept)))

    async def _start_tls_connection(self, *arguments: Any, **options: Any) -> Any:
        current.get().let_through = True  # the proxy has opened a tunnel
        return await super()._start_tls_connection(*arguments, **options)

    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        exchange = current.get()
        paused = exchange.paused()
        await super()._wait_for_available_connection(key, traces)
        exchange.resumed(paused)

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        loop, exchange = asyncio.get_running_loop(), current.get()
        began = loop.time()
        exchange.resolving = not exchange.proxy  # else the name is the proxy's
        addresses = await self.resolved(host, port, traces)
        exchange.resolving = False
        exchange.dns += loop.time() - began
        exchange.found(self._guard, host, [address["host"] for address in addresses])
        # Where a name stands for private addresses too, what the others say is what is to be told.
        return [one for one in addresses if exchange.may_reach(self._guard, one["host"])] or addresses

    async def resolved(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        """Return the addresses of a host that are worth a try, in their order."""
        addresses = await super()._resolve_host(host, port, traces)
        six = [address for address in addresses if ":" in address["host"]]
        four = [address for address in addresses if ":" not in address["host"]]
        return six[:MOST_ADDRESSES] + four[:MOST_ADDRESSES]

    async def _resolve_host_with_throttle(self, *arguments: Any) -> list[ResolveResult]:
        self.lookups += 1  # what aiohttp has in its cache does not come this far
        return await super()._resolve_host_with_throttle(*arguments)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, Wire) and protocol.transport is not None:
            protocol.expect_nothing()
            self._kept[protocol] = None
            if 0 < self._room < len(self._kept):
                self._let_go(1)

    def _let_go(self, count: int) -> None:
        for protocol in list(self._kept)[:count]:
            del self._kept[protocol]
            protocol.close()


class Session:
    """One client for a whole crawl: ``async with Session(...) as session``.

    To make one blocks for some 50 ms, in which the certificates to trust are read; to open it does not.

    Args:
        settings: how pages are requested.
        access: proxy, log-ins and client certificates.
        resolver: looks up names; by default by c-ares.

    Raises:
        ConfigError: one of the settings cannot be used.
    """

    def __init__(
        self,
        settings: Fetch,
        access: Access = Access(),  # noqa: B008  frozen
        *,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        # aiohttp has read the system's authorities when it was imported, and that takes 20 ms of CPU each time.
        self._tls = tls_context(settings.ca_file) if settings.ca_file else True
        self._logins = Logins(access, settings.ca_file)
        self.headers = RequestHeaders(settings, self._logins.headers)
        self.proxy = proxy_of(access.proxy)
        self._guard = Guard(settings.allow_private)
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._resolver = self._resolver or AsyncResolver()
        self._connector = _Connector(
            self._guard,
            loop=asyncio.get_running_loop(),
            room=room_for_connections(),
            resolver=self._resolver,
            ttl_dns_cache=DNS_TTL,
            keepalive_timeout=KEEP_ALIVE,
            ssl=self._tls,
            socket_factory=self._socket,
        )
        self.client = aiohttp.ClientSession(
            connector=self._connector,
            headers=self.headers.open,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            read_bufsize=_READ_SIZE,
            max_line_size=MAX_HEADER_LINE,
            max_field_size=MAX_HEADER_LINE,
            max_headers=MAX_HEADERS,
        )
        self._names = Names(self._look_up, trusted_for=DNS_TTL)
        # A second request that nobody asked for would break the host's delay; there is no public switch.
        self.client._retry_connection = False  # noqa: SLF001
        return self

    async def locate(self, url: str) -> str:
        """Return the IP address at which a URL's host would be asked first; empty if there is none."""
        addresses = await (self._look_up(url) if self.proxy is None else self._names.addresses(url))
        return next(iter(addresses), "")

    async def _look_up(self, url: str) -> tuple[str, ...]:
        where = URL(url, encoded=True)
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                found = await self._connector.resolved(where.raw_host or "", where.port or 0)
        except (OSError, TimeoutError):
            return ()
        return tuple(address["host"] for address in found)

    async def get(self, source: CrawlURL, exchange: Exchange, asked: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Send the request for a URL, and return its answer as soon as the header is complete."""
        url, proxy = URL(source.url, encoded=True), self.proxy
        headers = self.headers.private_to(source, trusted=exchange.trusted)
        options: dict[str, Any] = {}
        if (tls := self._logins.tls(host_key(source.url))) is not None:
            options["ssl"] = tls
        if proxy is not None:
            exchange.proxy = proxy.name
            await self._names.check(source.url, exchange, self._guard)
            options["proxy"] = proxy.url
            if url.scheme == "https":
                options["proxy_headers"] = proxy.headers
            else:
                headers = {**headers, **proxy.headers}
        answer = await self.client.get(url, headers={**headers, **asked} or None, allow_redirects=False, **options)
        if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and proxy is not None and url.scheme == "http":
            answer.close()
            raise aiohttp.ClientHttpProxyError(
                answer.request_info, (), status=answer.status, message=answer.reason or ""
            )
        return answer

    @property
    def lookups(self) -> int:
        """Questions to the name servers so far."""
        return self._connector.lookups

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        made = current.get().new_socket(self._guard, address)
        self.connections += 1
        return made

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        if self._resolver is not None:
            await self._resolver.close()
