"""The aiohttp client, tuned once.

Theory of operation
-------------------
aiohttp parses HTTP and keeps connections; everything that decides is ours.
Redirects, cookies, decompression, retries and time limits of the client are off: each has its own place in the crawler.

Connections share the process's file descriptors with the archive, the database, the workers and the caller.
So of those that are free when the crawl begins, half may be connections in use and half connections that are kept;
who must wait for one waits without his clock running.
"""

from __future__ import annotations

import asyncio
import errno
import re
import resource
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.resolver import AsyncResolver
from yarl import URL

from crawler.config import Fetch
from crawler.core.records import CrawlURL, Kind
from crawler.errors import ConfigError
from crawler.net.exchange import Wire, current
from crawler.net.guard import AddressBlocked, Guard

MAX_HEADER_LINE = 64 * 1024
MAX_HEADERS = 1_000
_DNS_TTL = 300
_KEEP_ALIVE = 30.0
_READ_SIZE = 256 * 1024
_MOST_ADDRESSES = 3
"""Of one family and host that are tried: a name with a hundred must not make us knock a hundred times."""
_SPARE_FILES = 32
_NO_FILES = (errno.EMFILE, errno.ENFILE)
_FILES_PAUSE = 0.1
_FILES_PATIENCE = 60.0
"""Seconds that a fetch waits for a file descriptor before it counts as failed."""

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
_OURS = frozenset({"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"})
"""What frames a message, and so is not for the settings to say."""
_is_name = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch
_is_value = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch


class _Connector(aiohttp.TCPConnector):
    def __init__(self, *, loop: asyncio.AbstractEventLoop, room: int, **options: Any) -> None:
        super().__init__(loop=loop, limit=room, **options)
        self._factory = self._wire  # type: ignore[assignment]  # called without arguments, as aiohttp's partial is
        self._room = room
        self.lookups = 0
        self._kept: dict[ResponseHandler, None] = {}
        """Connections that nobody uses, in the order in which they were kept; some may be closed by now."""

    def _wire(self) -> Wire:
        # Called when TCP has connected, before TLS.
        current.get().handshaking = True
        return Wire(self._loop)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109  aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        assert isinstance(protocol, Wire)  # noqa: S101  the factory above makes nothing else
        self._kept.pop(protocol, None)
        current.get().connected(protocol)
        return connection

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        exchange, loop = current.get(), asyncio.get_running_loop()
        patience = loop.time() + _FILES_PATIENCE
        while True:
            exchange.connecting()
            try:
                return await super()._create_connection(req, traces, timeout)
            except OSError:
                if not exchange.out_of_files or loop.time() > patience:
                    raise
            exchange.out_of_files = False
            paused = exchange.paused()
            self._let_go(len(self._kept))
            await asyncio.sleep(_FILES_PAUSE)
            exchange.resumed(paused)

    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        exchange = current.get()
        paused = exchange.paused()
        await super()._wait_for_available_connection(key, traces)
        exchange.resumed(paused)

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        loop, exchange = asyncio.get_running_loop(), current.get()
        began = loop.time()
        exchange.resolving = True
        addresses = await super()._resolve_host(host, port, traces)
        exchange.resolving = False
        exchange.dns += loop.time() - began
        six = [address for address in addresses if ":" in address["host"]]
        four = [address for address in addresses if ":" not in address["host"]]
        return six[:_MOST_ADDRESSES] + four[:_MOST_ADDRESSES]

    async def _resolve_host_with_throttle(self, *arguments: Any) -> list[ResolveResult]:
        self.lookups += 1  # what aiohttp has in its cache does not come this far
        return await super()._resolve_host_with_throttle(*arguments)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, Wire) and protocol.transport is not None:
            protocol.expect_nothing()
            self._kept[protocol] = None
            if len(self._kept) > self._room:
                self._let_go(1)

    def _let_go(self, count: int) -> None:
        for protocol in list(self._kept)[:count]:
            del self._kept[protocol]
            protocol.close()


