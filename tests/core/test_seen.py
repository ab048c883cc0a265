from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crawler.core.fingerprint import fingerprint
from crawler.core.seen import Seen

LEAST, MOST = -(2**63), 2**63 - 1
NUMBERS = st.one_of(
    st.integers(LEAST, MOST),
    st.integers(-5, 5),
    st.integers(0, 400).map(lambda number: number * 256),  # all in one shard, so that it grows and probes wrap round
)


def fingerprints(count: int) -> array[int]:
    return array("q", (fingerprint(f"http://example.org/{number}", b"key") for number in range(count)))


def test_a_fingerprint_is_new_once() -> None:
    seen = Seen()

    assert [seen.add(7), seen.add(7), seen.add(-7), seen.add(-7)] == [True, False, True, False]
    assert len(seen) == 2


@pytest.mark.parametrize("number", [0, 1, -1, 255, 256, LEAST, MOST])
def test_every_signed_64_bit_number_can_be_known(number: int) -> None:
    seen = Seen()

    assert number not in seen
    assert seen.add(number)
    assert number in seen
    assert not seen.add(number)
    assert len(seen) == 1


@pytest.mark.parametrize("number", [MOST + 1, LEAST - 1])
def test_a_larger_number_is_refused_and_leaves_the_set_as_it_was(number: int) -> None:
    seen = Seen()

    with pytest.raises(OverflowError):
        seen.add(number)

    assert number not in seen
    assert len(seen) == 0


def test_growth_keeps_every_fingerprint() -> None:
    seen, known = Seen(), fingerprints(60_000)
    empty = seen.nbytes

    seen.update(known)

    assert len(seen) == len(known)
    assert all(number in seen for number in known)
    assert not any(seen.add(number) for number in known)
    assert seen.nbytes > empty


def test_numbers_that_all_fall_into_one_shard_are_kept() -> None:
    seen = Seen()

    assert all(seen.add(number << 8) for number in range(3000))
    assert all(number << 8 in seen for number in range(3000))
    assert 3000 << 8 not in seen


@pytest.mark.parametrize("expected", [0, 50_000])
def test_a_fingerprint_takes_at_most_sixteen_bytes(expected: int) -> None:
    seen = Seen(expected)

    seen.update(fingerprints(50_000))

    assert seen.nbytes / len(seen) < 16


def test_a_set_that_knows_its_size_beforehand_hardly_grows() -> None:
    seen = Seen(expected=50_000)
    before = seen.nbytes

    seen.update(fingerprints(50_000))

    assert seen.nbytes < 1.05 * before


@given(st.lists(NUMBERS))
def test_any_iterable_can_be_added(numbers: list[int]) -> None:
    one, two = Seen(), Seen(len(numbers))

    one.update(iter(numbers))
    two.update(array("q", numbers))

    assert len(one) == len(two) == len(set(numbers))


class SeenIsASet(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()
        self.model: set[int] = set()

    @rule(numbers=st.lists(NUMBERS, max_size=50))
    def add(self, numbers: list[int]) -> None:
        for number in numbers:
            assert self.seen.add(number) == (number not in self.model)
            self.model.add(number)

    @rule(number=NUMBERS)
    def ask(self, number: int) -> None:
        assert (number in self.seen) == (number in self.model)

    @invariant()
    def holds_as_many(self) -> None:
        assert len(self.seen) == len(self.model)


TestSeenIsASet = SeenIsASet.TestCase
TestSeenIsASet.settings = settings(max_examples=50, stateful_step_count=30)
