"""What the failure of a request is called: an outcome, and what exactly was seen.

Here is what the system, the name server and TLS say, which is the same whichever client asked;
what aiohttp says of HTTP is in :mod:`crawler.net.session_failures`.
"""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Sequence

from crawler.core.outcomes import Outcome
from crawler.net.exchange import Exchange

_ERRNO = {
    errno.ECONNREFUSED: Outcome.CONNECT_REFUSED,
    errno.ETIMEDOUT: Outcome.CONNECT_TIMEOUT,
    errno.ECONNRESET: Outcome.CONN_RESET,
    errno.ECONNABORTED: Outcome.CONN_RESET,
    errno.EPIPE: Outcome.CONN_RESET,
    errno.EHOSTUNREACH: Outcome.CONNECT_UNREACHABLE,
    errno.ENETUNREACH: Outcome.CONNECT_UNREACHABLE,
    errno.EAFNOSUPPORT: Outcome.CONNECT_UNREACHABLE,
    errno.EADDRNOTAVAIL: Outcome.CONNECT_UNREACHABLE,
}
_CERTIFICATE = {10: Outcome.TLS_EXPIRED, 9: Outcome.TLS_EXPIRED, 62: Outcome.TLS_HOSTNAME, 64: Outcome.TLS_HOSTNAME}
"""By OpenSSL's X509_V_ERR_* numbers; every other means that nobody trusted vouches for it."""
_TLS_REASONS = {"TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate"}
"""What OpenSSL says, where a person would say it otherwise."""
_NXDOMAIN = (1, 4)
"""ARES_ENODATA and ARES_ENOTFOUND."""
_DNS_TIMEOUT = (3, 11, 12)
"""ARES_ESERVFAIL, ARES_ECONNREFUSED and ARES_ETIMEOUT: the name server that knows did not answer."""


def failure(error: BaseException, exchange: Exchange) -> tuple[Outcome, str]:
    """Give the failure of a request its name; the detail says what was seen."""
    causes = causes_of(error)
    return connection_failure(causes, exchange) or system_failure(causes, exchange) or unknown(error, exchange)


def connection_failure(causes: list[BaseException], exchange: Exchange) -> tuple[Outcome, str] | None:
    """Name what kept a connection from being made: the name, the guard, or TLS."""
    if exchange.resolving:
        return _dns_failure(causes)
    if exchange.blocked and not exchange.sockets:
        return Outcome.ADDRESS_BLOCKED, f"{exchange.blocked} is a private or reserved address"
    if exchange.proxy and not exchange.let_through:
        return Outcome.PROXY_FAILED, f"{exchange.proxy}: {seen(causes)}"
    lost = None if exchange.line is None else exchange.line.lost
    return _tls_failure(causes if lost is None else [*causes, lost])


def seen(causes: Sequence[BaseException]) -> str:
    """Say in few words what the system or the name server said; what libraries wrap around it says no more."""
    for cause in causes:
        if type(cause).__name__ == "DNSError":
            return str(cause.args[-1])
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return os.strerror(cause.errno)
    innermost = causes[-1]
    return str(innermost) or type(innermost).__name__


def system_failure(causes: list[BaseException], exchange: Exchange) -> tuple[Outcome, str] | None:
    """Name what the kernel said."""
    if exchange.handshaking and not exchange.sent and any(isinstance(cause, ConnectionError) for cause in causes):
        return Outcome.DISCONNECTED, "the server hung up amid the TLS handshake"
    lost = None if exchange.line is None else exchange.line.lost
    for cause in (*causes, lost):
        if isinstance(cause, OSError) and cause.errno in _ERRNO:
            outcome = _ERRNO[cause.errno]
            if outcome is Outcome.CONN_RESET and not exchange.fresh and not exchange.headed:
                # The server had closed a connection that we kept, and says so to the request on it.
                outcome = Outcome.DISCONNECTED
            return outcome, os.strerror(cause.errno)
    return None


def unknown(error: BaseException, exchange: Exchange) -> tuple[Outcome, str]:
    """Name what has no other name."""
    if exchange.sent:
        return Outcome.FETCH_FAILED, f"{type(error).__name__}: {str(error) or type(error).__name__}"
    return Outcome.CONNECT_FAILED, seen(causes_of(error))


def too_late(exchange: Exchange, *, tls: bool) -> Outcome:
    """Say what took too long."""
    if (exchange.deadline.when() or 0.0) >= exchange.ends:
        return Outcome.TOTAL_TIMEOUT
    if exchange.headed:
        return Outcome.SLOW_BODY
    if exchange.sent:
        return Outcome.HEAD_TIMEOUT
    if exchange.resolving:
        return Outcome.DNS_TIMEOUT
    return Outcome.TLS_TIMEOUT if tls and exchange.handshaking else Outcome.CONNECT_TIMEOUT


def causes_of(error: BaseException) -> list[BaseException]:
    """Return the error and all that led to it, in order."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is not None and not any(cause is one for one in found):
            found.append(cause)
            waiting += cause.__cause__, getattr(cause, "os_error", None)
    return found


def _dns_failure(causes: list[BaseException]) -> tuple[Outcome, str]:
    code = next((cause.args[0] for cause in causes if type(cause).__name__ == "DNSError" and cause.args), None)
    detail = seen(causes)
    if code in _NXDOMAIN:
        return Outcome.DNS_NXDOMAIN, detail
    return Outcome.DNS_TIMEOUT if code in _DNS_TIMEOUT else Outcome.DNS_FAILED, detail


def _tls_failure(causes: list[BaseException]) -> tuple[Outcome, str] | None:
    # From the innermost, for aiohttp's own errors pass for SSLError too, but know nothing of it.
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE.get(cause.verify_code, Outcome.TLS_UNTRUSTED), cause.verify_message
        if isinstance(cause, ssl.SSLEOFError):
            return Outcome.DISCONNECTED, "the server hung up amid the TLS handshake"
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "reason", None) or str(cause)
            return Outcome.TLS_PROTOCOL, _TLS_REASONS.get(reason, reason)
    return None
