from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiodns.error import DNSError

from crawler.net.names import Names
from tests.names import NXDOMAIN, NameServer


def zone(name: str, _time: int) -> tuple[str, ...] | int | None:
    return {
        "both.test": ("2001:db8::1", "192.0.2.1"),
        "many.test": tuple(f"192.0.2.{last}" for last in range(1, 101)),
    }.get(name, NXDOMAIN)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    """Have every question asked of a server of ours."""
    with NameServer(zone) as server:
        server.install(monkeypatch)
        yield server


async def test_a_name_is_looked_up_once_for_all_who_ask(server: NameServer) -> None:
    known = Names()

    answers = await asyncio.gather(*(known.addresses("both.test", 80) for _ in range(5)))
    answers.append(await known.addresses("both.test", 80))
    await known.close()

    assert all(answer == answers[0] for answer in answers)
    assert [where[0] for *_, where in answers[0]][-1] == "192.0.2.1"
    assert server.asked == ["both.test"]
    assert known.lookups == 1


async def test_of_a_hundred_addresses_a_few_are_tried(server: NameServer) -> None:
    known = Names()

    found = await known.addresses("many.test", 80)
    await known.close()

    assert len(found) == 3
    assert server.asked == ["many.test"]


async def test_a_name_that_does_not_exist_is_asked_for_again(server: NameServer) -> None:
    known = Names()

    for _ in range(2):
        with pytest.raises(DNSError):
            await known.addresses("no.test", 80)
    await known.close()

    assert known.lookups == 2
    assert "no.test" in server.asked


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_its_own(server: NameServer, address: str) -> None:
    known = Names()

    found = await known.addresses(address, 8080)
    await known.close()

    assert [where[:2] for *_, where in found] == [(address, 8080)]
    assert server.asked == []