class Session:
    """One client for a whole crawl: ``async with Session(...) as session``."""

    def __init__(self, settings: Fetch, resolver: AbstractResolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver
        headers = request_headers(settings)
        self.headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
        self.secrets = {name: value for name, value in headers.items() if name.lower() in _SECRET} or None
        """Only for hosts that a seed names: a redirect must not lead them elsewhere."""
        self._over_tls: set[str | None] = set()
        """Names of hosts that were sent secrets over TLS, and so get none without it."""
        self.guard = Guard(settings.allow_private, lambda: current.get().trusted)
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._resolver = self._resolver or AsyncResolver()
        self._connector = _Connector(
            loop=asyncio.get_running_loop(),
            room=room_for_connections(),
            resolver=self._resolver,
            ttl_dns_cache=_DNS_TTL,
            keepalive_timeout=_KEEP_ALIVE,
            ssl=_tls(self._settings.ca_file),
            socket_factory=self._socket,
        )
        self.client = aiohttp.ClientSession(
            connector=self._connector,
            headers=self.headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            read_bufsize=_READ_SIZE,
            max_line_size=MAX_HEADER_LINE,
            max_field_size=MAX_HEADER_LINE,
            max_headers=MAX_HEADERS,
        )
        # A second request that nobody asked for would break the host's delay; there is no public switch.
        self.client._retry_connection = False  # noqa: SLF001
        return self

    def secrets_for(self, url: URL, source: CrawlURL) -> dict[str, str] | None:
        """Return the secret headers for a host that a seed names; none where a link or a redirect gives up TLS."""
        if url.scheme == "https":
            self._over_tls.add(url.host)
        elif source.kind is not Kind.SEED and (
            url.host in self._over_tls or any(one.startswith("https:") for one in (source.via or "", *source.chain))
        ):
            return None
        return self.secrets

    @property
    def lookups(self) -> int:
        """Questions to the name servers so far."""
        return self._connector.lookups

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        exchange = current.get()
        exchange.handshaking = False
        try:
            made = self.guard.socket(address)
        except AddressBlocked:
            exchange.blocked = str(address[4][0])
            raise
        except OSError as error:
            exchange.out_of_files = error.errno in _NO_FILES
            raise
        exchange.sockets += 1
        self.connections += 1
        return made

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        if self._resolver is not None:
            await self._resolver.close()


def room_for_connections() -> int:
    """Return how many connections may be in use, and as many again be kept, by the file descriptors that are free."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return 0  # aiohttp's word for no limit
    try:
        taken = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        taken = 64
    return max(1, (limit - taken - min(_SPARE_FILES, limit // 8)) // 2)


def request_headers(settings: Fetch) -> dict[str, str]:
    """Return the headers that every request carries, besides Host, in the order in which they are sent.

    Raises:
        ConfigError: one of the settings cannot be sent, or would frame the request anew.
    """
    agent = f"{settings.user_agent} (+{settings.contact})" if settings.contact else settings.user_agent
    headers = {
        "User-Agent": agent,
        "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "Accept-Encoding": "gzip, deflate, br, zstd",
    }
    usual = {name.lower(): name for name in headers}
    for name, value in settings.headers.items():
        if not _is_name(name) or name.lower() in _OURS:
            raise ConfigError(f"fetch.headers: {name!a} is no header of yours to set")
        headers[usual.get(name.lower(), name)] = value
    for name, value in headers.items():
        if not _is_value(value):
            raise ConfigError(f"a control character in the {name} header")
    return headers


def request_tail(headers: Mapping[str, str]) -> bytes:
    """Return these headers as bytes for the archive, up to and with the empty line, without what is secret."""
    lines = (f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() not in _SECRET)
    return ("".join(lines) + "\r\n").encode("utf-8")


def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"is no file of certificates in PEM format ({error})", where=ca_file) from error
    return context
