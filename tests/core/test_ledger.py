from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.ledger import Feed, FeedClock, Histogram, Ledger, Requests, Stage
from crawler.core.records import Timings


def test_an_empty_histogram_has_no_duration() -> None:
    assert Histogram().quantile(0.5) == 0.0


@given(st.lists(st.floats(1e-5, 1e5), min_size=1), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_quantile_is_within_a_tenth_of_the_truth(durations: list[float], share: float) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    rank = max(1, -(-len(durations) * share // 1))

    truth = sorted(durations)[int(rank) - 1]

    assert histogram.quantile(share) == pytest.approx(truth, rel=0.1, abs=1e-6)


def test_a_duration_below_nothing_or_beyond_all_buckets_is_counted_all_the_same() -> None:
    histogram = Histogram()
    histogram.add(-1.0)
    histogram.add(1e12)

    assert histogram.count == 2
    assert histogram.largest == 1e12


def test_a_stage_counts_waiting_running_and_both_together() -> None:
    stage = Stage("parse", "process")
    stage.add(0.5, 1.5, 1.0)

    assert (stage.waiting.total, stage.running.total, stage.whole.total, stage.cpu) == (0.5, 1.5, 2.0, 1.0)


def test_the_feed_is_in_one_state_at_any_time() -> None:
    clock = FeedClock()
    clock.enter(Feed.WORKING, 10.0)
    clock.enter(Feed.SLOTS, 11.0)
    clock.enter(Feed.WORKING, 14.0)

    spent = clock.spent(14.5)

    assert (spent[Feed.WORKING], spent[Feed.SLOTS], sum(spent)) == (1.5, 3.0, 4.5)


def test_a_feed_that_has_ended_waits_for_nothing_more() -> None:
    clock = FeedClock()
    clock.enter(Feed.WAIT, 1.0)
    clock.end(2.0)

    assert clock.ended
    assert clock.spent(9.0)[Feed.WAIT] == 1.0


def test_the_time_before_the_feed_begins_is_nobodys() -> None:
    assert sum(FeedClock().spent(100.0)) == 0.0


def test_the_backlog_is_where_most_pages_are() -> None:
    parsing, committing, delivering = Ledger(), Ledger(), Ledger()
    for ledger in (parsing, committing, delivering):
        ledger.parse.enter()
    for ledger in (committing, delivering):
        ledger.commit.enter()
        ledger.commit.enter()
    delivering.delivering = 3

    assert [one.backlog for one in (parsing, committing, delivering)] == [Feed.PARSE, Feed.COMMIT, Feed.CALLER]


def test_a_call_is_inside_its_stage_until_it_is_counted() -> None:
    stage = Stage("parse", "process")
    stage.enter()
    stage.enter()
    stage.leave(0.0, 1.0)

    assert (stage.inside, stage.running.count) == (1, 1)


def test_only_new_connections_count_for_looking_up_and_connecting() -> None:
    requests = Requests()
    requests.add(Timings(0.1, 0.2, 0.3, 0.4), tls=True, answered=True, rate_limited=False)
    requests.add(Timings(0.0, 0.0, 0.5, 0.6, reused=True), tls=True, answered=True, rate_limited=True)

    assert (requests.sent, requests.connections, requests.handshakes, requests.rate_limited) == (2, 1, 1, 1)
    assert requests.answered == 1
    assert (requests.dns, requests.connect) == (0.1, 0.2)
    assert requests.first_byte == pytest.approx(0.8)
    assert requests.body == pytest.approx(1.0)


@given(st.lists(st.floats(1e-6, 1e4), min_size=1))
def test_a_spread_counts_each_duration_once_between_the_bounds_around_it(durations: list[float]) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)

    spread = list(histogram.spread())

    bounds = [bound for bound, _ in spread]
    assert bounds == sorted(set(bounds))
    assert sum(count for _, count in spread) == len(durations)
    for bound in bounds:
        below = sum(count for upto, count in spread if upto <= bound)
        assert below == sum(int(duration * 1e6) < round(bound * 1e6) for duration in durations)


def test_the_bounds_of_a_spread_double_twice() -> None:
    bounds = [bound for bound, _ in Histogram().spread() if bound > 1e-4]

    assert [round(later / earlier, 3) for earlier, later in zip(bounds, bounds[2:], strict=False)] == [2.0] * (
        len(bounds) - 2
    )
