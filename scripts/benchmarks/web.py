"""A made-up web on many loopback addresses, served by one process of its own.

Each host has pages ``/0.html``, ``/1.html``, …, linked as a tree, so that all of them are soon known.
Every answer waits for the same latency; robots.txt does not exist.
The time of a request is that of the kernel, when its packet arrived (SO_TIMESTAMPNS), not when this process came
round to it: the gap between two requests is what it was, however busy the machine is.

The process ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

_SO_TIMESTAMPNS = 35
_TIME = struct.Struct("@qq")
_ANSWER = b"HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
_WORDS = (  # noqa: SIM905  a list of fifty words would take fifty lines
    "the of a page which is in or to crawler returns value argument default file object method when and not "
    "class string option see also list number called error name type used by this that for with module <em>must</em> "
    "<code>None</code> <code>size=0</code> &amp; <b>note</b> &mdash; (<i>optional</i>)"
).split()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a web is like."""

    hosts: tuple[int, ...]
    """Pages of each host."""
    latency: float = 0.0
    """Seconds from a request to its answer."""
    anchors: int = 20
    """Links of a page, to at most a third as many different pages."""
    size: int = 0
    """Bytes of a page, about; 0 is no more than its links."""
    across: int = 0
    """Links of a page to pages of other hosts, besides its anchors."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the server saw since it was last asked."""

    requests: list[list[float]]
    """Per host, the Unix seconds of all requests in order, those for robots.txt too."""
    answered: int
    """Pages served with 200."""
    cpu: float
    """CPU seconds of the server."""


def children(number: int, pages: int, fan: int) -> range:
    """Return the pages that a page leads to in the tree."""
    return range(min(pages, number * fan + 1), min(pages, number * fan + fan + 1))


