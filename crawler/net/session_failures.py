"""What a failure that aiohttp reports is called."""

from __future__ import annotations

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from crawler.core.outcomes import Outcome
from crawler.net.exchange import Exchange
from crawler.net.failures import causes_of, connection_failure, system_failure, unknown
from crawler.net.wire import Wire


def failure(error: BaseException, exchange: Exchange) -> tuple[Outcome, str]:
    """Give the failure of a request its name; the detail says what was seen."""
    causes = causes_of(error)
    return (
        _refused_by_proxy(error, exchange)
        or connection_failure(causes, exchange)
        or _our_refusal(causes, exchange)
        or _hung_up(error)
        or system_failure(causes, exchange)
        or _http_failure(error, causes)
        or unknown(error, exchange)
    )


def _refused_by_proxy(error: BaseException, exchange: Exchange) -> tuple[Outcome, str] | None:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Outcome.PROXY_FAILED, f"{exchange.proxy}: {error.status} {error.message}".rstrip()
    return None


def _our_refusal(causes: list[BaseException], exchange: Exchange) -> tuple[Outcome, str] | None:
    wire = exchange.line
    if isinstance(wire, Wire) and wire.flooded:
        return Outcome.TOO_LARGE, "far more bytes than the body holds"
    if isinstance(wire, Wire) and wire.foreign:
        return Outcome.HTTP_MALFORMED, "an answer in another protocol than HTTP"
    if isinstance(wire, Wire) and wire.head_too_large:
        return Outcome.HEADER_TOO_LARGE, "the header does not end"
    for cause in causes:
        if isinstance(cause, LineTooLong) or "Too many headers" in str(cause):
            return Outcome.HEADER_TOO_LARGE, getattr(cause, "message", str(cause)).splitlines()[0][:200]
    return None


def _hung_up(error: BaseException) -> tuple[Outcome, str] | None:
    return (Outcome.DISCONNECTED, "the server hung up") if isinstance(error, aiohttp.ServerDisconnectedError) else None


def _http_failure(error: BaseException, causes: list[BaseException]) -> tuple[Outcome, str] | None:
    if isinstance(error, aiohttp.ClientPayloadError):
        if "Not enough data" in " ".join(map(str, causes)):
            return Outcome.BODY_INCOMPLETE, "the body ends too early"
        return Outcome.HTTP_MALFORMED, str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        return Outcome.HTTP_MALFORMED, error.message.splitlines()[0] if error.message else "not HTTP"
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return Outcome.URL_INVALID, str(error)
    return None
