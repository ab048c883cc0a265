"""LOOP: CrawlURL → Fetched. One request, one answer; whatever goes wrong has a name.

Three deadlines follow one another: to the connection, to the complete header, and to the end of the body,
where the time in total and the lowest rate both count. The body is kept as it came, content coding and all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

import aiohttp
from yarl import URL

from crawler.config import Fetch
from crawler.core.headers import Headers, retry_after
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind, Timings
from crawler.core.redirect import follow, outcome_of
from crawler.core.text import printable
from crawler.net.exchange import Exchange, current
from crawler.net.failures import failure, too_late
from crawler.net.session import Session, request_tail


MAX_ROBOTS = 512 * 1024
"""Bytes of a robots.txt that count; RFC 9309 §2.5 asks for 500 KiB at least."""


class Fetcher(Protocol):
    """Fetches one URL: the seam at which another client can be put in."""

    async def __call__(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        """Fetch ``source``; never raise for what a server or the network does.

        Args:
            source: what to fetch.
            trusted: whether a seed names its host, so that its address may be private.
            sent: to be called once, at the moment the request goes out; ``Fetched.sent_at`` is then not 0.0.
        """


@dataclass(frozen=True, slots=True)
class _Body:
    payload: bytes
    truncated: str = ""
    outcome: Outcome | None = None
    detail: str = ""


class HttpFetcher:
    """Fetch by aiohttp.

    Args:
        session: the client, already open.
        settings: deadlines and caps.
        max_retry_after: seconds; a longer Retry-After is cut to this.
    """

    def __init__(self, session: Session, settings: Fetch, *, max_retry_after: float) -> None:
        self._session = session
        self._settings = settings
        self._max_retry_after = max_retry_after
        self._request_tail = request_tail(session.headers)
        self._clock: Callable[[], float] = asyncio.get_running_loop().time

    async def __call__(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        """Fetch ``source``; see :class:`Fetcher`."""
        began_at, began = time.time(), self._clock()
        settings, session = self._settings, self._session
        ends = began + settings.total_timeout
        deadline = asyncio.timeout_at(min(ends, began + settings.head_timeout))
        exchange = Exchange(trusted, settings, deadline, began, ends, sent)
        token = current.set(exchange)
        answer = Fetched(source, began_at, 0.0, None)
        try:
            async with deadline:
                url, secrets = URL(source.url, encoded=True), session.secrets if trusted else None
                response = await session.client.get(url, headers=secrets, allow_redirects=False)
                try:
                    answer = self._head(answer, response, exchange)
                    body = await self._body(response, exchange, cut=source.kind is Kind.ROBOTS)
                finally:
                    response.close()
                answer = _with_body(answer, body)
        except TimeoutError:
            answer = _with_body(answer, _too_late(exchange, source))
        except Exception as error:  # noqa: BLE001  whatever a server sends, it ends its own page and not the crawl
            outcome, detail = failure(error, exchange)
            answer = replace(answer, outcome=outcome, detail=printable(detail))
        finally:
            current.reset(token)
        return self._timed(answer, exchange)

    def _head(self, answer: Fetched, response: aiohttp.ClientResponse, exchange: Exchange) -> Fetched:
        exchange.headed = self._clock()
        wire = exchange.protocol
        assert wire is not None  # noqa: S101  there is no answer without a connection
        head = wire.take_head() or _rebuilt_head(response)
        headers = Headers(head)
        url, status = response.url, response.status
        outcome, location, detail = outcome_of(status), "", ""
        if outcome is Outcome.REDIRECT and answer.source.kind is not Kind.ROBOTS:
            target = headers.get("location")
            outcome, location, detail = follow(answer.source, target, limit=self._settings.redirects)
        elif outcome is not None:
            detail = f"{status} {printable(response.reason or '')}".rstrip()
        wait = headers.get("retry-after")
        return replace(
            answer,
            outcome=outcome,
            detail=printable(detail),
            status=status,
            request=f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {_host(url)}\r\n".encode() + self._request_tail,
            head=head,
            address=wire.address,
            location=location,
            retry_after=None if wait is None else retry_after(wait, time.time(), limit=self._max_retry_after),
        )

    async def _body(self, response: aiohttp.ClientResponse, exchange: Exchange, *, cut: bool) -> _Body:
        """Read the body; with ``cut`` its beginning is of use even where all of it would be too much."""
        settings, content = self._settings, response.content
        most = MAX_ROBOTS if cut else settings.max_body
        if (announced := response.content_length or 0) > most and not cut:
            return _Body(b"", "length", Outcome.TOO_LARGE, f"{announced} bytes announced")
        start = self._clock()
        last, chunks, size = exchange.ends, exchange.chunks, 0
        if not content.is_eof():
            patience = settings.lowest_rate_after if settings.lowest_rate else inf
            exchange.deadline.reschedule(min(last, start + patience))
        try:
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > most:
                    kept = b"".join(chunks)[:most]
                    return _Body(kept, "length", Outcome.TOO_LARGE, f"more than {most} bytes")
                if settings.lowest_rate and not content.is_eof():
                    patience = max(settings.lowest_rate_after, size / settings.lowest_rate)
                    exchange.deadline.reschedule(min(last, start + patience))
        except (aiohttp.ClientError, OSError) as error:
            outcome, detail = failure(error, exchange)
            why = "length" if outcome is Outcome.TOO_LARGE else "disconnect"
            return _Body(b"".join(chunks), why, outcome, printable(detail))
        return _Body(chunks[0] if len(chunks) == 1 else b"".join(chunks))

    def _timed(self, answer: Fetched, exchange: Exchange) -> Fetched:
        ended = self._clock()
        headed = exchange.headed or ended
        timings = Timings(
            dns=exchange.dns,
            connect=exchange.connect,
            first_byte=headed - exchange.sent if exchange.sent else 0.0,
            body=ended - headed,
            reused=not exchange.fresh,
        )
        return replace(answer, sent_at=exchange.sent_at, timings=timings)


def _with_body(answer: Fetched, body: _Body) -> Fetched:
    if body.outcome is None:
        return replace(answer, body=body.payload)
    outcome = body.outcome if answer.outcome is None else answer.outcome
    detail = body.detail if answer.outcome is None else answer.detail
    return replace(answer, body=body.payload, truncated=body.truncated, outcome=outcome, detail=detail)


def _host(url: URL) -> str:
    host = url.host_port_subcomponent
    return host or ""


def _rebuilt_head(response: aiohttp.ClientResponse) -> bytes:
    """Write the header anew where its bytes were too irregular to be told from the body."""
    version = response.version or aiohttp.HttpVersion11
    status = f"HTTP/{version.major}.{version.minor} {response.status} {response.reason or ''}".encode(
        "latin-1", "replace"
    )
    return b"\r\n".join([status, *(name + b": " + value for name, value in response.raw_headers), b"", b""])


def _too_late(exchange: Exchange, source: CrawlURL) -> _Body:
    """Say what took too long, and keep what there is of the body."""
    outcome = too_late(exchange, tls=source.url.startswith("https:"))
    return _Body(b"".join(exchange.chunks), "time" if exchange.headed else "", outcome)
