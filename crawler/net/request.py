"""What goes out, by whichever client: request headers, secrets, whom to trust, and how many connections there may be.

Connections share the process's file descriptors with the archive, the database, the workers and the caller.
So of those that are free when the crawl begins, half may be connections in use and half connections that are kept;
who must wait for one waits without his clock running.
"""

from __future__ import annotations

import re
import resource
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from crawler.config import Fetch
from crawler.core.records import CrawlURL, Kind
from crawler.core.url import host_key, host_name
from crawler.errors import ConfigError

KEEP_ALIVE = 30.0
"""Seconds that a connection is kept for the next request."""
DNS_TTL = 300.0
"""Seconds that the addresses of a name are trusted."""
MOST_ADDRESSES = 3
"""Of one family and host that are tried: a name with a hundred must not make us knock a hundred times."""
_SPARE_FILES = 32

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
_OURS = frozenset({"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"})
"""What frames a message, and so is not for the settings to say."""
_is_name = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch
_is_value = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch


class RequestHeaders:
    """The headers that every request carries, those for hosts that a seed names, and those for one origin.

    Args:
        settings: how pages are requested.
        for_origin: returns what is for one origin alone.

    Raises:
        ConfigError: one of the settings cannot be sent, or would frame the request anew.
    """

    def __init__(self, settings: Fetch, for_origin: Callable[[str], Mapping[str, str]] = lambda _: {}) -> None:
        self._for_origin = for_origin
        headers = request_headers(settings)
        self.open = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
        self.secret = {name: value for name, value in headers.items() if name.lower() in _SECRET}
        self._tail = request_tail(self.open)
        self._over_tls: set[str] = set()
        """Names of hosts that were sent secrets over TLS, and so get none without it."""

    def private_to(self, source: CrawlURL, *, trusted: bool) -> Mapping[str, str]:
        """Return the headers that not every request carries; ``trusted`` if a seed names the host."""
        own, secrets = (
            self._for_origin(host_key(source.url)),
            self.secrets_for(source) if trusted and self.secret else None,
        )
        if not secrets:
            return own
        taken = {name.lower() for name in own}
        return {name: value for name, value in secrets.items() if name.lower() not in taken} | dict(own)

    def tail(self, origin: str) -> bytes:
        """Return the headers of a request as bytes for the archive, without what is secret or for one origin alone."""
        own = {name.lower() for name in self._for_origin(origin)}
        if not own:
            return self._tail
        return request_tail({name: value for name, value in self.open.items() if name.lower() not in own})

    def secrets_for(self, source: CrawlURL) -> dict[str, str] | None:
        """Return the secret headers for a host that a seed names; none where a link or a redirect gives up TLS.

        A redirect must not lead them elsewhere, so who asks for another host asks in vain.
        """
        if not self.secret:
            return None
        host = host_name(source.url)
        if source.url.startswith("https:"):
            self._over_tls.add(host)
        elif source.kind is not Kind.SEED and (
            host in self._over_tls or any(one.startswith("https:") for one in (source.via or "", *source.chain))
        ):
            return None
        return self.secret


def request_headers(settings: Fetch) -> dict[str, str]:
    """Return the headers that every request carries, besides Host, in the order in which they are sent.

    Raises:
        ConfigError: one of the settings cannot be sent, or would frame the request anew.
    """
    agent = f"{settings.user_agent} (+{settings.contact})" if settings.contact else settings.user_agent
    headers = {
        "User-Agent": agent,
        "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "Accept-Encoding": "gzip, deflate, br, zstd",
    }
    usual = {name.lower(): name for name in headers}
    for name, value in settings.headers.items():
        check_header(name, value, "fetch.headers")
        headers[usual.get(name.lower(), name)] = value
    if not _is_value(headers["User-Agent"]):
        raise ConfigError("a control character in the User-Agent header")
    return headers


def check_header(name: str, value: str, where: str) -> None:
    """Refuse a header that cannot be sent, or would frame the request anew.

    Raises:
        ConfigError: it is such a one.
    """
    if not _is_name(name) or name.lower() in _OURS:
        raise ConfigError(f"{where}: {name!a} is no header of yours to set")
    if not _is_value(value):
        raise ConfigError(f"{where}: a control character in the {name} header")


def request_tail(headers: Mapping[str, str]) -> bytes:
    """Return these headers as bytes for the archive, up to and with the empty line, without what is secret."""
    lines = (f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() not in _SECRET)
    return ("".join(lines) + "\r\n").encode("utf-8")


def room_for_connections() -> int:
    """Return how many connections may be in use, and as many again be kept, by the file descriptors that are free.

    0 is no limit.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return 0
    try:
        taken = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        taken = 64
    return max(1, (limit - taken - min(_SPARE_FILES, limit // 8)) // 2)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return what verifies certificates: by the system's authorities, and by those of a PEM file if one is named.

    Raises:
        ConfigError: it is no such file.
    """
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"is no file of certificates in PEM format ({error})", where=ca_file) from error
    return context
