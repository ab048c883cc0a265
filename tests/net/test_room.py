"""How many bytes of bodies are held at once, and whose turn it is where there is no room for all."""

from __future__ import annotations

import asyncio

import pytest

from crawler.net import room as room_module
from crawler.net.room import FREE, LargeBody, Room
from tests.net.test_exchange import SETTINGS, Line, allowed, exchange

MOST, LARGEST = 8 * FREE, 4 * FREE


class Body:
    """A body that comes as the test wants it to."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.size = 0
        self.going = asyncio.Event()
        self.going.set()

    @property
    def held(self) -> bool:
        return not self.going.is_set()

    def hold(self) -> None:
        self.going.clear()

    def go_on(self) -> None:
        self.going.set()

    def brings(self, size: int) -> None:
        assert not self.held, "it was read though it was to wait"
        self.size += size
        self.room.came(self, size)
        self.room.reads_on(self)

    def ends(self, *, landed: bool = False) -> None:
        self.room.ended(self, self.size)
        self.room.held += self.size if landed else 0


@pytest.fixture
def room() -> Room:
    return Room(MOST, LARGEST)


async def looked() -> None:
    """Let the room look who may go on, which it does in the loop's next turn."""
    await asyncio.sleep(0)


async def test_nobody_waits_while_there_is_room(room: Room) -> None:
    bodies = [Body(room) for _ in range(7)]

    for body in bodies:
        body.brings(FREE)

    assert not any(body.held for body in bodies)
    assert (room.held, room.waiting) == (7 * FREE, 0)


async def test_of_bodies_that_fill_the_room_one_goes_on(room: Room) -> None:
    first, second, third = bodies = [Body(room) for _ in range(3)]
    first.brings(4 * FREE)
    second.brings(4 * FREE)
    third.brings(FREE)
    second.brings(LARGEST)
    first.brings(1)

    assert [body.held for body in bodies] == [True, False, True]


async def test_where_the_favoured_one_ends_those_go_on_for_whom_there_is_room(room: Room) -> None:
    first, *others = [Body(room) for _ in range(4)]
    first.brings(MOST)
    for body in others:
        body.brings(FREE // 2)

    first.ends(landed=True)
    await looked()
    while_it_lands = [body.held for body in others]
    room.left(first.size)
    await looked()

    assert while_it_lands == [True, True, True]
    assert [body.held for body in others] == [False, False, False]
    assert room.held == 3 * FREE // 2


async def test_the_next_is_favoured_when_the_one_before_has_left(room: Room) -> None:
    """Else bodies would come faster than they are done with, one favoured after another."""
    first, second, third = [Body(room) for _ in range(3)]
    first.brings(MOST)
    second.brings(MOST)
    third.brings(MOST)

    first.ends(landed=True)
    await looked()
    while_it_lands = [second.held, third.held]
    room.left(first.size)
    await looked()

    assert while_it_lands == [True, True]
    assert [second.held, third.held] == [False, True]


async def test_what_has_landed_is_waited_for_without_a_favour(room: Room) -> None:
    room.held += MOST
    late = Body(room)

    late.brings(2 * FREE)
    waited = late.held
    room.left(MOST)
    await looked()

    assert waited
    assert not late.held


async def test_who_waits_goes_on_in_turn_and_no_more_of_them_than_there_is_room_for(room: Room) -> None:
    room.held += MOST
    bodies = [Body(room) for _ in range(4)]
    for body in bodies:
        body.brings(FREE // 4)

    room.left(3 * FREE)
    await looked()

    assert [body.held for body in bodies] == [False, False, True, True]


async def test_room_for_less_than_one_read_is_room_all_the_same(room: Room) -> None:
    """Else bodies that are all half there would wait for ever just under the bound."""
    first, second, third = [Body(room) for _ in range(3)]
    first.brings(MOST)
    second.brings(MOST - 1)
    third.brings(0)

    first.ends()
    await looked()

    assert (room.held, second.held, third.held) == (MOST - 1, False, True)


async def test_a_favoured_one_that_brings_little_loses_its_turn(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "_TURN", 0.01)
    dripping, other = Body(room), Body(room)
    dripping.brings(MOST)
    other.brings(FREE)
    assert [dripping.held, other.held] == [False, True]

    await other.going.wait()
    dripping.brings(1)

    assert [dripping.held, other.held] == [True, False]


async def test_past_the_bound_by_a_body_only_an_end_gives_the_turn_to_another(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, turned, enough = 0, room._turned, asyncio.Event()

    def count() -> None:
        nonlocal turns
        turns += 1
        turned()
        if turns == 50:
            enough.set()

    monkeypatch.setattr(room_module, "_TURN", 0.001)
    monkeypatch.setattr(room, "_turned", count)
    favoured, other = Body(room), Body(room)
    favoured.brings(MOST + LARGEST)
    other.brings(FREE)

    await enough.wait()
    kept_waiting = other.held
    favoured.ends()
    await looked()

    assert kept_waiting
    assert not other.held


async def test_who_ends_while_it_waits_is_forgotten(room: Room) -> None:
    first, second = Body(room), Body(room)
    first.brings(MOST)
    second.brings(FREE)

    second.ends()
    first.ends()
    await looked()

    assert (room.held, room.waiting) == (0, 0)
    assert second.held


async def test_without_a_bound_nobody_ever_waits() -> None:
    room = Room(0, LARGEST)
    bodies = [Body(room) for _ in range(100)]

    for body in bodies:
        body.brings(LARGEST)

    assert room.waiting == 0


async def test_the_clock_of_a_fetch_stands_still_while_its_body_waits(room: Room) -> None:
    one, line = exchange(), Line()
    async with one.deadline:
        one.connected(line)
        body = LargeBody(one, room)
        now = asyncio.get_running_loop().time()
        one.within(now, 10.0)
        ends = one.ends - now
        body.hold()
        waiting = allowed(one, now)
        body.go_on()

    assert line.told == ["hold", "go on"]
    assert waiting == pytest.approx(SETTINGS.total_timeout, abs=5)
    assert allowed(one, now) == pytest.approx(10.0, abs=5)
    assert one.ends - now == pytest.approx(ends, abs=5)


async def test_a_connection_is_read_again_when_its_body_has_ended_while_it_waited(room: Room) -> None:
    one, line = exchange(), Line()
    async with one.deadline:
        one.connected(line)
        body = LargeBody(one, room)
        body.grown(MOST)
        other = LargeBody(one, room)
        other.grown(FREE)
        body.reads_on()
        other.reads_on()
        other.ended()

    assert line.told == ["hold", "go on"]
    assert room.waiting == 0
