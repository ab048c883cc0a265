from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.report.pictures.scale import marks, moment, times


@given(st.floats(1e-6, 1e12), st.integers(2, 8))
def test_marks_begin_at_nothing_are_even_and_reach_the_largest_with_few_steps(largest: float, most: int) -> None:
    found = marks(largest, most)

    step = found[1]
    assert found == pytest.approx([step * number for number in range(len(found))])
    assert 2 <= len(found) <= most + 1
    assert found[-1] >= largest * (1 - 1e-6)
    assert found[-2] < largest


@pytest.mark.parametrize(
    ("largest", "wanted"),
    [(0.0, [0, 1]), (1.0, [0, 0.5, 1]), (7.0, [0, 2, 4, 6, 8]), (97.5, [0, 50, 100]), (130, [0, 50, 100, 150])],
)
def test_marks_are_numbers_that_a_person_would_choose(largest: float, wanted: list[float]) -> None:
    assert marks(largest) == pytest.approx(wanted)


@given(st.floats(0.01, 1e8))
def test_times_are_few_and_lie_within_the_run(seconds: float) -> None:
    found = times(seconds)

    assert found[0] == 0
    assert 2 <= len(found) <= 6
    assert found == sorted(set(found))
    assert found[-1] <= seconds * (1 + 1e-9)


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (38.0, ["0", "10 s", "20 s", "30 s"]),
        (123.0, ["0", "30 s", "1 min", "1m 30s", "2 min"]),
        (3 * 3600.0, ["0", "1 h", "2 h", "3 h"]),
        (86400.0 * 9, ["0", "2 d", "4 d", "6 d", "8 d"]),
    ],
)
def test_times_are_those_of_a_clock(seconds: float, wanted: list[str]) -> None:
    assert [moment(mark) for mark in times(seconds)] == wanted
