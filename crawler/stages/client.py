"""LOOP: the HTTP client that the settings choose, and what fetches by it.

Each is imported where it is used and nowhere else: aiohttp takes 200 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from crawler.config import Access, Fetch
from crawler.net.room import Room
from crawler.stages.fetch import Fetcher

if TYPE_CHECKING:
    from crawler.net.lean import LeanSession
    from crawler.net.session import Session

Client: TypeAlias = "Session | LeanSession"


def new_client(settings: Fetch, access: Access) -> Client:
    """Make the client, to be opened by ``async with``; this imports it and blocks, for some 50 ms after the first time.

    Raises:
        ConfigError: one of the settings cannot be used.
    """
    if settings.client == "lean":
        from crawler.net.lean import LeanSession  # noqa: PLC0415

        return LeanSession(settings, access)
    from crawler.net.session import Session  # noqa: PLC0415

    return Session(settings, access)


def fetcher(client: Client, settings: Fetch, room: Room, *, max_retry_after: float) -> Fetcher:
    """Return what fetches by an open client; the arguments are those of :class:`~crawler.stages.fetch.ByClient`."""
    if settings.client == "lean":
        from crawler.stages.fetch_lean import LeanFetcher  # noqa: PLC0415

        return LeanFetcher(cast("LeanSession", client), settings, room, max_retry_after=max_retry_after)
    from crawler.stages.fetch_aiohttp import HttpFetcher  # noqa: PLC0415

    return HttpFetcher(cast("Session", client), settings, room, max_retry_after=max_retry_after)
