from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.ease import SLOW, TIMES, Ease


def seen(*answers: tuple[float, int]) -> Ease:
    ease = Ease()
    for waited, in_flight in answers:
        ease.see(waited, in_flight)
    return ease


def test_a_host_that_is_as_fast_as_ever_is_asked_for_as_much_as_may_be() -> None:
    ease = seen((0.1, 1), *[(0.2, 32)] * 100)

    assert ease.allowed == inf
    assert ease.least == 0


def test_what_is_in_flight_at_a_host_that_slows_down_is_halved() -> None:
    ease = seen((0.1, 1), (2.0, 8))

    assert ease.allowed == 4
    assert ease.least == 4


def test_answers_to_requests_from_before_a_cut_do_not_cut_again() -> None:
    ease = seen((0.1, 1), (2.0, 8), *[(2.0, 7)] * 7)

    assert ease.allowed == 4

    ease.see(2.0, 4)

    assert ease.allowed == 2


def test_a_host_that_comes_to_itself_is_asked_for_more_bit_by_bit() -> None:
    ease = seen((0.1, 1), (2.0, 2), (2.0, 1))

    for _ in range(3):
        ease.see(0.1, 1)

    assert 2.5 <= ease.allowed < 3


def test_nothing_within_a_second_is_slow_since_our_own_loop_may_be_late() -> None:
    assert seen((0.001, 1), (SLOW, 32)).allowed == inf


def test_a_host_that_takes_its_time_over_a_lone_request_is_measured_by_that() -> None:
    assert seen((4.0, 1), (TIMES * 4.0, 32)).allowed == inf


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 64))))
def test_a_host_may_be_asked_for_one_page_at_a_time_whatever_it_does(answers: list[tuple[float, int]]) -> None:
    assert seen(*answers).allowed >= 1


@pytest.mark.parametrize("in_flight", [2, 3, 64])
def test_a_cut_never_comes_to_less_than_one(in_flight: int) -> None:
    assert seen((0.1, 2), (9.0, in_flight)).allowed == max(1, in_flight / 2)
