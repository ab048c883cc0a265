"""LOOP: CrawlURL → Fetched. One request, one answer; whatever goes wrong has a name.

Three deadlines follow one another: to the connection, to the complete header, and to the end of the body,
where the time in total and the lowest rate both count. The body is kept as it came, content coding and all.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import aiohttp
from aiohttp.http_exceptions import LineTooLong
from yarl import URL

from crawler.config import Fetch
from crawler.core.headers import Headers, retry_after
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind, Timings
from crawler.core.redirect import follow, outcome_of
from crawler.core.text import printable
from crawler.net.guard import AddressBlocked
from crawler.net.session import Exchange, Session, current, request_tail


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
        settings = self._settings
        deadline = asyncio.timeout_at(began + settings.head_timeout)
        exchange = Exchange(trusted, settings, deadline, began, sent)
        token = current.set(exchange)
        answer = Fetched(source, began_at, 0.0, None)
        try:
            async with deadline:
                response = await self._session.client.get(URL(source.url, encoded=True), allow_redirects=False)
                try:
                    answer = self._head(answer, response, exchange)
                    body = await self._body(response, exchange)
                finally:
                    response.close()
                answer = _with_body(answer, body)
        except TimeoutError:
            answer = replace(answer, outcome=_too_late(exchange, source), detail="")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            outcome, detail = _failure(error, exchange)
            answer = replace(answer, outcome=outcome, detail=printable(detail))
        finally:
            current.reset(token)
        return self._timed(answer, exchange)

    def _head(self, answer: Fetched, response: aiohttp.ClientResponse, exchange: Exchange) -> Fetched:
        exchange.headed = self._clock()
        wire = exchange.protocol
        assert wire is not None  # noqa: S101  there is no answer without a connection
        head = wire.head or _rebuilt_head(response)
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

    async def _body(self, response: aiohttp.ClientResponse, exchange: Exchange) -> _Body:
        settings, content = self._settings, response.content
        if (announced := response.content_length or 0) > settings.max_body:
            return _Body(b"", "length", Outcome.TOO_LARGE, f"{announced} bytes announced")
        start = self._clock()
        last = exchange.began + settings.total_timeout
        if not content.is_eof():
            exchange.deadline.reschedule(min(last, start + settings.lowest_rate_after))
        chunks: list[bytes] = []
        size = 0
        try:
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > settings.max_body:
                    kept = b"".join(chunks)[: settings.max_body]
                    return _Body(kept, "length", Outcome.TOO_LARGE, f"more than {settings.max_body} bytes")
                if settings.lowest_rate and not content.is_eof():
                    patience = max(settings.lowest_rate_after, size / settings.lowest_rate)
                    exchange.deadline.reschedule(min(last, start + patience))
        except (aiohttp.ClientError, OSError) as error:
            outcome, detail = _failure(error, exchange)
            return _Body(b"".join(chunks), "disconnect", outcome, printable(detail))
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


def _too_late(exchange: Exchange, source: CrawlURL) -> Outcome:
    if exchange.headed:
        slow = exchange.deadline.when() or 0.0
        return Outcome.SLOW_BODY if slow < exchange.began + exchange.settings.total_timeout else Outcome.TOTAL_TIMEOUT
    if exchange.sent:
        return Outcome.HEAD_TIMEOUT
    if exchange.resolving:
        return Outcome.DNS_TIMEOUT
    if source.url.startswith("https:") and exchange.handshaking:
        return Outcome.TLS_TIMEOUT
    return Outcome.CONNECT_TIMEOUT


# failures, from the most to the least specific

_ERRNO = {
    errno.ECONNREFUSED: Outcome.CONNECT_REFUSED,
    errno.ETIMEDOUT: Outcome.CONNECT_TIMEOUT,
    errno.ECONNRESET: Outcome.CONN_RESET,
    errno.EPIPE: Outcome.CONN_RESET,
    errno.EHOSTUNREACH: Outcome.CONNECT_UNREACHABLE,
    errno.ENETUNREACH: Outcome.CONNECT_UNREACHABLE,
    errno.EAFNOSUPPORT: Outcome.CONNECT_UNREACHABLE,
    errno.EADDRNOTAVAIL: Outcome.CONNECT_UNREACHABLE,
}
_CERTIFICATE = {10: Outcome.TLS_EXPIRED, 9: Outcome.TLS_EXPIRED, 62: Outcome.TLS_HOSTNAME, 64: Outcome.TLS_HOSTNAME}
"""By OpenSSL's X509_V_ERR_* numbers; every other means that nobody trusted vouches for it."""
_NXDOMAIN = (1, 4)
"""ARES_ENODATA and ARES_ENOTFOUND."""
_DNS_TIMEOUT = (11, 12)
"""ARES_ECONNREFUSED and ARES_ETIMEOUT: no name server answered."""


def _failure(error: BaseException, exchange: Exchange) -> tuple[Outcome, str]:
    """Give the failure of a request its name; the detail says what was seen."""
    text = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _dns_failure(error), text
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, AddressBlocked) or "is a private or reserved address" in str(cause):
            return Outcome.ADDRESS_BLOCKED, str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE.get(cause.verify_code, Outcome.TLS_UNTRUSTED), cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return Outcome.TLS_PROTOCOL, cause.reason or str(cause)
    if (exchange.protocol is not None and exchange.protocol.head_too_large) or _header_too_large(causes):
        return Outcome.HEADER_TOO_LARGE, text
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Outcome.DISCONNECTED, "the server hung up"
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _ERRNO:
            return _ERRNO[cause.errno], text
    if isinstance(error, aiohttp.ClientPayloadError):
        short = "Not enough data" in " ".join(map(str, causes))
        return (Outcome.BODY_INCOMPLETE, "the body ends too early") if short else (Outcome.HTTP_MALFORMED, text)
    if isinstance(error, aiohttp.ClientResponseError):
        return Outcome.HTTP_MALFORMED, error.message.splitlines()[0] if error.message else "not HTTP"
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return Outcome.URL_INVALID, text
    if isinstance(error, OSError) and not exchange.sent:
        return Outcome.CONNECT_FAILED, text
    return Outcome.FETCH_FAILED, f"{type(error).__name__}: {text}"


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        if isinstance(error, aiohttp.ClientConnectorError) and error.os_error not in found:
            found.append(error.os_error)
        error = error.__cause__
    return found


def _dns_failure(error: aiohttp.ClientConnectorDNSError) -> Outcome:
    code = next((cause.args[0] for cause in _causes(error) if type(cause).__name__ == "DNSError"), None)
    if code in _NXDOMAIN:
        return Outcome.DNS_NXDOMAIN
    return Outcome.DNS_TIMEOUT if code in _DNS_TIMEOUT else Outcome.DNS_FAILED


def _header_too_large(causes: tuple[BaseException, ...]) -> bool:
    return any(isinstance(cause, LineTooLong) or "Too many headers" in str(cause) for cause in causes)
