"""LOOP: CrawlURL → Fetched. One request, one answer; whatever goes wrong has a name.

Three deadlines follow one another: to the connection, to the complete header, and to the end of the body,
where the time in total and the lowest rate both count. The body is kept as it came, content coding and all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(slots=True, eq=False)
class _Answer:
    """What is known of an answer so far; the fields are those of :class:`Fetched`, which is made once, at the end."""

    outcome: Outcome | None = None
    detail: str = ""
    status: int = 0
    request: bytes = b""
    head: bytes = b""
    body: bytes = b""
    truncated: str = ""
    address: str = ""
    location: str = ""
    retry_after: float | None = None

    def cut(self, truncated: str, outcome: Outcome, detail: str) -> None:
        """Take note that the body is not whole; what the status says already is the better outcome."""
        self.truncated = truncated
        if self.outcome is None:
            self.outcome, self.detail = outcome, detail


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
        answer = _Answer()
        try:
            async with deadline:
                url = URL(source.url, encoded=True)
                secrets = session.secrets_for(url, source) if trusted and session.secrets else None
                response = await session.client.get(url, headers=secrets, allow_redirects=False)
                try:
                    self._head(answer, source, response, exchange)
                    await self._body(answer, source, response, exchange)
                finally:
                    response.close()
        except TimeoutError:
            late = too_late(exchange, tls=source.url.startswith("https:"))
            answer.cut("time" if exchange.headed else "", late, "")
        except Exception as error:  # noqa: BLE001  whatever a server sends, it ends its own page and not the crawl
            outcome, detail = failure(error, exchange)
            broken = "length" if outcome is Outcome.TOO_LARGE else "disconnect"
            answer.cut(broken if exchange.headed else "", outcome, printable(detail))
        finally:
            current.reset(token)
        answer.body = answer.body or b"".join(exchange.chunks)
        return self._fetched(source, began_at, answer, exchange)

    def _head(self, answer: _Answer, source: CrawlURL, response: aiohttp.ClientResponse, exchange: Exchange) -> None:
        exchange.headed = self._clock()
        wire, url, status = exchange.protocol, response.url, response.status
        assert wire is not None  # noqa: S101  there is no answer without a connection
        answer.status, answer.address = status, wire.address
        answer.head = wire.take_head() or _rebuilt_head(response)
        answer.request = f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {_host(url)}\r\n".encode() + self._request_tail
        answer.outcome = outcome_of(status)
        if answer.outcome is Outcome.REDIRECT and source.kind is not Kind.ROBOTS:
            target, limit = Headers(answer.head).get("location"), self._settings.redirects
            answer.outcome, answer.location, detail = follow(source, target, limit=limit)
            answer.detail = printable(detail)
        elif answer.outcome is not None:
            answer.detail = printable(f"{status} {response.reason or ''}".rstrip())
        if (wait := response.headers.get("Retry-After")) is not None:
            answer.retry_after = retry_after(wait, time.time(), limit=self._max_retry_after)

    async def _body(
        self, answer: _Answer, source: CrawlURL, response: aiohttp.ClientResponse, exchange: Exchange
    ) -> None:
        settings, content = self._settings, response.content
        # Of a robots.txt the beginning is of use even where all of it would be too much.
        robots = source.kind is Kind.ROBOTS
        most = MAX_ROBOTS if robots else settings.max_body
        if (announced := response.content_length or 0) > most and not robots:
            answer.cut("length", Outcome.TOO_LARGE, f"{announced} bytes announced")
            return
        start, chunks, size = self._clock(), exchange.chunks, 0
        if not content.is_eof():
            patience = settings.lowest_rate_after if settings.lowest_rate else inf
            exchange.deadline.reschedule(min(exchange.ends, start + patience))
        while chunk := await content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                answer.body = b"".join(chunks)[:most]
                answer.cut("length", Outcome.TOO_LARGE, f"more than {most} bytes")
                return
            if settings.lowest_rate and not content.is_eof():
                patience = max(settings.lowest_rate_after, size / settings.lowest_rate)
                exchange.deadline.reschedule(min(exchange.ends, start + patience))

    def _fetched(self, source: CrawlURL, began_at: float, answer: _Answer, exchange: Exchange) -> Fetched:
        ended = self._clock()
        headed = exchange.headed or ended
        timings = Timings(
            dns=exchange.dns,
            connect=exchange.connect,
            first_byte=headed - exchange.sent if exchange.sent else 0.0,
            body=ended - headed,
            reused=not exchange.fresh,
        )
        return Fetched(
            source,
            began_at,
            exchange.sent_at,
            answer.outcome,
            answer.detail,
            answer.status,
            answer.request,
            answer.head,
            answer.body,
            answer.truncated,
            answer.address,
            answer.location,
            answer.retry_after,
            timings,
        )


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
