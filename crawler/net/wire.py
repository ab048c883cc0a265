"""aiohttp's end of a connection, and how a request gets to know it.

A request goes through aiohttp accompanied by its :class:`~crawler.net.exchange.Exchange`, by way of a context variable.
The protocol, a :class:`Wire`, keeps the header bytes exactly as they came, and takes no more than was asked for.
"""

from __future__ import annotations

import asyncio
import re
from contextvars import ContextVar

from aiohttp.client_proto import ResponseHandler

from crawler.core.headers import split_head
from crawler.net.exchange import Exchange

MAX_HEAD = 1024 * 1024
"""Bytes of a whole response header, interim answers before it included."""
_MOST_SEARCHES = 100
"""Packets in which the end of the header may seem to be: interim answers that dribble in one by one."""
_OVERHEAD = 8
"""Bytes on the wire for each byte of a body, at most: more than the smallest chunks need (RFC 9112 §7.1)."""

current: ContextVar[Exchange] = ContextVar("crawler.exchange")


_length = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n", re.IGNORECASE).findall
_bodiless = re.compile(rb"HTTP/1\.[01] (?:204|304) ").match
_coded = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE).search


def _announced(head: bytes) -> int | None:
    """Return how long the body is by its header; None where that is not plain (RFC 9112 §6.3)."""
    if _bodiless(head):
        return 0
    sizes = _length(head)
    return int(sizes[0]) if len(sizes) == 1 and not _coded(head) else None


class Wire(ResponseHandler):
    """aiohttp's protocol, which also keeps the response header as it came, and takes no more than it must."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.address = ""
        self.lost: BaseException | None = None
        """What ended the connection, if it did not end well."""
        self.head_too_large = False
        self.foreign = False
        """Whether the answer looks like one of HTTP, and is of another protocol, such as RTSP."""
        self.flooded = False
        """Whether far more came than the body holds: in trailers or in the small print of chunks."""
        self._head = b""
        self._raw: bytearray | None = None
        self._searches = 0
        self._left = 0
        """Bytes that may still come; negative while nothing was asked for."""
        self._rest: int | None = None
        """Bytes to the end of the answer, where its header says so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember who answers."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""

    def connection_lost(self, exc: BaseException | None) -> None:
        """Remember why."""
        self.lost = exc
        super().connection_lost(exc)

    def expect_head(self, max_body: int) -> None:
        """Begin to keep what comes, up to the end of the header."""
        self._head, self._raw, self._searches = b"", bytearray(), 0
        self._left, self._rest = MAX_HEAD + _OVERHEAD * max_body, None

    def expect_nothing(self) -> None:
        """Take note that the connection is kept, and that nothing is asked for."""
        self._left = -1

    def hold(self) -> None:
        """Take no more from the socket for now; only while it is known that more of the answer is to come."""
        # aiohttp itself holds and lets go by how much lies unread: nothing at this moment, and so until bytes come.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def go_on(self) -> None:
        """Take more again."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def take_head(self) -> bytes:
        """Return the header as it came, and keep no more; empty if its end was too irregular to be found."""
        self._raw = None
        return self._head

    def data_received(self, data: bytes) -> None:
        """Keep the header, and pass on what was asked for."""
        if not data:  # aiohttp's own way to look at what it has kept back
            super().data_received(data)
            return
        if self._left < 0:
            # An answer to no request: the next request on this connection would get it for its own.
            self._hang_up()
            return
        self._left -= len(data)
        if self._left < 0:
            self.flooded = True
            self._hang_up()
            return
        if self._raw is not None:
            self._keep(data)
        if self.foreign:
            return
        if self._rest is not None:
            if len(data) > self._rest:
                # More than was announced: the parser would take it for a second answer, and give up the first with it.
                data = data[: self._rest]
                self.force_close()
            self._rest -= len(data)
            if not data:
                return
        super().data_received(data)

    def _keep(self, data: bytes) -> None:
        raw = self._raw
        assert raw is not None  # noqa: S101  the caller has looked
        # Only where an end may have come is everything searched, so that a dripping header costs linear time.
        ending = bytes(raw[-3:]) + data if raw else data
        found = None
        if b"\n\r\n" in ending or b"\n\n" in ending:
            self._searches += 1
            found = split_head(bytes(raw) + data if raw else data)
        if found is not None:
            head, end = found
            if not head.startswith(b"HTTP/"):
                self.foreign, self._raw = True, None
                self._hang_up()
                return
            self._head, self._raw = head, None
            if (size := _announced(head)) is not None:
                self._rest = end - len(raw) + size
            return
        raw += data
        if len(raw) > MAX_HEAD or self._searches > _MOST_SEARCHES:
            self.head_too_large, self._raw = True, None
            self._hang_up()

    def _hang_up(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.abort()
