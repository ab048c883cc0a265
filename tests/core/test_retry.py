from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.config import Fetch
from crawler.core.outcomes import Outcome, Retry
from crawler.core.retry import retry_at

LIMITS = Fetch(attempts=4, backoff=5.0, max_backoff=15.0)
NOW = 1000.0


def pause(outcome: Outcome, attempts: int, *, retry_after: float | None = None, jitter: float = 0.0) -> float | None:
    at = retry_at(outcome, attempts, NOW, limits=LIMITS, retry_after=retry_after, jitter=jitter)
    return None if at is None else at - NOW


def test_the_pause_doubles_up_to_the_longest_and_then_it_ends() -> None:
    pauses = [pause(Outcome.CONN_RESET, attempts) for attempts in (1, 2, 3, 4, 5)]

    assert pauses == [5.0, 10.0, 15.0, None, None]


def test_a_failure_that_stays_is_not_tried_again() -> None:
    assert pause(Outcome.HTTP_CLIENT_ERROR, 1) is None
    assert pause(Outcome.HTTP_CLIENT_ERROR, 1, retry_after=60.0) is None


def test_a_name_that_does_not_exist_is_tried_once_more() -> None:
    assert [pause(Outcome.DNS_NXDOMAIN, attempts) for attempts in (1, 2)] == [5.0, None]


def test_one_attempt_in_all_leaves_none_for_a_second() -> None:
    limits = Fetch(attempts=1)

    assert retry_at(Outcome.DNS_NXDOMAIN, 1, NOW, limits=limits, retry_after=None, jitter=0.0) is None
    assert retry_at(Outcome.CONN_RESET, 1, NOW, limits=limits, retry_after=None, jitter=0.0) is None


@pytest.mark.parametrize(("asked", "expected"), [(60.0, 60.0), (1.0, 5.0), (0.0, 5.0), (None, 5.0)])
def test_the_server_may_ask_for_a_longer_pause_but_not_for_a_shorter(asked: float | None, expected: float) -> None:
    assert pause(Outcome.HTTP_RATE_LIMITED, 1, retry_after=asked) == expected


def test_a_server_that_asks_for_time_gets_five_attempts_more() -> None:
    pauses = [pause(Outcome.HTTP_RATE_LIMITED, attempts) for attempts in (8, 9)]

    assert pauses == [15.0, None]


def test_jitter_makes_a_pause_longer_by_a_quarter_at_most() -> None:
    assert [pause(Outcome.CONN_RESET, 2, jitter=jitter) for jitter in (0.0, 0.5, 1.0)] == [10.0, 11.25, 12.5]


@given(
    outcome=st.sampled_from(Outcome),
    attempts=st.integers(0, 10**9),
    most=st.integers(1, 10**9),
    jitter=st.floats(0, 1),
)
def test_a_next_attempt_is_in_the_future_and_only_while_attempts_are_left(
    outcome: Outcome, attempts: int, most: int, jitter: float
) -> None:
    limits = Fetch(attempts=most, backoff=1.0, max_backoff=300.0)

    at = retry_at(outcome, attempts, NOW, limits=limits, retry_after=None, jitter=jitter)

    allowed = {Retry.NEVER: 0, Retry.ONCE: min(2, most), Retry.USUAL: most, Retry.PATIENT: most + 5}[outcome.retry]
    assert (at is not None) == (attempts < allowed)
    assert at is None or (math.isfinite(at) and NOW < at <= NOW + 375.0)
