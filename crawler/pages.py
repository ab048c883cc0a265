"""The finished pages of a run, one after another, with room for a few: a caller that takes its time slows the crawl.

Theory of operation
-------------------
Pages are taken in the order of their commits. The first few of them, bounded in number and bytes, are in the *window*;
the crawl is told of each when it gets there, and starts no new page while too many have not got there.

An iterator object that the crawler owns, not an async generator: one that yields inside a task group breaks cancelling
(PEP 789).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from crawler.core.records import Page
from crawler.report.report import Report

MOST_PAGES = 64
MOST_BYTES = 32 << 20
"""What the window holds, at most, unless a single page is larger."""


class Pages:
    """The finished pages of a run, in the order of their commits: ``async for page in pages``."""

    def __init__(self, run: Callable[[Callable[[Page], Awaitable[None]]], asyncio.Task[Report]]) -> None:
        self._start = run
        self._run: asyncio.Task[Report] | None = None
        self._window: deque[Page] = deque()
        self._bytes = 0
        self._outside: deque[tuple[Page, asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Pages:
        return self

    async def __anext__(self) -> Page:
        if self._run is None:
            self._run = self._start(self._deliver)
            self._run.add_done_callback(lambda _: self._arrived.set())
        while not self._window:
            if self._run.done():
                self._run.result()
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        page = self._window.popleft()
        self._bytes -= page.weight
        self._let_in()
        return page

    async def aclose(self) -> None:
        """End the run; what was fetched and not yet taken is in the archive all the same."""
        if self._run is not None and not self._run.done():
            self._run.cancel()
            await asyncio.wait([self._run])

    async def _deliver(self, page: Page) -> None:
        """Return when the page is in the window."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outside.append((page, future))
        self._let_in()
        await future

    def _let_in(self) -> None:
        while self._outside and self._has_room(self._outside[0][0]):
            page, future = self._outside.popleft()
            self._window.append(page)
            self._bytes += page.weight
            if not future.done():  # the run may have ended; its pages are delivered all the same
                future.set_result(None)
            self._arrived.set()

    def _has_room(self, page: Page) -> bool:
        if not self._window:
            return True
        return len(self._window) < MOST_PAGES and self._bytes + page.weight <= MOST_BYTES
