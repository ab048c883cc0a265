"""The HTTP proxy that all requests go through, and what can still be guarded then.

The proxy connects, so the address of the host is not seen here. What is left is to look the name up and to send no
request for a host that is private by its address or by its name. The proxy's own look-up may find something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from crawler.core.url import credentials, host_key, host_name, normalise, redact
from crawler.errors import ConfigError
from crawler.net.access import basic
from crawler.net.exchange import Exchange
from crawler.net.guard import AddressBlocked, Guard

_MOST_NAMES = 65_536
_LOCAL = ("localhost", "local", "internal", "home.arpa", "lan")
"""Ends of names that are private wherever they are looked up (RFC 6761, RFC 6762, RFC 8375)."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    url: str
    """Without user-info."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """What it is shown, and nobody else."""

    @property
    def name(self) -> str:
        """Host and port, for a person."""
        return self.url.removeprefix("http://").removesuffix("/")


def proxy_of(text: str) -> Proxy | None:
    """Read the setting; None if it is empty.

    Raises:
        ConfigError: it is not the URL of an HTTP proxy.
    """
    if not text:
        return None
    try:
        url = normalise(text.strip())
    except ValueError:
        url = ""
    if not url.startswith("http://") or url != f"{host_key(url)}/":
        raise ConfigError(
            f"access.proxy: '{redact(text)}' is not the URL of an HTTP proxy, such as http://user:password@host:3128"
        )
    found = credentials(text)
    return Proxy(url, {"Proxy-Authorization": basic(*found)} if found else {})


class Names:
    """What names stand for, as far as can be seen from behind a proxy; what was seen is remembered for a while.

    Args:
        look_up: returns the addresses of a URL's host; none if they cannot be had from here.
        trusted_for: seconds that an answer is remembered.
    """

    def __init__(self, look_up: Callable[[str], Awaitable[tuple[str, ...]]], *, trusted_for: float) -> None:
        self._look_up = look_up
        self._trusted_for = trusted_for
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def addresses(self, url: str) -> tuple[str, ...]:
        """Return the addresses of a URL's host; none if its name cannot be looked up from here."""
        now, host = asyncio.get_running_loop().time(), host_name(url)
        until, found = self._known.get(host, (0.0, ()))
        if now < until:
            return found
        found = await self._look_up(url)
        if len(self._known) >= _MOST_NAMES:
            del self._known[next(iter(self._known))]
        self._known[host] = now + self._trusted_for, found
        return found

    async def check(self, url: str, exchange: Exchange, guard: Guard) -> None:
        """See to it that a request for a private host is not sent to the proxy.

        Raises:
            AddressBlocked: the host is private, or one of its addresses is, and that is not allowed.
        """
        if guard.allows_all:
            return
        host, addresses = host_name(url), await self.addresses(url)
        inward = guard.inward(host, addresses) if exchange.trusted else frozenset[str]()
        blocked = next((one for one in addresses if not guard.allows(one, inward=inward)), "")
        if not addresses and _is_local(host) and not (exchange.trusted and guard.trusts_seeds):
            blocked = host
        if blocked:
            exchange.blocked = blocked
            raise AddressBlocked(f"{blocked} is a private or reserved address")


def _is_local(host: str) -> bool:
    name = host.rstrip(".")
    return "." not in name or name.endswith(tuple(f".{end}" for end in _LOCAL))
