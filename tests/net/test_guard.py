from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.url import host_name, normalise
from crawler.net.guard import AddressBlocked, Guard, is_public

_PRIVATE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/29",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
_PRIVATE_SIX = ["::/127", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32", "100::/64"]


def within(networks: list[str], *, version: int) -> st.SearchStrategy[str]:
    each = [st.ip_addresses(v=version, network=network) for network in networks]  # type: ignore[arg-type]  # 4 or 6
    return st.one_of(each).map(str)


private = within(_PRIVATE, version=4)
private_six = within(_PRIVATE_SIX, version=6)
public = st.ip_addresses(v=4, network="93.184.0.0/16").map(str)


def six(prefix: str, value: int) -> str:
    return str(IPv6Address(int(IPv6Network(prefix).network_address) | value))


EMBEDDED: dict[str, Callable[[int, int], str]] = {
    "v4-mapped": lambda four, _: six("::ffff:0:0/96", four),
    "v4-compatible": lambda four, _: six("::/96", four),
    "NAT64": lambda four, _: six("64:ff9b::/96", four),
    "local NAT64": lambda four, rest: six("64:ff9b:1::/48", (rest & 0xFFFF) << 64 | four),
    "6to4": lambda four, rest: six("2002::/16", four << 80 | rest & (2**80 - 1)),
    "Teredo client": lambda four, rest: six(
        "2001::/32", 0x5DB8D822 << 64 | (rest & 0xFFFFFFFF) << 32 | four ^ 0xFFFFFFFF
    ),
    "Teredo server": lambda four, rest: six(
        "2001::/32", four << 64 | (rest & 0xFFFFFFFF) << 32 | 0x5DB8D822 ^ 0xFFFFFFFF
    ),
    "ISATAP": lambda four, rest: six("2a00::/16", (rest & 0xFFFF) << 64 | 0x5EFE << 32 | four),
    "global ISATAP": lambda four, rest: six("2a00::/16", (rest & 0xFFFF) << 64 | 0x02005EFE << 32 | four),
}


@given(address=private | private_six)
def test_no_private_or_reserved_address_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("form", EMBEDDED)
@given(address=private, rest=st.integers(0, 2**112 - 1))
def test_a_private_address_stays_private_within_an_ipv6_address(form: str, address: str, rest: int) -> None:
    assert not is_public(EMBEDDED[form](int(IPv4Address(address)), rest))


@pytest.mark.parametrize("form", ["v4-mapped", "NAT64", "6to4", "Teredo client", "Teredo server", "ISATAP"])
@given(address=public)
def test_a_public_address_stays_public_within_an_ipv6_address_that_leads_to_it(form: str, address: str) -> None:
    found = EMBEDDED[form](int(IPv4Address(address)), 0)
    leads = form in ("v4-mapped", "NAT64", "ISATAP")

    assert is_public(found) or not leads
    assert is_public(found) == (leads or ipaddress.ip_address(found).is_global)


@given(address=public)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2a00::1%1"])
def test_an_address_with_a_zone_is_local(address: str) -> None:
    assert not is_public(address)


def _spellings(address: IPv4Address) -> dict[str, str]:
    a, b, c, d = address.packed
    full_width = str.maketrans("0123456789.", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff0e")
    return {
        "decimal": str(int(address)),
        "hexadecimal": hex(int(address)),
        "octal": f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        "long octal": f"0{int(address):o}",
        "mixed": f"0x{a:X}.0{b:o}.{c << 8 | d}",
        "short": f"{a}.{b << 16 | c << 8 | d}",
        "full-width": str(address).translate(full_width),
        "ideographic": str(address).replace(".", "\u3002"),
        "percent": "".join(f"%{ord(one):02x}" for one in str(address)),
        "final dot": f"{address}.",
    }


@pytest.mark.parametrize("spelling", _spellings(IPv4Address("127.0.0.1")))
@given(address=private)
def test_however_a_private_address_is_spelled_it_is_seen_through(spelling: str, address: str) -> None:
    url = normalise(f"http://{_spellings(IPv4Address(address))[spelling]}/")

    assert not is_public(host_name(url))


def _address(host: str) -> tuple[int, int, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 80))


@pytest.mark.parametrize(
    ("policy", "trusted", "allowed"),
    [
        ("never", True, False),
        ("never", False, False),
        ("seeds", True, True),
        ("seeds", False, False),
        ("always", False, True),
    ],
)
def test_a_socket_is_made_only_for_an_address_that_may_be_reached(policy: str, trusted: bool, allowed: bool) -> None:  # noqa: FBT001  a parameter of the test
    guard = Guard(policy)  # type: ignore[arg-type]  # one of its literals
    inward = guard.inward("site.test", ["127.0.0.1"]) if trusted else frozenset[str]()

    if allowed:
        guard.socket(_address("127.0.0.1"), inward=inward).close()
    else:
        with pytest.raises(AddressBlocked, match=r"127\.0\.0\.1 is a private or reserved address"):
            guard.socket(_address("127.0.0.1"), inward=inward)


@pytest.mark.parametrize(
    ("first", "then", "allowed"),
    [
        (["127.0.0.1"], "127.0.0.1", True),
        (["::1", "127.0.0.1"], "::1", True),
        (["10.0.0.1"], "10.0.0.2", False),
        (["93.184.216.34"], "10.0.0.1", False),
        (["93.184.216.34", "10.0.0.1"], "10.0.0.1", False),
        (["169.254.169.254"], "169.254.169.254", False),
        (["127.0.0.1", "169.254.169.254"], "169.254.169.254", False),
        (["::ffff:169.254.169.254"], "::ffff:169.254.169.254", False),
        (["64:ff9b::a9fe:a9fe"], "64:ff9b::a9fe:a9fe", False),
        (["fd00:ec2::254"], "fd00:ec2::254", False),
        (["100.100.100.200"], "100.100.100.200", False),
        (["fe80::1%eth0"], "fe80::1%eth0", False),
        (["224.0.0.1"], "224.0.0.1", False),
    ],
)
def test_a_name_that_a_seed_names_leads_inwards_only_where_it_led_at_first(
    first: list[str], then: str, *, allowed: bool
) -> None:
    guard = Guard("seeds")
    guard.inward("site.test", first)

    assert guard.allows(then, inward=guard.inward("site.test", [then])) is allowed


def test_an_address_that_a_seed_names_stands_for_itself() -> None:
    guard = Guard("seeds")

    assert guard.allows("169.254.10.1", inward=guard.inward("169.254.10.1", ["169.254.10.1"]))


def test_names_are_not_remembered_without_end() -> None:
    guard = Guard("seeds")

    for number in range(70_000):
        guard.inward(f"{number}.test", ["127.0.0.1"])

    assert len(guard._inward) < 70_000


@pytest.mark.parametrize("policy", ["never", "seeds", "always"])
def test_a_public_address_may_always_be_reached(policy: str) -> None:
    assert Guard(policy).allows("93.184.216.34")  # type: ignore[arg-type]  # one of its literals
