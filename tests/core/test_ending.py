from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.ending import Sight, Waves


def seen(*waves: Sequence[Sight | None]) -> list[bool]:
    judge = Waves()
    return [judge.see(wave) for wave in waves]


def sight(commits: int = 3, *, rests: bool = True, process: str = "one") -> Sight:
    return Sight(rests=rests, process=process, commits=commits)


def test_two_waves_in_which_nothing_happened_are_the_end() -> None:
    assert seen([sight(1), sight(2)], [sight(1), sight(2)]) == [False, True]
    assert seen([sight()], [sight()]) == [False, True]


def test_a_shard_that_has_something_left_is_no_end_however_long_it_takes() -> None:
    assert not any(seen(*[[sight(), sight(rests=False)]] * 10))


def test_what_happened_between_the_waves_puts_the_end_off() -> None:
    assert seen([sight(1), sight(2)], [sight(1), sight(3)], [sight(1), sight(3)]) == [False, False, True]


def test_another_process_with_the_same_count_is_another_shard() -> None:
    before, after = [sight(), sight(process="two")], [sight(), sight(process="three")]

    assert seen(before, after, after) == [False, False, True]


@pytest.mark.parametrize("other", [None, sight(rests=False)])
def test_a_shard_that_works_or_does_not_answer_begins_the_count_anew(other: Sight | None) -> None:
    still = [sight(), sight()]

    assert seen(still, [sight(), other], still, still) == [False, False, False, True]


class World:
    """Shards that work, send each other parcels and lose their memory, a step at a time."""

    def __init__(self, chance: random.Random, shards: int) -> None:
        self.chance = chance
        self.work = [chance.randint(0, 3) for _ in range(shards)]
        self.commits, self.outbox = [0] * shards, [0] * shards
        self.under_way: list[tuple[int, int]] = []
        """From whom to whom."""
        self.budget = 40

    def step(self) -> None:
        shard = self.chance.randrange(len(self.work))
        if self.under_way and self.chance.random() < 0.3:
            sender, at = self.under_way.pop(self.chance.randrange(len(self.under_way)))
            self.work[at] += 1
            self.outbox[sender] -= 1
            self.commits[at] += 1
            self.commits[sender] += 1
        elif self.work[shard]:
            self.work[shard] -= 1
            for _ in range(min(self.budget, self.chance.randint(0, 2))):
                self.budget -= 1
                self.outbox[shard] += 1
                self.under_way.append((shard, self.chance.randrange(len(self.work))))
            self.commits[shard] += 1

    def look(self, shard: int) -> Sight | None:
        if self.chance.random() < 0.05:
            return None  # killed, and not yet back
        return sight(self.commits[shard], rests=not (self.work[shard] or self.outbox[shard]), process=str(shard))

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
