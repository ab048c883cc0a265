"""Which addresses may be reached.

What is checked is the address a socket is about to be connected to, at every connection and every hop,
so neither a spelling (``0x7f.1``), nor a name server that changes its mind, nor a redirect gets around it.
An IPv6 address is judged together with every IPv4 address it embeds:
v4-mapped and v4-compatible (RFC 4291 §2.5.5), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380) and
ISATAP (RFC 5214).
"""

from __future__ import annotations

import socket
from collections.abc import Container, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Literal

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
_SITE_LOCAL = IPv6Network("fec0::/10")
_METADATA = frozenset({IPv4Address("100.100.100.200"), IPv6Address("fd00:ec2::254")})
"""Where clouds tell a machine its secrets, besides link-local addresses."""
_MOST_NAMES = 65_536


class AddressBlocked(OSError):
    """Say that an address may not be reached; an ``OSError``, so that the next address of the host is tried."""


def is_public(address: str) -> bool:
    """Tell whether an IP address, and every one embedded in it, is a global unicast address.

    Args:
        address: IPv4 or IPv6 in any notation ``ipaddress`` reads; a zone (``%eth0``) makes it local.
    """
    if "%" in address:
        return False
    return all(_is_global(one) for one in _with_embedded(ip_address(address)))


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address in _SITE_LOCAL or address in _COMPATIBLE):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _with_embedded(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        yield address
        return
    value, mapped = int(address), address.ipv4_mapped
    if mapped is not None:
        yield mapped
        return
    embedded = _embedded(address, value)
    # the NAT64 prefixes count as special, so what counts is only what they lead to
    if not any(address in network for network in _NAT64):
        yield address
    yield from embedded


def _embedded(address: IPv6Address, value: int) -> list[IPv4Address]:
    low = IPv4Address(value & 0xFFFFFFFF)
    found = []
    if any(address in network for network in _NAT64):
        found.append(low)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if (value >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(low)
    return found


def _is_neighbour(address: str) -> bool:
    """Tell whether an address is one that no name of a site has: link-local, multicast, or of a cloud's own service."""
    if "%" in address:
        return True
    return any(one.is_link_local or one.is_multicast or one in _METADATA for one in _with_embedded(ip_address(address)))


class Guard:
    """Make sockets, but only towards addresses that may be reached.

    A seed's own name may be in hostile hands too. So what it may lead to within the network is what it led to at first,
    and that only if none of it was public: a name cannot wander inwards while the crawl runs.

    Args:
        policy: ``never`` a private address, only for hosts that ``seeds`` name, or ``always``.
    """

    def __init__(self, policy: Literal["never", "seeds", "always"]) -> None:
        self._policy = policy
        self._inward: dict[str, frozenset[str]] = {}

    @property
    def allows_all(self) -> bool:
        """Whether every address may be reached."""
        return self._policy == "always"

    @property
    def trusts_seeds(self) -> bool:
        """Whether a host that a seed names may be private."""
        return self._policy == "seeds"

    def inward(self, host: str, addresses: Iterable[str]) -> frozenset[str]:
        """Return the private addresses to which a host that a seed names may lead.

        Args:
            host: its name, or an address, which stands for itself.
            addresses: all that the name stands for at this moment.
        """
        if self._policy != "seeds":
            return frozenset()
        found = self._inward.get(host)
        if found is None:
            if len(self._inward) >= _MOST_NAMES:
                del self._inward[next(iter(self._inward))]
            found = self._inward[host] = _led_inward(host, frozenset(addresses))
        return found

    def allows(self, address: str, *, inward: Container[str] = ()) -> bool:
        """Tell whether a request may go to this address; ``inward`` are the private ones to which its host may lead."""
        return self._policy == "always" or is_public(address) or address in inward

    def socket(self, address: tuple[Any, ...], *, inward: Container[str] = ()) -> socket.socket:
        """Make a socket for an address as ``getaddrinfo`` returns it.

        Raises:
            AddressBlocked: it is private or reserved, and that is not allowed.
        """
        family, kind, protocol, _, where = address
        if not self.allows(where[0], inward=inward):
            raise AddressBlocked(f"{where[0]} is a private or reserved address")
        return socket.socket(family, kind, protocol)


def _led_inward(host: str, addresses: frozenset[str]) -> frozenset[str]:
    if host in addresses:
        return addresses  # written out, it cannot change its meaning
    if any(map(is_public, addresses)):
        return frozenset()
    return frozenset(address for address in addresses if not _is_neighbour(address))
