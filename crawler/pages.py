"""The finished pages of a run, one after another, with room for a few: a caller that takes its time slows the crawl.

An iterator object that the crawler owns, not an async generator: one that yields inside a task group breaks cancelling
(PEP 789).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from crawler.core.records import Page
from crawler.report.report import Report

_MOST_UNDELIVERED = 64


class Pages:
    """The finished pages of a run, in the order of their commits: ``async for page in pages``."""

    def __init__(self, run: Callable[[Callable[[Page], Awaitable[None]]], asyncio.Task[Report]]) -> None:
        self._start = run
        self._run: asyncio.Task[Report] | None = None
        self._pages: deque[Page] = deque()
        self._room = asyncio.Semaphore(_MOST_UNDELIVERED)
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Pages:
        return self

    async def __anext__(self) -> Page:
        if self._run is None:
            self._run = self._start(self._deliver)
            self._run.add_done_callback(lambda _: self._arrived.set())
        while not self._pages:
            if self._run.done():
                self._run.result()
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._room.release()
        return self._pages.popleft()

    async def aclose(self) -> None:
        """End the run; what was fetched and not yet taken is in the archive all the same."""
        if self._run is not None and not self._run.done():
            self._run.cancel()
            await asyncio.wait([self._run])

    async def _deliver(self, page: Page) -> None:
        await self._room.acquire()
        self._pages.append(page)
        self._arrived.set()
