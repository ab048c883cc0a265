"""Room for bodies: how many bytes of them a crawl holds at once, from their coming until their page is done with.

Theory of operation
-------------------
Whoever holds a body counts it here: first the fetch while it comes, then the pipeline until its commit, then the engine
until the caller has taken the page.
Where that comes to more than there is room for, a body that is still coming is not read on, so TCP holds its server
up; it goes on when others have landed. Nobody waits for the first :data:`FREE` bytes of a body: so ordinary pages pass
however many large ones wait, and cost nothing here while they come.

Where bodies that are still coming fill the room by themselves, they would wait for each other; so one of them is
*favoured*, and goes on although there is no room. If it brings next to nothing it loses its turn to the next, unless
they have come so far beyond the bound that only its end can help. The one after it must wait until it has landed and
left, or bodies would come faster than they are done with.
What is held is therefore never more than the bound, three bodies of the largest size, and for each page on its way
:data:`FREE` bytes and what its client reads at once.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from crawler.net.exchange import Exchange

FREE = 256 * 1024
"""Bytes of a body that never wait: as many as one read may bring."""
_TURN = 1.0
"""Seconds in which a favoured body must bring :data:`FREE` bytes, or another is favoured."""


class Coming(Protocol):
    """A body that is still coming."""

    def hold(self) -> None:
        """Read no more of it for now."""

    def go_on(self) -> None:
        """Read on."""


class Room:
    """Bytes of bodies that are held, and bodies that wait to be read on.

    Args:
        most: bytes that may be held; 0 is no bound.
        largest: bytes of one body, at most.
    """

    def __init__(self, most: int, largest: int) -> None:
        self.most: float = most or inf
        self._largest = largest
        self.held = 0
        self._coming = 0
        """Bytes held of bodies that are still coming."""
        self._waiting: dict[Coming, None] = {}
        self._favoured: Coming | None = None
        self._brought = 0
        """Bytes that the favoured one has brought in its turn."""
        self._turn: asyncio.TimerHandle | None = None
        self._look: asyncio.Handle | None = None

    @property
    def waiting(self) -> int:
        """How many bodies are not read on."""
        return len(self._waiting)

    def came(self, body: Coming, size: int) -> None:
        """Count bytes of a body that is coming."""
        self.held += size
        self._coming += size
        if body is self._favoured:
            self._brought += size

    def reads_on(self, body: Coming) -> None:
        """Hold a body of which more is to come, if there is no room for it."""
        if self.held < self.most or body is self._favoured:
            return
        if self._stuck:
            self._favour(body)
            return
        self._waiting[body] = None
        body.hold()

    def ended(self, body: Coming, size: int) -> None:
        """Count a body no more that was coming; who holds it from now on counts it anew before anybody else's turn."""
        self._waiting.pop(body, None)
        if body is self._favoured:
            self._favour(None)
        self._coming -= size
        self.left(size)

    def left(self, size: int) -> None:
        """Count bytes no more."""
        self.held -= size
        if self._waiting and self._look is None:
            self._look = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Let as many go on as there is room for, or the one that is favoured."""
        self._look = None
        places = -(-(self.most - self.held) // FREE)  # the last one may be smaller
        while self._waiting and (places > 0 or self._stuck):
            body = next(iter(self._waiting))
            del self._waiting[body]
            if places <= 0:
                self._favour(body)
            places -= 1
            body.go_on()

    @property
    def _stuck(self) -> bool:
        """Whether nobody would go on unless one is favoured: what has landed makes no room for another body."""
        landed = self.held - self._coming
        return self._favoured is None and self._coming >= self.most and landed < self._largest

    def _favour(self, body: Coming | None) -> None:
        if self._turn is not None:
            self._turn.cancel()
        self._favoured, self._brought = body, 0
        self._turn = None if body is None else asyncio.get_running_loop().call_later(_TURN, self._turned)

    def _turned(self) -> None:
        """Look whether the favoured one has made use of its turn; if not, it will wait with its next byte."""
        stays = self._brought >= FREE or self._coming >= self.most + self._largest
        self._favour(self._favoured if stays and self._coming >= self.most else None)
        if self._waiting:
            self._go_on()


class LargeBody:
    """A body of more than :data:`FREE` bytes while it comes.

    The clock of its fetch stands still while it waits, for that is no fault of the server's; but it waits no longer in
    sum than a fetch may take in all, so that servers which send much and then nothing cannot keep each other alive.
    """

    def __init__(self, exchange: Exchange, room: Room) -> None:
        self._exchange = exchange
        self._room = room
        self._counted = 0
        self._patience = exchange.settings.total_timeout
        self.held = False
        self._stood = 0.0, 0.0, 0.0
        """When it was held, and how long it would have had then: to what comes next, and to its end."""
        self.waited = 0.0
        """Seconds in sum."""

    def grown(self, size: int) -> None:
        """Take note that so many bytes of it have come by now."""
        self._room.came(self, size - self._counted)
        self._counted = size

    def reads_on(self) -> None:
        """Take note that more of it is to come, which may have to wait."""
        self._room.reads_on(self)

    def ended(self) -> None:
        """Take note that no more of it will come; what was read ahead may have been all of it."""
        self._room.ended(self, self._counted)
        if self.held and self._exchange.line is not None:
            self._exchange.line.go_on()

    def hold(self) -> None:
        """Read no more of it for now."""
        exchange, now = self._exchange, asyncio.get_running_loop().time()
        self.held = True
        self._stood = now, (exchange.deadline.when() or exchange.ends) - now, exchange.ends - now
        exchange.ends = now + self._patience
        exchange.within(now, inf)
        if exchange.line is not None:
            exchange.line.hold()

    def go_on(self) -> None:
        """Read on."""
        exchange, now = self._exchange, asyncio.get_running_loop().time()
        since, next_within, ends_within = self._stood
        self.held = False
        self._patience -= now - since
        self.waited += now - since
        exchange.ends = now + ends_within
        exchange.within(now, next_within)
        if exchange.line is not None:
            exchange.line.go_on()
