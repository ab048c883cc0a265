"""The deadlines of one request, each of which begins when what it bounds begins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from crawler.config import Fetch
from crawler.net.exchange import Exchange

SETTINGS = Fetch(connect_timeout=100.0, head_timeout=1_000.0, total_timeout=100_000.0)


@dataclass
class Line:
    """An end of a connection."""

    address: str = "127.0.0.1"
    lost: BaseException | None = None
    told: list[str] = field(default_factory=list)

    def hold(self) -> None:
        self.told.append("hold")

    def go_on(self) -> None:
        self.told.append("go on")


def exchange() -> Exchange:
    began = asyncio.get_running_loop().time()
    deadline = asyncio.timeout_at(began + SETTINGS.head_timeout)
    return Exchange(True, SETTINGS, deadline, began, began + SETTINGS.total_timeout, lambda: None)


def allowed(one: Exchange, since: float) -> float:
    """Return how many seconds after a moment the next thing must have happened."""
    when = one.deadline.when()
    assert when is not None
    return when - since


async def test_the_time_to_the_header_begins_when_the_request_goes_out_on_a_new_connection() -> None:
    one = exchange()
    async with one.deadline:
        one.connecting()
        to_connect = allowed(one, asyncio.get_running_loop().time())
        one.connected(Line())

    assert to_connect == pytest.approx(SETTINGS.connect_timeout, abs=10)
    assert allowed(one, one.sent) == pytest.approx(SETTINGS.head_timeout)


async def test_a_fetch_that_waited_for_its_turn_has_all_the_time_to_its_header_on_a_kept_connection() -> None:
    one = exchange()
    async with one.deadline:
        one.resumed(one.paused())
        one.connected(Line())

    assert not one.fresh
    assert allowed(one, one.sent) == pytest.approx(SETTINGS.head_timeout)


async def test_the_clock_stands_still_while_a_fetch_waits_for_its_turn() -> None:
    one = exchange()
    ends = one.ends
    async with one.deadline:
        paused = one.paused()
        waiting = one.deadline.when()
        one.resumed(paused - 50.0)

    assert waiting is None
    assert one.ends == pytest.approx(ends + 50.0, abs=10)
