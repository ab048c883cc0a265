from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.ledger import Histogram, Stage


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
