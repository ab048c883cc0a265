from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.ending import Sight, Waves


def seen(*waves: list[Sight | None]) -> list[bool]:
    judge = Waves()
    return [judge.see(wave) for wave in waves]


IDLE = Sight(idle=True, sent=3, received=3)


def test_two_waves_in_which_nothing_happened_are_the_end() -> None:
    wave: list[Sight | None] = [Sight(idle=True, sent=2, received=1), Sight(idle=True, sent=1, received=2)]

    assert seen(wave, wave) == [False, True]


def test_a_parcel_on_its_way_is_no_end_however_long_it_takes() -> None:
    wave: list[Sight | None] = [Sight(idle=True, sent=3, received=0), Sight(idle=True, sent=0, received=2)]

    assert not any(seen(*[wave] * 10))


def test_what_happened_between_the_waves_puts_the_end_off() -> None:
    # one parcel was sent and received behind the back of the first wave: its sums agree by chance
    first: list[Sight | None] = [Sight(idle=True, sent=1, received=1), Sight(idle=True, sent=1, received=1)]
    second: list[Sight | None] = [Sight(idle=True, sent=2, received=1), Sight(idle=True, sent=1, received=2)]

    assert seen(first, second, second) == [False, False, True]


@pytest.mark.parametrize("other", [None, Sight(idle=False, sent=3, received=3)])
def test_a_shard_that_works_or_does_not_answer_begins_the_count_anew(other: Sight | None) -> None:
    assert seen([IDLE, IDLE], [IDLE, other], [IDLE, IDLE], [IDLE, IDLE]) == [False, False, False, True]


def test_a_single_shard_ends_when_it_is_idle() -> None:
    assert seen([Sight(idle=True, sent=0, received=0)], [Sight(idle=True, sent=0, received=0)]) == [False, True]


class World:
    """Shards that work, send each other parcels and lose their memory, a step at a time."""

    def __init__(self, chance: random.Random, shards: int) -> None:
        self.chance = chance
        self.work = [chance.randint(0, 3) for _ in range(shards)]
        self.sent, self.received = [0] * shards, [0] * shards
        self.under_way: list[int] = []
        self.budget = 40

    def step(self) -> None:
        shard = self.chance.randrange(len(self.work))
        if self.under_way and self.chance.random() < 0.3:
            at = self.under_way.pop(self.chance.randrange(len(self.under_way)))
            self.work[at] += 1
            self.received[at] += 1
        elif self.work[shard]:
            self.work[shard] -= 1
            for _ in range(min(self.budget, self.chance.randint(0, 2))):
                self.budget -= 1
                self.sent[shard] += 1
                self.under_way.append(self.chance.randrange(len(self.work)))

    def look(self, shard: int) -> Sight | None:
        if self.chance.random() < 0.05:
            return None  # killed, and not yet back
        return Sight(idle=not self.work[shard], sent=self.sent[shard], received=self.received[shard])

    @property
    def over(self) -> bool:
        return not self.under_way and not any(self.work)


@given(seed=st.integers(0, 1 << 32), shards=st.integers(1, 5), pace=st.integers(0, 6))
def test_the_end_is_never_seen_too_early_and_always_seen(seed: int, shards: int, pace: int) -> None:
    world, waves = World(random.Random(seed), shards), Waves()  # noqa: S311  # no secret
    late = 0

    while True:
        wave = []
        for shard in range(shards):
            wave.append(world.look(shard))
            for _ in range(world.chance.randint(0, pace)):
                world.step()
        if waves.see(wave):
            break
        late += world.over
        world.step()

    assert world.over
    assert late < 200
