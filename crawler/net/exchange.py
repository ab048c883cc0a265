"""One request on its way, whichever client takes it there: what is learned about it, and how long it may take.

The deadlines of a fetch follow one another here; the time in total bounds each of them.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from crawler.config import Fetch
from crawler.net.guard import AddressBlocked, Guard

_NO_FILES = (errno.EMFILE, errno.ENFILE)
_FILES_PAUSE = 0.1
_FILES_PATIENCE = 60.0
"""Seconds that a fetch waits for a file descriptor before it counts as failed."""

_Made = TypeVar("_Made")


class Line(Protocol):
    """One end of a connection, whichever client's."""

    address: str
    """The IP address of who answers."""
    lost: BaseException | None
    """What ended the connection, if it did not end well."""

    def hold(self) -> None:
        """Take no more from the socket for now, so that TCP holds the server up."""

    def go_on(self) -> None:
        """Take more again."""


class Exchange(Struct, eq=False):
    """What is learned on the way about one request: mutable, for it grows while the request goes through."""

    trusted: bool
    """Whether a seed names the host, so that its address may be private..."""
    settings: Fetch
    deadline: asyncio.Timeout
    began: float
    """Loop time, as all times here that are not named ``*_at``."""
    ends: float
    """When the fetch must be over."""
    on_sent: Callable[[], None]
    dns: float = 0.0
    connect: float = 0.0
    fresh: bool = False
    """Whether a connection was made for it."""
    waited: bool = False
    """Whether its clock stood still for a while."""
    sent_at: float = 0.0
    """Unix seconds; 0.0 until the request goes out."""
    sent: float = 0.0
    headed: float = 0.0
    """When the header was complete."""
    resolving: bool = False
    handshaking: bool = False
    """Whether TCP has connected, and what TLS there is has still to be agreed upon."""
    sockets: int = 0
    """Made for it so far."""
    inward: frozenset[str] = frozenset()
    """...and to which private addresses it may lead."""
    blocked: str = ""
    """An address that it may not be sent to."""
    out_of_files: bool = False
    proxy: str = ""
    """Host and port of the proxy that it goes through; empty if there is none."""
    let_through: bool = False
    """Whether the proxy has taken it, so that what fails from now on is no longer the proxy's."""
    line: Line | None = None

    @property
    def address(self) -> str:
        """The IP address of the host that answers; empty if that is not known, as behind a proxy."""
        return self.line.address if self.line is not None and not self.proxy else ""

    def connecting(self) -> None:
        """Take note that no kept connection was at hand."""
        self.fresh = True
        self.within(asyncio.get_running_loop().time(), self.settings.connect_timeout)

    def found(self, guard: Guard, host: str, addresses: Iterable[str]) -> None:
        """Take note of what a host's name stands for; to be called before any socket is made for it."""
        if self.proxy:
            self.inward = frozenset(addresses)  # who names a proxy means it, wherever it is
        elif self.trusted:
            self.inward = guard.inward(host, addresses)

    def may_reach(self, guard: Guard, address: str) -> bool:
        """Tell whether an address is worth a try; what is connected to is checked all the same, in ``new_socket``."""
        return guard.allows(address, inward=self.inward)

    def new_socket(self, guard: Guard, address: tuple[Any, ...]) -> socket.socket:
        """Make a socket towards an address, as ``getaddrinfo`` returns it, if it may be reached.

        Raises:
            OSError: it may not, or there is no file descriptor.
        """
        self.handshaking = False
        try:
            made = guard.socket(address, inward=self.inward)
        except AddressBlocked:
            self.blocked = str(address[4][0])
            raise
        except OSError as error:
            self.out_of_files = error.errno in _NO_FILES
            raise
        self.sockets += 1
        return made

    async def connection(self, make: Callable[[], Awaitable[_Made]], let_go: Callable[[], None]) -> _Made:
        """Make a connection; where no file descriptor is free, ``let_go`` of what is kept, and wait for one."""
        loop = asyncio.get_running_loop()
        patience = loop.time() + _FILES_PATIENCE
        while True:
            self.connecting()
            try:
                return await make()
            except OSError:
                if not self.out_of_files or loop.time() > patience:
                    raise
            self.out_of_files = False
            paused = self.paused()
            let_go()
            await asyncio.sleep(_FILES_PAUSE)
            self.resumed(paused)

    def connected(self, line: Line) -> None:
        """Take note that the request goes out now."""
        self.sent, self.sent_at = asyncio.get_running_loop().time(), time.time()
        self.let_through = True
        if self.fresh:
            self.connect = self.sent - self.began - self.dns
        if self.fresh or self.waited:
            self.within(self.sent, self.settings.head_timeout)
        self.line = line
        self.on_sent()

    def paused(self) -> float:
        """Stop the clock, for what is waited for is ours and not the host's; return the time for :meth:`resumed`."""
        self.deadline.reschedule(None)
        return asyncio.get_running_loop().time()

    def resumed(self, paused: float) -> None:
        """Let the clock go on."""
        now = asyncio.get_running_loop().time()
        self.ends += now - paused
        self.waited = True
        self.within(now, self.settings.connect_timeout)

    def within(self, now: float, seconds: float) -> None:
        """Let the next thing happen within so many seconds from ``now``, and before the end of all."""
        self.deadline.reschedule(min(self.ends, now + seconds))
