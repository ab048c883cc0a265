"""THREAD: Page → its body, on request: from memory where nothing is archived, else from the archive.

Needs nothing of the crawl but its files, so it goes on to work when the crawl is over.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crawler.core.decode import decode_body
from crawler.core.headers import Headers, content_codings
from crawler.core.records import Held, Page, Place
from crawler.errors import NoBody
from crawler.executors import Threads
from crawler.storage.bodies import read_held


class Bodies:
    """Gives pages their bodies.

    Args:
        archive: the archive's folder; None if there is none.
        max_decoded: bytes of a body after decompression, at most.
        max_ratio: decompressed size by compressed size, at most, above 1 MiB.
    """

    def __init__(self, archive: Path | None, *, max_decoded: int, max_ratio: int) -> None:
        self._archive = archive
        self._max_decoded = max_decoded
        self._max_ratio = max_ratio
        self._threads: Threads | None = None

    def open(self, threads: Callable[[], Threads]) -> None:
        """Keep a thread ready while the crawl is open."""
        self._threads = threads()

    def close(self) -> None:
        """Let go of the thread; from now on, each body takes one of its own."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close()

    async def __call__(self, page: Page) -> bytes:
        """Return the body of a page after content decoding.

        Raises:
            NoBody: there is none, or none that can be decoded.
        """
        payload = page.payload
        if payload is None:
            raise NoBody(f"there is none to be had ({page.outcome})", where=page.url)
        if self._threads is not None:
            return await self._threads(self._read, page.url, payload)
        threads = Threads("body", 1)
        try:
            return await threads(self._read, page.url, payload)
        finally:
            threads.close()

    def _read(self, url: str, payload: Held | Place) -> bytes:
        if isinstance(payload, Place):
            assert self._archive is not None  # noqa: S101  it gave us the place
            payload = read_held(self._archive, payload)
        codings = content_codings(",".join(Headers(payload.head).all("content-encoding")))
        decoded = decode_body(payload.body, codings, limit=self._max_decoded, max_ratio=self._max_ratio)
        if decoded.outcome:
            raise NoBody(f"{decoded.outcome.meaning} ({decoded.detail})", where=url)
        return decoded.body
