"""A website made of a dict, on loopback: what tests crawl.

The server is our own and speaks HTTP/1.1 (RFC 9112) over bare sockets:
keep-alive, GET and HEAD, Content-Length or chunked, and no more.
It shares no code with the client under test, so it is an independent witness of what that client sent and when,
and a fault is one line here instead of a fight with a web framework.

A path is the request target exactly as it travels: encoded, with its query.
What is not in the dict is a 404, robots.txt included.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar, Unpack

from crawler.testing.answers import Answer, Faults, encode
from crawler.testing.wire import Wire, listen

HTML = "text/html; charset=utf-8"
ROBOTS = "/robots.txt"
PATIENCE = 10.0
"""Seconds that opening or closing a site in a thread may take."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Request:
    """What the server saw of one request."""

    path: str
    at: float
    """When the last byte of the header arrived, by ``time.monotonic()``."""
    headers: Mapping[str, str]
    """By lower-case name; the last one counts."""
    peer: tuple[str, int]
    status: int
    """What is answered; 0 where the connection is closed instead."""
    method: str = "GET"


class Site:
    """A website on one loopback address. Open it with ``async with``, or with ``serve_in_thread``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.answers: dict[str, Answer] = {}
        self.log: list[Request] = []
        """Every request in the order of arrival, those for robots.txt too."""
        self.listeners: list[Callable[[Request], None]] = []
        """Called in the server's thread for each request, before it is answered."""
        self.most_at_once = 0
        """The largest number of requests that waited for their answers together, robots.txt included."""
        self._unanswered = 0
        self._arrival = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # what the site holds

    def page(  # noqa: PLR0913  what a page may have, all by name
        self,
        path: str,
        *,
        links: Sequence[str] = (),
        title: str = "",
        body: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        mime: str = HTML,
        **faults: Unpack[Faults],
    ) -> str:
        """Put an HTML page at a path, with links written as given, and return its URL."""
        anchors = "".join(f'<p><a href="{html.escape(link)}">{html.escape(link)}</a></p>\n' for link in links)
        markup = f"<!doctype html>\n<html><head><title>{html.escape(title or path)}</title></head>\n"
        markup += f"<body>\n{body}{anchors}</body></html>\n"
        return self.put(path, status, markup.encode(), {"Content-Type": mime, **(headers or {})}, **faults)

    def file(self, path: str, body: bytes, mime: str = "application/octet-stream", **faults: Unpack[Faults]) -> str:
        """Put bytes at a path and return its URL."""
        return self.put(path, 200, body, {"Content-Type": mime}, **faults)

    def redirect(self, path: str, to: str, status: int = 302, **faults: Unpack[Faults]) -> str:
        """Make a path point elsewhere, with ``to`` written as given, and return its URL."""
        return self.put(path, status, b"", {"Location": to}, **faults)

    def robots(self, rules: str | bytes, status: int = 200, **faults: Unpack[Faults]) -> str:
        """Put a robots.txt and return its URL."""
        body = rules.encode() if isinstance(rules, str) else rules
        return self.put(ROBOTS, status, body, {"Content-Type": "text/plain"}, **faults)

    def put(self, path: str, status: int, body: bytes, headers: dict[str, str], **faults: Unpack[Faults]) -> str:
        """Put any answer at a path and return its URL."""
        coding = faults.get("coding")
        if coding:
            body, headers = encode(body, coding), {**headers, "Content-Encoding": coding}
        self.answers[path] = Answer(
            status,
            body,
            headers,
            slow=faults.get("slow", 0.0),
            failures=deque(faults.get("fail_times", ())),
            truncate=faults.get("truncate"),
            drop=faults.get("drop", False),
            reset=faults.get("reset", False),
            chunked=faults.get("chunked", False),
        )
        return self.url(path)

    @property
    def origin(self) -> str:
        """Scheme, host and port, as they begin every URL of the site; the default port is not written."""
        if not self.port:
            raise RuntimeError("a site has no port before it is opened")
        return f"http://{self.host}" + (f":{self.port}" if self.port != 80 else "")

    def url(self, path: str) -> str:
        """Return the absolute URL of a path."""
        return self.origin + path

    # what the site saw

    @property
    def requests(self) -> list[str]:
        """Paths in the order of arrival, without robots.txt."""
        return [request.path for request in self.log if request.path != ROBOTS]

    @property
    def robots_requests(self) -> int:
        """How often robots.txt was asked for."""
        return sum(request.path == ROBOTS for request in self.log)

    async def seen(self, count: int) -> None:
        """Wait until so many requests have arrived in all; only in the loop that serves the site."""
        while len(self.log) < count:
            await self._arrival.wait()

    def forget(self) -> None:
        """Forget what was seen; the pages stay, and so do failures that were not yet answered."""
        self.log.clear()
        self.most_at_once = 0

    # life and conversation

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @contextlib.contextmanager
    def serve_in_thread(self) -> Iterator[Self]:
        """Serve from a thread and a loop of its own, for tests that block."""
        with serve_in_thread(self):
            yield self

    async def open(self) -> None:
        """Begin to listen."""
        listener = listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._begin(self._accept(listener))

    async def close(self) -> None:
        """Stop listening and cut every conversation short."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                connection, peer = await loop.sock_accept(listener)
                self._begin(self._talk(Wire(connection, peer)))

    async def _talk(self, wire: Wire) -> None:
        with contextlib.closing(wire), contextlib.suppress(OSError, EOFError, ValueError):
            # each of them means that the client left, or does not speak HTTP
            while await self._exchange(wire):
                pass

    async def _exchange(self, wire: Wire) -> bool:
        """Answer one request; tell whether the connection lives on."""
        head, at = await wire.head()
        method, path, headers = _read_head(head)
        answer = self.answers.get(path) or Answer(404, b"not found\n", {"Content-Type": "text/plain"})
        answer = answer.now(headers)
        self._note(Request(path, at, headers, wire.peer, 0 if answer.silent else answer.status, method))
        try:
            await _pause(answer.slow)
            await _reply(wire, answer, method)
        finally:
            self._unanswered -= 1
        return headers.get("connection") != "close" and not answer.silent and answer.truncate is None

    def _note(self, request: Request) -> None:
        self.log.append(request)
        self._unanswered += 1
        self.most_at_once = max(self.most_at_once, self._unanswered)
        for listener in self.listeners:
            listener(request)
        self._arrival.set()
        self._arrival = asyncio.Event()


class Opens(Protocol):
    """Whatever listens between its opening and its closing."""

    async def open(self) -> None:
        """Begin to listen."""

    async def close(self) -> None:
        """Stop listening."""


@contextlib.contextmanager
def serve_in_thread(*sites: Opens) -> Iterator[None]:
    """Serve sites from one thread and loop of their own, for tests that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sites")
    thread.start()

    def call(work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)

    try:
        for site in sites:
            call(site.open())
        yield
    finally:
        for site in sites:
            call(site.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _pause(slow: asyncio.Event | float) -> None:
    if isinstance(slow, asyncio.Event):
        await slow.wait()
    elif slow:
        await asyncio.sleep(slow)


async def _reply(wire: Wire, answer: Answer, method: str) -> None:
    """Send an answer, or what the fault leaves of it."""
    if not answer.silent:
        await wire.send(answer.head() if method == "HEAD" else answer.head() + answer.body())
    if answer.reset:
        wire.close(reset=True)


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Return method, path and header; ValueError if it is not HTTP."""
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, version = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if version == "HTTP/1.0":
        headers["connection"] = "close"
    return method, path, headers
