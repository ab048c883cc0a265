"""A server with one weakness, in a process of its own: what planted bottlenecks are planted in.

It answers on all of 127.0.0.0/8, so that a crawl may see as many hosts as it is given addresses.
Every host has the pages ``/p/0`` to ``/p/N``; ``/`` links to all of them, and in a chain each links to the next.
Started as ``python tests/plant.py JSON``, with the fields of :class:`Plant`; the first line it prints is its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, cast

_TICK = 0.01
_ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """What is wrong with a web."""

    pages: int = 1_000
    chain: bool = False
    """Whether each page links only to the next."""
    latency: float = 0.0
    """Seconds from a request to its answer."""
    text: int = 200
    """Bytes of text in a page."""
    links: int = 0
    """Links in a page that lead nowhere new."""
    rate: float = 0.0
    """Bytes a second of one body; 0.0 is no limit."""
    line: float = 0.0
    """Bytes a second of all bodies together; 0.0 is no limit."""
    burst: int = 0
    """Requests of one host after which it answers 429; 0 is none."""
    retry_after: int = 1
    """Seconds for which it then answers 429."""

    def arguments(self) -> str:
        """Return what :func:`main` is to be started with."""
        return json.dumps(asdict(self))


class Server:
    """Everything that the connections share."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.sending: list[tuple[asyncio.Transport, bytearray]] = []
        self._asked: dict[str, int] = {}
        self._closed: dict[str, float] = {}
        self._page = lru_cache(maxsize=64)(self._made)

    def answer(self, path: str, host: str) -> bytes:
        """Return head and body for a request."""
        if path == "/robots.txt":
            return _ROBOTS
        if self._refused(host):
            head = (
                f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {self.plant.retry_after}\r\nContent-Length: 0\r\n\r\n"
            )
            return head.encode()
        return self._page(path)

    def _refused(self, host: str) -> bool:
        plant, now = self.plant, time.monotonic()
        if not plant.burst:
            return False
        if now < self._closed.get(host, 0.0):
            return True
        self._asked[host] = self._asked.get(host, 0) + 1
        if self._asked[host] <= plant.burst:
            return False
        self._asked[host], self._closed[host] = 0, now + plant.retry_after
        return True

    def _made(self, path: str) -> bytes:
        plant, number = self.plant, int(path.rpartition("/")[2] or -1)
        if plant.chain:
            targets = [number + 1] if number + 1 < plant.pages else []
        else:
            targets = list(range(plant.pages)) if number < 0 else []
        anchors = "".join(f'<a href="/p/{target}">{target}</a>\n' for target in targets)
        if number >= 0:
            anchors += "".join(
                f'<p class="x"><a href="/p/{(number + 1) % plant.pages}">a</a></p>' for _ in range(plant.links)
            )
        words = f"<p>page {number} of a web with a weakness, and what else there is to say</p>\n"
        text = words * (plant.text // len(words) + 1) if number >= 0 else ""
        body = f"<!doctype html><title>{number}</title><body>{anchors}{text}</body>\n".encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    async def send(self) -> None:
        """Send slow bodies bit by bit, for ever."""
        plant, last = self.plant, time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            passed, last = now - last, now
            each = plant.rate or plant.line / max(1, len(self.sending))
            size = max(1, int(each * passed))
            for transport, rest in list(self.sending):
                transport.write(bytes(rest[:size]))
                del rest[:size]
                if not rest or transport.is_closing():
                    self.sending.remove((transport, rest))


class Connection(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._host = str(transport.get_extra_info("sockname")[0])

    def data_received(self, data: bytes) -> None:
        """Answer a request when it is complete."""
        self._got += data
        if not self._got.endswith(b"\r\n\r\n"):
            return
        path, self._got = self._got.split(b" ", 2)[1].decode(), b""
        latency = self._server.plant.latency
        if latency and path != "/robots.txt":
            asyncio.get_running_loop().call_later(latency, self._answer, path)
        else:
            self._answer(path)

    def _answer(self, path: str) -> None:
        if self._transport.is_closing():
            return
        answer = self._server.answer(path, self._host)
        plant = self._server.plant
        if path.startswith("/p/") and (plant.rate or plant.line):
            end = answer.index(b"\r\n\r\n") + 4
            self._transport.write(answer[:end])
            self._server.sending.append((self._transport, bytearray(answer[end:])))
        else:
            self._transport.write(answer)


async def serve(plant: Plant) -> None:
    """Serve until the process is ended."""
    server = Server(plant)
    listener = await asyncio.get_running_loop().create_server(lambda: Connection(server), "0.0.0.0", 0, backlog=1024)
    sys.stdout.write(f"{listener.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.send()


def main() -> None:
    """Serve what the first argument describes."""
    fields: dict[str, Any] = json.loads(sys.argv[1])
    try:
        import uvloop  # noqa: PLC0415  the server is to be faster than what it tests, where it can
    except ImportError:
        asyncio.run(serve(Plant(**fields)))
    else:
        uvloop.run(serve(Plant(**fields)))


if __name__ == "__main__":
    main()
