"""What every test is given: websites, an eager configuration, and a look at what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from unittest.mock import Mock

import hypothesis
import pytest

from crawler.config import Config, Fetch, Politeness
from crawler.testing.site import Site
from tests.leftovers import Belongings, reap

EAGER = Config(
    politeness=Politeness(delay=0.0, per_host=8),
    fetch=Fetch(allow_private="always", backoff=0.01, concurrency=16),
)
"""A crawl of a loopback site that waits for nothing."""

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure() -> None:
    """Hear the signals that a suite which was started in the background was told to ignore: its children inherit that.

    A handler of our own is not inherited, so that they begin as in a terminal, and the suite itself still goes on.
    """
    for ignored in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(ignored) is signal.SIG_IGN:
            signal.signal(ignored, lambda *_: None)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test after which a process or a thread is still there that was not there before."""
    before = Belongings.now()
    yield
    left = reap(before)
    assert not left, f"left behind: {'; '.join(left)}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serve a website that is still empty."""
    async with Site() as site:
        yield site


@pytest.fixture
async def sites() -> AsyncIterator[Callable[..., Awaitable[Site]]]:
    """Open websites as a test asks for them: ``await sites("127.0.0.2")``."""
    async with contextlib.AsyncExitStack() as opened:

        async def another(host: str = "127.0.0.1", port: int = 0) -> Site:
            return await opened.enter_async_context(Site(host, port))

        yield another


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Answer aiohttp's requests without a socket: ``canned.get(url, body=b"...")``.

    aioresponses builds aiohttp's response objects itself and, as of 0.7.9, omits an argument that aiohttp 3.14 needs.
    """
    # imported late: most tests need no aiohttp, and it takes a third of a second
    import aiohttp  # noqa: PLC0415
    import aioresponses.core  # noqa: PLC0415

    class Response(aiohttp.ClientResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{"stream_writer": Mock(output_size=0), **kwargs})

    monkeypatch.setattr(aioresponses.core, "ClientResponse", Response)
    with aioresponses.core.aioresponses() as replies:
        yield replies