def links(number: int, pages: int, count: int) -> list[str]:
    """Return the links of a page as written: its part of the tree, neighbours, and many into the pages themselves."""
    fan = max(2, count // 6)
    targets = [*children(number, pages, fan), *((number + step) % pages for step in range(1, fan + 1)), 0]
    return [f"{target}.html" if at < len(targets) else f"{target}.html#s{at}" for at, target in _turns(targets, count)]


def _turns(targets: list[int], count: int) -> Iterator[tuple[int, int]]:
    return zip(range(max(count, len(targets))), itertools.cycle(targets), strict=False)


class Pages:
    """The pages of a web, made when they are asked for."""

    def __init__(self, plan: Plan, port: int = 0) -> None:
        self._plan = plan
        self._port = port
        rng = random.Random(2)  # noqa: S311  a benchmark wants the same pages each time
        share = max(0, plan.size // plan.anchors - 60)
        self._text = [_prose(rng, share) for _ in range(plan.anchors * 2)]

    def body(self, host: int, path: str) -> bytes | None:
        """Return a page, or None where there is none."""
        name, _, kind = path[1:].partition(".")
        pages = self._plan.hosts[host]
        if kind != "html" or not name.isdigit() or int(name) >= pages:
            return None
        number = int(name)
        parts = [f"<!doctype html><html lang=en><head><title>Page {number} of host {host}</title></head><body>"]
        texts = itertools.cycle(self._text)
        parts += [
            f"<p>{next(texts)}<a class='ref' href='{link}'>{link}</a>.</p>\n"
            for link in links(number, pages, self._plan.anchors)
        ]
        parts += [f"<p><a href='{url}'>elsewhere</a></p>\n" for url in self._across(host, number)]
        return "".join(parts).encode() + b"</body></html>\n"

    def _across(self, host: int, number: int) -> Iterator[str]:
        """Return links to other hosts, each to a page that few others lead to from there."""
        hosts = self._plan.hosts
        for link in range(self._plan.across if len(hosts) > 1 else 0):
            turn = number * self._plan.across + link
            other = (host + 1 + turn % (len(hosts) - 1)) % len(hosts)
            yield f"http://{address(other)}:{self._port}/{turn // (len(hosts) - 1) % hosts[other]}.html"


def _prose(rng: random.Random, size: int) -> str:
    words: list[str] = []
    length = 0
    while length < size:
        words.append(rng.choice(_WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)


class Server:
    """Serves one web."""

    def __init__(self, plan: Plan, port: int = 0) -> None:
        self._plan = plan
        self._pages = Pages(plan, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget()

    def _forget(self) -> None:
        self._requests: list[list[float]] = [[] for _ in self._plan.hosts]
        self._answered, self._cpu = 0, time.process_time()

    def seen(self) -> Seen:
        """Tell what was seen, and begin anew."""
        cpu = time.process_time() - self._cpu
        seen = Seen(requests=self._requests, answered=self._answered, cpu=cpu)
        self._forget()
        return seen

    async def listen(self, listeners: list[socket.socket]) -> None:
        """Accept connections, until cancelled."""
        accepting = (self._accept(host, listener) for host, listener in enumerate(listeners))
        await asyncio.gather(*accepting)

    async def _accept(self, host: int, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(self._converse(host, connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _converse(self, host: int, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(connection, readable.set)
        try:
            with contextlib.suppress(ConnectionError):
                while path := await self._request(host, connection, readable):
                    if self._plan.latency:
                        await asyncio.sleep(self._plan.latency)
                    await loop.sock_sendall(connection, self._answer(host, path))
        finally:
            loop.remove_reader(connection)
            connection.close()

    async def _request(self, host: int, connection: socket.socket, readable: asyncio.Event) -> str:
        """Return the path that is asked for; empty when the client has gone."""
        head = b""
        while b"\r\n\r\n" not in head:
            await readable.wait()
            readable.clear()
            try:
                packet, notes, _, _ = connection.recvmsg(65536, 64)
            except BlockingIOError:
                continue
            if not packet:
                return ""
            head += packet
            arrived = _stamp(notes)
        self._requests[host].append(arrived)
        return head.split(b" ", 2)[1].decode("latin-1")

    def _answer(self, host: int, path: str) -> bytes:
        body = self._pages.body(host, path)
        if body is None:
            return _ANSWER % (b"404 Not Found", 0)
        self._answered += 1
        return _ANSWER % (b"200 OK", len(body)) + body


def _stamp(notes: list[tuple[int, int, bytes]]) -> float:
    """Return the Unix seconds at which the kernel took in the packet that came with these notes."""
    (note,) = (note for _, kind, note in notes if kind == _SO_TIMESTAMPNS)
    seconds, nanoseconds = _TIME.unpack(note[: _TIME.size])
    return float(seconds) + float(nanoseconds) / 1e9


def stamps(listeners: list[socket.socket]) -> None:
    """Have the kernel note the arrival of each packet that comes through these listeners, from the very first.

    Asked of a connection after it was accepted, the kernel would give the first request the time at which it was read.
    And it begins to note times a moment after it was first asked: until then it does the same.

    Raises:
        OSError: it has not begun within some seconds.
    """
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)  # a connection inherits it
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        probe.bind(("127.0.0.1", 0))
        for _ in range(5_000):
            probe.sendto(b"?", probe.getsockname())
            sent = time.time()
            time.sleep(0.001)
            if _stamp(probe.recvmsg(1, 64)[1]) <= sent:
                return
    raise OSError("the kernel does not note the arrival of packets")


def address(host: int) -> str:
    """Return the loopback address of a host."""
    return f"127.{20 + host // 62_500}.{host // 250 % 250}.{host % 250 + 1}"


def bind(hosts: int) -> tuple[list[socket.socket], int]:
    """Listen on one address per host, all on the same free port."""
    for _ in range(20):
        listeners = [socket.create_server((address(0), 0), backlog=1024)]
        port = int(listeners[0].getsockname()[1])
        try:
            listeners += [socket.create_server((address(host), port), backlog=1024) for host in range(1, hosts)]
        except OSError:  # somebody has this port at one of the addresses
            for listener in listeners:
                listener.close()
            continue
        for listener in listeners:
            listener.setblocking(False)
        stamps(listeners)
        return listeners, port
    raise OSError(f"no port is free on all of {hosts} addresses")


@dataclass(frozen=True, slots=True)
class Web:
    """A web that is being served, seen from the process that wanted it."""

    process: subprocess.Popen[bytes]
    seeds: list[str]
    """The first page of each host."""

    def seen(self) -> Seen:
        """Ask the server what it saw since it was last asked."""
        assert self.process.stdin is not None  # noqa: S101  served() opened both
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return msgspec.json.decode(self.process.stdout.readline(), type=Seen)


@contextlib.contextmanager
def served(plan: Plan) -> Iterator[Web]:
    """Serve a web in a process of its own."""
    command = [sys.executable, "-m", "scripts.benchmarks.web", msgspec.json.encode(plan).decode()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  asked for above
        assert process.stdin is not None  # noqa: S101
        port = int(process.stdout.readline())
        try:
            yield Web(process, [f"http://{address(host)}:{port}/0.html" for host in range(len(plan.hosts))])
        finally:
            process.stdin.close()


async def _serve(plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    listeners, port = bind(len(plan.hosts))
    server = Server(plan, port)
    listening = loop.create_task(server.listen(listeners))
    print(port, flush=True)
    while await loop.run_in_executor(None, sys.stdin.buffer.readline):
        sys.stdout.buffer.write(msgspec.json.encode(server.seen()) + b"\n")
        sys.stdout.buffer.flush()
    listening.cancel()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(msgspec.json.decode(sys.argv[1], type=Plan)))
