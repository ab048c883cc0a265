"""Accepted connections, read with the kernel's own clock.

A gap between two requests is judged in milliseconds, and a busy machine may take longer than that to wake a server.
So on Linux each packet's arrival is told by the kernel (SO_TIMESTAMPNS, socket(7)), right to tens of microseconds
however late it is read; elsewhere the time of reading must do.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

HEAD_LIMIT = 1 << 17

_END = b"\r\n\r\n"
_TIMESTAMPS = 35
"""SO_TIMESTAMPNS of Linux, which Python does not name; the option and its control message share the number."""
_NOTES = 256
"""Bytes of what the kernel says besides; more than it does."""
_TIMESPEC = struct.Struct("@ll")
_LINGER_ZERO = struct.pack("ii", 1, 0)
"""Close by RST instead of FIN (socket(7))."""


def listen(host: str, port: int) -> Listener:
    """Open a listening socket whose connections tell when their packets came."""
    listener = Listener(fileno=socket.create_server((host, port), backlog=512).detach())
    listener.setblocking(False)
    if sys.platform == "linux":
        listener.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)  # accepted sockets inherit it
    return listener


class Stamped(socket.socket):
    """A connection that knows when what was read last had come, whoever reads it by way of this class."""

    came = 0.0
    """``time.monotonic()``."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive as any socket does."""
        content, notes, _, _ = self.recvmsg(bufsize, _NOTES, flags)
        self.came = _arrival(notes)
        return content

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as any socket does."""
        size, notes, _, _ = self.recvmsg_into([memoryview(buffer)[: nbytes or None]], _NOTES, flags)
        self.came = _arrival(notes)
        return size


class Listener(socket.socket):
    """A listening socket whose connections are :class:`Stamped`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._accepted = WeakValueDictionary[int, Stamped]()

    def accept(self) -> tuple[Stamped, Any]:
        """Accept as any socket does."""
        plain, peer = super().accept()
        connection = Stamped(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self._accepted[connection.fileno()] = connection
        return connection, peer

    def came(self, fileno: int) -> float:
        """Return when what was read last on an accepted connection had come; now, if that was not read here."""
        connection = self._accepted.get(fileno)
        return connection.came if connection and connection.came else time.monotonic()


class Wire:
    """A connection, from the server's side."""

    def __init__(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        assert isinstance(connection, Stamped)  # noqa: S101  asyncio's word for what a Listener accepts
        self.peer = peer
        self._socket = connection
        self._waiting = bytearray()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def head(self) -> tuple[bytes, float]:
        """Return the next request's header, and when its last byte came by ``time.monotonic()``.

        Raises:
            EOFError: the client has hung up.
            ValueError: the header has no end.
        """
        while (end := self._waiting.find(_END)) < 0:
            if len(self._waiting) > HEAD_LIMIT:
                raise ValueError(f"more than {HEAD_LIMIT} bytes of header")
            await self._receive()
        head = bytes(self._waiting[: end + len(_END)])
        del self._waiting[: len(head)]
        return head, self._socket.came

    async def send(self, content: bytes) -> None:
        """Send all of it."""
        await asyncio.get_running_loop().sock_sendall(self._socket, content)

    def close(self, *, reset: bool = False) -> None:
        """Hang up, if that has not been done."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._socket.close()

    async def _receive(self) -> None:
        while True:
            try:
                content = self._socket.recv(1 << 16)
                break
            except BlockingIOError:
                await self._readable()
        if not content:
            raise EOFError("the client has hung up")
        self._waiting += content

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._socket, _wake, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._socket)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _arrival(notes: Iterable[tuple[int, int, bytes]]) -> float:
    """Return when a packet came, by what the kernel notes of it; now, if it says nothing."""
    for level, kind, note in notes:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPS):
            seconds, nanoseconds = _TIMESPEC.unpack(note[: _TIMESPEC.size])
            return float(seconds + nanoseconds / 1e9 - _clock_offset())
    return time.monotonic()


def _clock_offset() -> float:
    """Return Unix time less ``time.monotonic()``, from the one of a few readings that was interrupted least."""
    readings = [(time.monotonic(), time.time(), time.monotonic()) for _ in range(3)]
    before, now, _ = min(readings, key=lambda reading: reading[2] - reading[0])
    return now - before
