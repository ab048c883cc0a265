"""Both HTTP clients, opened alike: what is asked of one is asked of the other."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Literal, TypeAlias, get_args

from msgspec.structs import replace

from crawler.config import Access, Fetch
from crawler.net.lean import LeanSession
from crawler.net.room import Room
from crawler.net.session import Session
from crawler.stages.client import fetcher, new_client
from crawler.stages.fetch import Fetcher

Client: TypeAlias = Literal["aiohttp", "lean"]
CLIENTS: tuple[Client, ...] = get_args(Client)


@contextlib.asynccontextmanager
async def opened(
    client: Client,
    settings: Fetch,
    access: Access = Access(),  # noqa: B008  frozen
) -> AsyncIterator[tuple[Session | LeanSession, Fetcher]]:
    """Open a client and what fetches by it."""
    chosen = replace(settings, client=client)
    async with new_client(chosen, access) as session:
        yield session, fetcher(session, chosen, Room(0, 0), max_retry_after=60.0)
