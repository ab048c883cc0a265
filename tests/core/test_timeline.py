from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.evidence import Cause, Reading
from crawler.core.outcomes import Outcome
from crawler.core.timeline import Timeline


def reading(at: float, pages: float) -> Reading:
    return Reading(at=at, pages=pages, outcomes={Outcome.OK: pages}, blamed={(Cause.DELAY, "http://a"): at})


def seen(count: int, *, most: int = 10, every: float = 1.0) -> Timeline:
    timeline = Timeline(most=most, finest=1.0)
    for number in range(count):
        timeline.see(reading(100.0 + number * every, 3.0 * number))
    return timeline


def test_a_slot_tells_what_was_counted_between_two_readings() -> None:
    slots = list(seen(3).slots())

    assert [(at, used.at, used.pages, used.outcomes) for at, used in slots] == [
        (0.0, 1.0, 3.0, {Outcome.OK: 3.0}),
        (1.0, 1.0, 3.0, {Outcome.OK: 3.0}),
    ]


def test_readings_that_come_too_soon_are_part_of_the_next_slot() -> None:
    slots = list(seen(9, every=0.25).slots())

    assert [(at, used.at, used.pages) for at, used in slots] == [(0.0, 1.0, 12.0), (1.0, 1.0, 12.0)]


def test_the_last_reading_ends_the_last_slot_however_short() -> None:
    slots = list(seen(6, every=0.25).slots())

    assert [(at, used.at, used.pages) for at, used in slots] == [(0.0, 1.0, 12.0), (1.0, 0.25, 3.0)]


def test_slots_become_twice_as_long_when_there_are_too_many() -> None:
    slots = list(seen(11).slots())

    assert [used.at for _, used in slots] == [2.0] * 5


@given(st.lists(st.floats(0.01, 50.0), min_size=1, max_size=500), st.sampled_from([2, 4, 10]))
def test_slots_stay_few_follow_each_other_and_lose_nothing(pauses: list[float], most: int) -> None:
    timeline, now = Timeline(most=most, finest=1.0), 0.0
    for number, pause in enumerate(pauses):
        timeline.see(reading(now, float(number)))
        now += pause

    slots = list(timeline.slots())

    assert len(slots) <= most
    assert sum(used.pages for _, used in slots) == len(pauses) - 1
    assert all(abs(after - (at + used.at)) < 1e-6 for (at, used), (after, _) in pairwise(slots))


def test_a_timeline_of_one_reading_has_no_slot() -> None:
    assert list(seen(1).slots()) == []


def test_what_grows_with_the_hosts_is_not_kept() -> None:
    assert all(not used.blamed for _, used in seen(10).slots())
