"""LOOP: CrawlURL → Fetched by the caller's fetcher, where it wants to; else by our own client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from crawler.config import Fetch
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind, Timings
from crawler.core.redirect import follow, outcome_of
from crawler.core.text import printable
from crawler.seams import Answer, PageFetcher
from crawler.stages.fetch import Fetcher

_STATUSES = range(100, 600)
_NOT_SO = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that would say of the body what it is not."""


class FetchBy:
    """Fetch by what the caller brought.

    Args:
        fetcher: the caller's.
        ours: what fetches the rest, robots.txt always.
        settings: deadlines and caps.
    """

    def __init__(self, fetcher: PageFetcher, ours: Fetcher, settings: Fetch) -> None:
        self._fetcher = fetcher
        self._ours = ours
        self._settings = settings

    async def __call__(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        """Fetch ``source``; see :class:`crawler.stages.fetch.Fetcher`."""
        if source.kind is Kind.ROBOTS:
            return await self._ours(source, trusted=trusted, sent=sent)
        began_at, began = time.time(), time.monotonic()
        answer: Answer | None = None
        outcome, detail = None, ""
        try:
            async with asyncio.timeout(self._settings.total_timeout):
                answer = await self._fetcher.fetch(source)
            if answer is None:
                return await self._ours(source, trusted=trusted, sent=sent)
            _check(answer)
        except TimeoutError:
            outcome = Outcome.TOTAL_TIMEOUT
        except Exception as error:  # noqa: BLE001  whatever the caller's code does, it ends its own page
            answer, outcome = None, Outcome.FETCH_FAILED
            detail = printable(f"{type(error).__name__}: {error}")
        sent()
        timings = Timings(first_byte=time.monotonic() - began)
        if answer is None:
            return Fetched(source, began_at, began_at, outcome, detail, timings=timings)
        return self._fetched(source, began_at, answer, timings)

    def _fetched(self, source: CrawlURL, began_at: float, answer: Answer, timings: Timings) -> Fetched:
        outcome, location, detail = outcome_of(answer.status), "", ""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if outcome is Outcome.REDIRECT:
            outcome, location, detail = follow(source, headers.get("location"), limit=self._settings.redirects)
        elif outcome is not None:
            detail = str(answer.status)
        body, truncated, most = answer.body, "", self._settings.max_body
        if len(body) > most:
            body, truncated = body[:most], "length"
            if outcome is None:
                outcome, detail = Outcome.TOO_LARGE, f"more than {most} bytes"
        return Fetched(
            source,
            began_at,
            began_at,
            outcome,
            printable(detail),
            status=answer.status,
            head=_head(answer.status, headers, len(body)),
            body=body,
            truncated=truncated,
            location=location,
            timings=timings,
        )


def _check(answer: Answer) -> None:
    if not isinstance(answer, Answer):
        raise TypeError(f"the fetcher returned {type(answer).__name__}, not an Answer or None")
    if answer.status not in _STATUSES:
        raise ValueError(f"{answer.status!r} is no HTTP status")
    if not isinstance(answer.body, bytes):
        raise TypeError(f"the body is of type {type(answer.body).__name__}, not bytes")


def _head(status: int, headers: dict[str, str], length: int) -> bytes:
    """Write the header of an answer that had none of its own."""
    fields = {name: value for name, value in headers.items() if name not in _NOT_SO}
    fields.setdefault("content-type", "text/html; charset=utf-8")
    lines = [f"HTTP/1.1 {status}", *(_line(name, value) for name, value in fields.items()), f"content-length: {length}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _line(name: str, value: str) -> str:
    return " ".join(f"{name}: {value}".split())
