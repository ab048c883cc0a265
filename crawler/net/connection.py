"""One connection of the lean client: bytes to and from a socket, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias, cast

from crawler.core.http_reader import AnswerReader, Broken, End, Event

Receive: TypeAlias = Callable[[list[Event]], bool]
"""Takes what an answer consists of, as it comes; returns whether more of it is wanted."""


class Connection(asyncio.Protocol):
    """A connection to one origin.

    Args:
        origin: scheme, host and port.
        max_body: bytes of a body that are of use.
        forget: told when the connection ends while nobody uses it.
    """

    def __init__(self, origin: str, max_body: int, forget: Callable[[Connection], None]) -> None:
        self.origin = origin
        self.address = ""
        self.lost: BaseException | None = None
        self._reader = AnswerReader(max_body)
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._receive: Receive | None = None
        self._answered: asyncio.Future[None] | None = None
        self.reusable = False
        """Whether the last answer is whole, and the server will take another request."""

    def ask(self, request: bytes, receive: Receive) -> asyncio.Future[None]:
        """Send a request; return what is done when its answer has ended, or no more of it is wanted."""
        answered = self._answered = asyncio.get_running_loop().create_future()
        self._receive = receive
        self.reusable = False
        self._reader.begin()
        if self._transport is None or self._transport.is_closing():
            self._hand_on(self._reader.eof())
        else:
            self._transport.write(request)
        return answered

    def close(self) -> None:
        """Hang up, at once: nothing that is still to be said matters, a farewell of TLS included."""
        self._receive, self.reusable = None, False
        if self._transport is not None:
            self._transport.abort()

    def hold(self) -> None:
        """Take no more from the socket for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Take more again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember who answers."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        if self._receive is None:
            # An answer to no request: the next request on this connection would get it for its own.
            self._forget(self)
            self.close()
            return
        self._hand_on(self._reader.feed(data))

    def eof_received(self) -> None:
        """Take note that the server has said all; the transport then closes itself."""
        if self._receive is not None:
            self._hand_on(self._reader.eof())
        self.reusable = False
        self._forget(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Remember why, and break off what is on its way."""
        self.lost, self._transport, self.reusable = exc, None, False
        self._forget(self)
        if self._receive is None:
            return
        if exc is None:
            self._hand_on(self._reader.eof())
        else:
            self._finish(exc)

    def _hand_on(self, events: list[Event]) -> None:
        if not events:
            return
        assert self._receive is not None  # noqa: S101  the callers have looked
        last = events[-1]
        wanted = self._receive(events)
        if isinstance(last, End):
            self.reusable = last.keep
        if not wanted or isinstance(last, (End, Broken)):
            self._finish()

    def _finish(self, error: BaseException | None = None) -> None:
        self._receive = None
        if self._answered is None or self._answered.done():
            return
        if error is None:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(error)
