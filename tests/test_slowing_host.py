"""A host that slows down under load is asked for less at a time, and loses nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crawler import Ending, crawl
from tests.test_crawl import changed

PAGES = 20
WELL_WITH = 2
"""Requests at a time that the server is quick with."""
USUAL, OVERLOADED = 0.05, 1.4
"""Seconds that it takes for each of them, and for one that comes while there are more."""


class Weak:
    """A server that can do two things at a time."""

    def __init__(self) -> None:
        self.at_once = 0
        self.arrivals: list[int] = []
        """Of each page asked for: requests that waited for an answer then, itself included."""
        self.before = 0
        """How many of these there were when the first late answer went out."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until its end."""
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(request.split()[1].decode(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.arrivals.append(self.at_once)
        late = self.at_once > WELL_WITH
        await asyncio.sleep(OVERLOADED if late else USUAL)  # being slow is what is played
        links = "".join(f'<a href="/{number}">x</a>' for number in range(PAGES)) if path == "/" else ""
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(links)}\r\n\r\n{links}".encode()
        )
        self.at_once -= 1
        self.before = self.before or late * len(self.arrivals)
        await writer.drain()


@pytest.fixture
async def weak() -> AsyncIterator[tuple[Weak, str]]:
    server = Weak()
    async with await asyncio.start_server(server.talk, "127.0.0.1", 0) as listener:
        yield server, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"


async def test_a_host_that_slows_down_is_asked_for_less_at_a_time(weak: tuple[Weak, str], tmp_path: Path) -> None:
    server, start = weak
    config = changed(politeness={"per_host": 8, "robots": "ignore"})

    report = await crawl([start], config=config, out=tmp_path)

    assert (report.ending, report.pages, report.failed) == (Ending.COMPLETE, PAGES + 1, 0)
    assert max(server.arrivals[: server.before]) == 8
    assert max(server.arrivals[server.before :]) <= 4, server.arrivals
    assert 1 <= report.hosts[0].eased <= 4
