"""A website on loopback, some milliseconds away: ``python -m scripts.models.server LATENCY SECONDS PAGES TINY``.

It runs in a process of its own, so that what serving costs is not counted as what fetching costs.
``/page/N.html`` is answered after the latency, ``/tiny/N.html`` at once.
It writes so many pages of both kinds beforehand, prints its port,
and ends when its standard input does (its owner has gone) or after so many seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import cast

import uvloop

from scripts.models.pages import page, tiny

MOST_PAGES = 5000
_MOST_CONNECTIONS = 512
_MOST_HEAD = 8192


def page_path(number: int) -> str:
    """Say where a page is."""
    return f"/page/{number}.html"


def tiny_path(number: int) -> str:
    """Say where a tiny page is."""
    return f"/tiny/{number}.html"


@contextlib.contextmanager
def served(latency: float, *, seconds: float, pages: int, tinies: int) -> Iterator[tuple[str, int]]:
    """Serve from a process of its own; yield the origin of its URLs and its process number.

    Args:
        latency: seconds between a request and its answer.
        seconds: how long it may live, at most.
        pages: pages written beforehand.
        tinies: tiny pages written beforehand.
    """
    command = [sys.executable, "-m", "scripts.models.server", *map(str, (latency, seconds, pages, tinies))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if not port:
                raise RuntimeError("the server has not started")
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.kill()


class _Conversation(asyncio.Protocol):
    """HTTP/1.1 as far as GET without a body goes (RFC 9112), one request at a time."""

    open = 0

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without being derived from it
        _Conversation.open += 1
        if _Conversation.open > _MOST_CONNECTIONS:
            self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        _Conversation.open -= 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _MOST_HEAD:
            self._transport.abort()
        elif self._received.endswith(b"\r\n\r\n"):
            path = self._received.split(b" ", 2)[1]
            self._received = b""
            wait = self._latency if path.startswith(b"/page/") else 0.0
            if wait:
                asyncio.get_running_loop().call_later(wait, self._transport.write, _answer(path))
            else:
                self._transport.write(_answer(path))


@lru_cache(maxsize=2 * MOST_PAGES)
def _answer(path: bytes) -> bytes:
    _, kind, name = path.decode("ascii").split("/")
    write: Callable[[int], bytes] = {"page": page, "tiny": tiny}[kind]
    body = write(int(name.removesuffix(".html")))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(latency: float, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Conversation(latency), "127.0.0.1", 0, backlog=_MOST_CONNECTIONS)
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), gone.set)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone.wait(), seconds)


def _main(latency: str, seconds: str, pages: str, tinies: str) -> None:
    for path, count in ((page_path, pages), (tiny_path, tinies)):
        for number in range(int(count)):
            _answer(path(number).encode())
    uvloop.run(_serve(float(latency), float(seconds)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
