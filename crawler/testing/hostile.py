"""A server that misbehaves: the stage on which scenarios are played.

Each scenario gets a listening socket, so a host, of its own. What comes over a connection is given to its ``play``
as a :class:`Talk`: bare bytes in both directions, for what is to be said here is often not HTTP.
The server notes every request head as it came, so it is a witness against the client too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

from crawler.core.outcomes import Outcome
from crawler.testing.wire import Listener, listen

_LINGER_ZERO = struct.pack("ii", 1, 0)
"""Close by RST instead of FIN (socket(7))."""
_HEAD_LIMIT = 1 << 17
_END = b"\r\n\r\n"
ANY_NUMBER = -1
PAGE = b"<!doctype html><html><head><title>well</title></head><body><p>All is well.</p></body></html>\n"


class Talk:
    """One connection to a scenario."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stage: Stage) -> None:
        self.reader = reader
        self.writer = writer
        self.stage = stage
        self.path = ""

    async def heard(self) -> str:
        """Return the path of the next request, whose head is noted."""
        head = await self.reader.readuntil(_END)
        self.stage.requests.append(Heard(self.stage.came(self.writer), head))
        self.path = head.split(b" ", 2)[1].decode("latin-1")
        return self.path

    async def say(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def say_slowly(self, parts: Iterator[bytes], pause: float) -> None:
        """Send one part after another, for ever if there is no end to them."""
        for part in parts:
            await self.say(part)
            await asyncio.sleep(pause)

    async def answer(self, body: bytes = PAGE, status: str = "200 OK", **fields: str) -> None:
        """Send a whole and proper answer; ``Content_Type="text/plain"`` becomes a field."""
        await self.say(
            head(status, {"Content-Type": "text/html", **_named(fields), "Content-Length": str(len(body))}), body
        )

    async def hang(self) -> None:
        """Say no more until the client hangs up."""
        with contextlib.suppress(OSError):
            while await self.reader.read(1 << 16):
                pass

    def reset(self) -> None:
        """Hang up by RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.writer.transport.abort()


Play: TypeAlias = Callable[[Talk], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it came."""

    at: float
    """``time.monotonic()``, as the kernel noted it where it does and the event loop lets it (uvloop does not)."""
    head: bytes


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a server does, and what must come of it."""

    number: int
    """Scenarios of one kind share it."""
    name: str
    does: str
    outcome: Outcome | tuple[Outcome, ...]
    """The outcome of the URL; several where each of them is right."""
    attempts: int | tuple[int, ...] = 1
    """The requests that are tried for the URL; several where there are several outcomes."""
    play: Play | None = None
    """Talks on each connection until its end; None where nobody is there to talk."""
    path: str = "/"
    host: str = "127.0.0.1"
    """As the URL has it."""
    address: str = "127.0.0.1"
    """Where it listens."""
    listens: Literal["yes", "no", "full"] = "yes"
    """``no``: connections are refused; ``full``: they get no answer at all."""
    tls: str = ""
    """Which certificate it shows, see :mod:`tests.certificates`; empty for plain HTTP."""
    scheme: str = "http"
    asked: int | None = None
    """Requests that the server must have seen, where that is not the attempts; or ``ANY_NUMBER``."""
    check: Callable[[Any, Any], object] | None = None
    """More that must be true: takes the run and the stage, and asserts."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All right outcomes."""
        return (self.outcome,) if isinstance(self.outcome, Outcome) else self.outcome

    @property
    def tries(self) -> tuple[int, ...]:
        """All right numbers of attempts."""
        return (self.attempts,) if isinstance(self.attempts, int) else self.attempts


@dataclass(eq=False)
class Stage:
    """One scenario while it is played."""

    scenario: Scenario
    context: ssl.SSLContext | None = None
    port: int = 0
    requests: list[Heard] = field(default_factory=list)
    connections: int = 0
    talking: int = 0
    """Connections that the client has not closed."""
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is none."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Whatever a play wants to remember from one connection to the next."""
    _socket: socket.socket | None = None
    _listener: Listener | None = None
    _server: asyncio.Server | None = None
    _fillers: list[socket.socket] = field(default_factory=list)
    _talks: dict[asyncio.Task[Any], asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Scheme, host and port of its URL."""
        return f"{self.scenario.scheme}://{self.scenario.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL that is crawled."""
        return self.origin + self.scenario.path

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def open(self) -> None:
        """Begin to listen, or not to, as the scenario says."""
        self.quiet.set()
        if self.scenario.listens == "yes":
            self._socket = self._listener = listen(self.scenario.address, 0)
            self._server = await asyncio.start_server(
                self._talk, sock=self._listener, limit=_HEAD_LIMIT, ssl=self.context, backlog=512
            )
        else:
            self._socket = socket.socket()
            self._socket.bind((self.scenario.address, 0))
        self.port = int(self._socket.getsockname()[1])
        if self.scenario.listens == "full":
            self._fill(self._socket)

    def came(self, writer: asyncio.StreamWriter) -> float:
        """Return when what was read last from a client had come."""
        assert self._listener is not None  # noqa: S101  somebody has connected
        return self._listener.came(writer.get_extra_info("socket").fileno())

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and cut every conversation short."""
        if self._server is not None:
            self._server.close()
            for task, writer in self._talks.items():
                task.cancel()
                writer.transport.abort()
            await asyncio.gather(*self._talks, return_exceptions=True)
            await self._server.wait_closed()
        for one in self._fillers:
            one.close()
        if self._socket is not None:
            self._socket.close()

    def _fill(self, listener: socket.socket) -> None:
        """Fill the queue of connections that nobody accepts: further ones are not even refused."""
        listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            self._fillers.append(filler)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  it runs this
        self._talks[task] = writer
        self.connections += 1
        self.talking += 1
        self.quiet.clear()
        try:
            assert self.scenario.play is not None  # noqa: S101  who listens has a play
            await self.scenario.play(Talk(reader, writer, self))
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client left, or the play is over
        finally:
            self.talking -= 1
            if not self.talking:
                self.quiet.set()
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            del self._talks[task]


# the words of plays


def head(status: str = "200 OK", fields: Mapping[str, str] | None = None) -> bytes:
    """Return a status line and header, up to and with the empty line."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (fields or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def says(*parts: bytes) -> Play:
    """Hear a request, send these bytes, and hang up; for each connection anew."""

    async def play(talk: Talk) -> None:
        await talk.heard()
        await talk.say(*parts)

    return play


def answers(body: bytes = PAGE, status: str = "200 OK", **fields: str) -> Play:
    """Answer every request in the same proper way, and keep the connection."""

    async def play(talk: Talk) -> None:
        while True:
            await talk.heard()
            await talk.answer(body, status, **fields)

    return play


def answers_by(reply: Callable[[Talk], Awaitable[None]]) -> Play:
    """Answer every request by what a function does, and keep the connection."""

    async def play(talk: Talk) -> None:
        while True:
            await talk.heard()
            await reply(talk)

    return play


def _named(fields: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in fields.items()}
