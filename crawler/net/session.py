"""The aiohttp client, tuned once.

Theory of operation
-------------------
aiohttp parses HTTP and keeps connections; everything that decides is ours.
An :class:`Exchange` accompanies one request through it by way of a context variable: the connector tells it when a
connection is there, the resolver when a name is known, and the protocol gives it the header bytes exactly as they came.
Redirects, cookies, decompression, retries and time limits of the client are off: each has its own place in the crawler.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.resolver import AsyncResolver

from crawler.config import Fetch
from crawler.core.headers import split_head
from crawler.errors import ConfigError
from crawler.net.guard import Guard

MAX_HEADER_LINE = 64 * 1024
MAX_HEADERS = 1_000
MAX_HEAD = 1024 * 1024
"""Bytes of a whole response header."""
_DNS_TTL = 300
_KEEP_ALIVE = 30.0
_READ_SIZE = 256 * 1024

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(slots=True, eq=False)
class Exchange:
    """What is learned on the way about one request: mutable, for it grows while the request goes through."""

    trusted: bool
    """Whether a seed names the host, so that its address may be private."""
    settings: Fetch
    deadline: asyncio.Timeout
    began: float
    """Loop time, as all times here that are not named ``*_at``."""
    on_sent: Callable[[], None]
    dns: float = 0.0
    connect: float = 0.0
    fresh: bool = False
    """Whether a connection was made for it."""
    sent_at: float = 0.0
    """Unix seconds; 0.0 until the request goes out."""
    sent: float = 0.0
    headed: float = 0.0
    """When the header was complete."""
    resolving: bool = False
    socket: socket.socket | None = None
    """The last socket that was made for it."""
    protocol: Wire | None = None

    @property
    def handshaking(self) -> bool:
        """Whether, at a time-out, TCP had connected: the client closes a socket that never did at once."""
        return self.socket is not None and self.socket.fileno() >= 0

    def connecting(self) -> None:
        """Take note that no kept connection was at hand."""
        self.fresh = True
        self.deadline.reschedule(asyncio.get_running_loop().time() + self.settings.connect_timeout)

    def connected(self, protocol: Wire) -> None:
        """Take note that the request goes out now."""
        self.sent, self.sent_at = asyncio.get_running_loop().time(), time.time()
        if self.fresh:
            self.connect = self.sent - self.began - self.dns
            self.deadline.reschedule(self.sent + self.settings.head_timeout)
        self.protocol = protocol
        protocol.expect_head()
        self.on_sent()


current: ContextVar[Exchange] = ContextVar("crawler.exchange")


class Wire(ResponseHandler):
    """aiohttp's protocol, which also keeps the response header as it came."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.address = ""
        self.head = b""
        self.head_too_large = False
        self._raw: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember who answers."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""

    def expect_head(self) -> None:
        """Begin to keep what comes, up to the end of the header."""
        self.head, self._raw, self.head_too_large = b"", b"", False

    def data_received(self, data: bytes) -> None:
        """Keep the header, and pass everything on."""
        if self._raw is not None:
            self._keep(data)
        super().data_received(data)

    def _keep(self, data: bytes) -> None:
        self._raw = raw = (self._raw or b"") + data
        if b"\n" in data and (found := split_head(raw)) is not None:
            self.head, self._raw = found[0], None
        elif len(raw) > MAX_HEAD:
            self.head_too_large, self._raw = True, None
            self.force_close()
            if self.transport is not None:
                self.transport.close()


class _Connector(aiohttp.TCPConnector):
    def __init__(self, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(loop=loop, **options)
        self._factory = partial(Wire, loop=loop)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109  aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        assert isinstance(protocol, Wire)  # noqa: S101  the factory above makes nothing else
        current.get().connected(protocol)
        return connection

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        current.get().connecting()
        return await super()._create_connection(req, traces, timeout)


class _Resolver(AbstractResolver):
    """aiodns, chosen explicitly; it tells the exchange how long a look-up took."""

    def __init__(self) -> None:
        self._inner = AsyncResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        loop, exchange = asyncio.get_running_loop(), current.get()
        began = loop.time()
        exchange.resolving = True
        addresses = await self._inner.resolve(host, port, family)
        exchange.resolving = False
        exchange.dns = loop.time() - began
        return addresses

    async def close(self) -> None:
        await self._inner.close()


class Session:
    """One client for a whole crawl: ``async with Session(...) as session``."""

    def __init__(self, settings: Fetch, resolver: AbstractResolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver
        self.headers = request_headers(settings)
        self.guard = Guard(settings.allow_private, lambda: current.get().trusted)
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._resolver = self._resolver or _Resolver()
        connector = _Connector(
            loop=asyncio.get_running_loop(),
            resolver=self._resolver,
            limit=0,  # how many may be in flight, and at which host, is decided before a request gets here
            ttl_dns_cache=_DNS_TTL,
            keepalive_timeout=_KEEP_ALIVE,
            ssl=_tls(self._settings.ca_file),
            socket_factory=self._socket,
        )
        self.client = aiohttp.ClientSession(
            connector=connector,
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

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        made = current.get().socket = self.guard.socket(address)
        self.connections += 1
        return made

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        if self._resolver is not None:
            await self._resolver.close()


def request_headers(settings: Fetch) -> dict[str, str]:
    """Return the headers that every request carries, besides Host, in the order in which they are sent."""
    agent = f"{settings.user_agent} (+{settings.contact})" if settings.contact else settings.user_agent
    return {
        "User-Agent": agent,
        "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        **settings.headers,
    }


def request_tail(headers: dict[str, str]) -> bytes:
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
