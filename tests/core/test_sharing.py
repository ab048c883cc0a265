from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.config import Config, Fetch, Limits, Politeness
from crawler.core.sharing import Allowance, portions, share_out


@given(total=st.integers(0, 10_000), shards=st.integers(1, 50))
def test_portions_add_up_and_differ_by_one_at_most(total: int, shards: int) -> None:
    parts = portions(total, shards)

    assert sum(parts) == total
    assert max(parts) - min(parts) <= 1


def test_requests_addresses_and_disk_are_kept_in_sum() -> None:
    config = Config(
        fetch=Fetch(concurrency=10), politeness=Politeness(per_address=5), limits=Limits(max_disk=1000, max_pages=7)
    )

    parts = share_out(config, 4)

    assert [part.fetch.concurrency for part in parts] == [3, 3, 2, 2]
    assert [part.politeness.per_address for part in parts] == [2, 1, 1, 1]
    assert [part.limits.max_disk for part in parts] == [250] * 4
    assert {part.limits.max_pages for part in parts} == {7}


def test_a_zero_that_means_no_limit_stays_one_and_a_share_is_never_nothing() -> None:
    free, tight = share_out(Config(fetch=Fetch(concurrency=0)), 3), share_out(Config(fetch=Fetch(concurrency=2)), 3)

    assert {part.fetch.concurrency for part in free} == {0}
    assert {part.limits.max_disk for part in free} == {0}
    assert [part.fetch.concurrency for part in tight] == [1, 1, 1]


@given(total=st.integers(0, 500), shards=st.integers(1, 6), asked=st.lists(st.integers(0, 5), max_size=60))
def test_the_bounds_never_add_up_to_more_than_is_allowed(total: int, shards: int, asked: list[int]) -> None:
    allowance = Allowance(total, shards)

    for shard in asked:
        before = allowance.bounds[shard % shards]
        bound = allowance.more(shard % shards)
        assert bound > before or not allowance.free

    assert sum(allowance.bounds) + allowance.free == total
    assert allowance.free >= 0


@given(total=st.integers(1, 5_000), shards=st.integers(1, 8))
def test_one_shard_that_has_all_the_work_gets_all_that_is_allowed(total: int, shards: int) -> None:
    allowance = Allowance(total, shards)
    for idle in range(1, shards):
        allowance.less(idle, 0)

    rounds = 0
    while allowance.free:
        allowance.more(0)
        rounds += 1

    assert allowance.bounds[0] == total
    assert rounds < 20 * shards


def test_what_is_taken_back_can_be_given_to_another() -> None:
    allowance = Allowance(8, 2)
    assert allowance.bounds == [2, 2]

    allowance.less(1, 1)
    allowance.less(1, 5)

    assert allowance.bounds == [2, 1]
    assert allowance.free == 5
