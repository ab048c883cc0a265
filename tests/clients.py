"""Both HTTP clients, opened alike: what is asked of one is asked of the other."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Literal, TypeAlias, get_args

from crawler.config import Access, Fetch
from crawler.net.lean import LeanSession
from crawler.net.room import Room
from crawler.net.session import Session
from crawler.stages.fetch import Fetcher
from crawler.stages.fetch_aiohttp import HttpFetcher
from crawler.stages.fetch_lean import LeanFetcher

Client: TypeAlias = Literal["aiohttp", "lean"]
CLIENTS: tuple[Client, ...] = get_args(Client)


@contextlib.asynccontextmanager
async def opened(
    client: Client,
    settings: Fetch,
    access: Access = Access(),  # noqa: B008  frozen
) -> AsyncIterator[tuple[Session | LeanSession, Fetcher]]:
    """Open a client and what fetches by it."""
    if client == "lean":
        async with LeanSession(settings, access) as lean:
            yield lean, LeanFetcher(lean, settings, Room(0, 0), max_retry_after=60.0)
        return
    async with Session(settings, access) as session:
        yield session, HttpFetcher(session, settings, Room(0, 0), max_retry_after=60.0)
