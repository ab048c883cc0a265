from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.concurrency import Change, Concurrency
from crawler.core.evidence import Reading, Rules
from crawler.core.ledger import Feed

TICK = 0.25
MOST = 1024


def rules(slots: int = 64) -> Rules:
    return Rules(concurrency=slots, per_host=1, workers=2, cores=4, most_pages=192)


@dataclass
class Servers:
    """What a crawl sees of servers that answer so many requests a second, at most, each after so long, at least."""

    capacity: float
    latency: float
    wanting: float = 0.9
    loop: float = 0.2
    _at: float = 0.0
    _answered: float = 0.0
    _took: float = 0.0
    _lag: deque[float] = field(default_factory=deque)

    def reading(self, slots: int) -> Reading:
        """Let some time pass with so many requests in flight; what is answered follows after the latency."""
        self._at += TICK
        self._lag.append(min(self.capacity, slots / self.latency))
        rate = self._lag.popleft() if len(self._lag) * TICK > self.latency else self._lag[0]
        self._answered += rate * TICK
        self._took += slots * TICK
        return Reading(
            at=self._at,
            feed={Feed.SLOTS: self.wanting * self._at, Feed.WAIT: (1 - self.wanting) * self._at},
            answered=self._answered,
            requests=self._answered,
            first_byte=self._took,
            main_cpu=self.loop * self._at,
        )


def crawled(servers: Servers, seconds: int) -> tuple[list[Change], list[int]]:
    """Let a crawl choose its slots; return the changes, and the slots from moment to moment."""
    concurrency, changes, slots = Concurrency(rules(), MOST), list[Change](), list[int]()
    for _ in range(int(seconds / TICK)):
        slots.append(concurrency.slots)
        change = concurrency.see(servers.reading(concurrency.slots))
        changes += [change] if change else []
    return changes, slots


def test_slots_double_while_they_are_wanted_and_bring_more() -> None:
    changes, _ = crawled(Servers(capacity=1e9, latency=1.0), seconds=60)

    assert [change.after for change in changes] == [128, 256, 512, 1024]
    assert changes[0].cause == "all slots were taken 90% of the time, and the loop was busy 20%"


def test_a_step_that_brings_nothing_is_taken_back_and_tried_again_after_ever_longer_rests() -> None:
    changes, _ = crawled(Servers(capacity=500.0, latency=0.1), seconds=120)

    tried = [change.at for change in changes if change.after == 128]
    rests = [later - earlier for earlier, later in pairwise(tried)]
    assert {change.after for change in changes} == {64, 128}
    assert changes[1].cause == "500 answers/s are no more than 500 with half of it"
    assert len(rests) >= 3
    assert all(later > 1.5 * earlier for earlier, later in pairwise(rests))


@pytest.mark.parametrize("servers", [Servers(1e9, 1.0, wanting=0.1), Servers(1e9, 1.0, loop=0.8), Servers(4.0, 1.0)])
def test_nothing_changes_where_more_slots_would_not_be_used(servers: Servers) -> None:
    changes, _ = crawled(servers, seconds=4)

    assert not changes


def test_a_fixed_number_is_kept() -> None:
    concurrency, servers = Concurrency(rules(64), 64), Servers(capacity=1e9, latency=0.1)

    assert not any(concurrency.see(servers.reading(64)) for _ in range(100))


amounts = st.floats(0.0, 1e4)


@given(st.lists(st.tuples(*[amounts] * 7), max_size=60), st.integers(1, 64), st.integers(1, 2048))
def test_whatever_is_seen_the_slots_stay_within_their_bounds(
    seen: list[tuple[float, ...]], first: int, most: int
) -> None:
    concurrency, sums = Concurrency(rules(first), most), [0.0] * 7

    for amounts_of_one in seen:
        sums = [total + amount for total, amount in zip(sums, amounts_of_one, strict=True)]
        at, slots, wait, answered, requests, first_byte, cpu = sums
        reading = Reading(
            at=at,
            feed={Feed.SLOTS: slots, Feed.WAIT: wait},
            answered=answered,
            requests=requests,
            first_byte=first_byte,
            main_cpu=cpu,
        )
        before = concurrency.slots
        change = concurrency.see(reading)

        assert first <= concurrency.slots <= max(first, most)
        assert (concurrency.slots == before) == (change is None)
        assert change is None or (change.before, change.after) == (before, concurrency.slots)


@settings(max_examples=25)
@given(st.floats(50.0, 5_000.0), st.floats(0.01, 2.0))
def test_it_settles_at_nearly_the_best_rate_and_is_disturbed_ever_more_seldom(capacity: float, latency: float) -> None:
    changes, slots = crawled(Servers(capacity, latency), seconds=300)

    later = sorted(slots[len(slots) // 3 :])
    usual = later[len(later) // 10]  # for nine tenths of the time there were as many
    assert min(capacity, usual / latency) >= min(capacity, MOST / latency) / 1.06
    assert len([change for change in changes if change.at > 150.0]) <= 4
