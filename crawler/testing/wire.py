"""One accepted connection, read with the kernel's own clock.

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

HEAD_LIMIT = 1 << 17

_END = b"\r\n\r\n"
_TIMESTAMPS = 35
"""SO_TIMESTAMPNS of Linux, which Python does not name; the option and its control message share the number."""
_TIMESPEC = struct.Struct("@ll")
_LINGER_ZERO = struct.pack("ii", 1, 0)
"""Close by RST instead of FIN (socket(7))."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket whose connections tell when their packets came."""
    listener = socket.create_server((host, port), backlog=512)
    listener.setblocking(False)
    if sys.platform == "linux":
        listener.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)  # accepted sockets inherit it
    return listener


class Wire:
    """A connection, from the server's side."""

    def __init__(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        self.peer = peer
        self._socket = connection
        self._waiting = bytearray()
        self._came = 0.0
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
        return head, self._came

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
                content, notes, _, _ = self._socket.recvmsg(1 << 16, 256)
                break
            except BlockingIOError:
                await self._readable()
        if not content:
            raise EOFError("the client has hung up")
        self._waiting += content
        self._came = time.monotonic()
        for level, kind, note in notes:
            if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPS):
                seconds, nanoseconds = _TIMESPEC.unpack(note[: _TIMESPEC.size])
                self._came = seconds + nanoseconds / 1e9 - _clock_offset()

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


def _clock_offset() -> float:
    """Return Unix time less ``time.monotonic()``, from the one of a few readings that was interrupted least."""
    readings = [(time.monotonic(), time.time(), time.monotonic()) for _ in range(3)]
    before, now, _ = min(readings, key=lambda reading: reading[2] - reading[0])
    return now - before
