"""Where the live page is to be had, and under which names."""

from __future__ import annotations

import ipaddress

from msgspec import Struct

_MOST = 65_535


class Address(Struct, frozen=True):
    """A host and a port to listen at; port 0 is any that is free."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As it is typed into a browser."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    def answers_to(self, host: str) -> bool:
        """Tell whether a request for a host is meant for us.

        A page of elsewhere can have its own name resolve to this machine, and then read what it finds here
        (DNS rebinding). So only addresses are answered to, which have no name to be resolved, ``localhost``,
        and the name that was asked for on the command line.
        """
        name = _without_port(host.strip().lower())
        return name in {"localhost", self.host.lower()} or _is_address(name)


def address(text: str) -> Address:
    """Read ``8080``, ``localhost:8080``, ``0.0.0.0:8080`` or ``[::1]:8080``; without a host it is the loopback address.

    Raises:
        ValueError: it is none of these.
    """
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not port.isascii() or not port.isdigit() or int(port) > _MOST or (":" in bare and not _is_address(bare)):
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return Address(bare or "127.0.0.1", int(port))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
