from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.exchange import LONGEST_WAIT, MOST_URLS, Parcel, batch, due, unheard


def parcel(number: int, urls: int = 1) -> Parcel:
    links = tuple(("link", 1, f"https://example.org/{number}/{url}") for url in range(urls))
    return Parcel(number, 7, "https://example.com/", (), links)


def test_a_full_batch_goes_at_once_and_a_part_of_one_a_second_after_its_first_url() -> None:
    assert due(MOST_URLS, 10.0, 10.0, idle=False) == 0.0
    assert due(1, 10.0, 10.25, idle=False) == LONGEST_WAIT - 0.25
    assert due(1, 10.0, 99.0, idle=False) == 0.0


def test_a_shard_that_has_nothing_else_to_do_sends_what_it_has() -> None:
    assert due(1, 10.0, 10.0, idle=True) == 0.0


@given(sizes=st.lists(st.integers(1, 400), min_size=1))
def test_a_batch_is_as_many_parcels_as_fit_and_one_at_least(sizes: list[int]) -> None:
    parcels = [parcel(number, urls) for number, urls in enumerate(sizes)]

    taken = batch(parcels)

    assert list(taken) == parcels[: len(taken)]
    assert taken
    assert len(taken) == 1 or sum(sizes[: len(taken)]) <= MOST_URLS
    assert len(taken) == len(sizes) or sum(sizes[: len(taken) + 1]) > MOST_URLS


def test_a_parcel_larger_than_a_batch_goes_alone() -> None:
    assert batch([parcel(1, MOST_URLS + 1), parcel(2)]) == (parcel(1, MOST_URLS + 1),)


def test_what_comes_again_is_not_heard_again() -> None:
    parcels = [parcel(3), parcel(5), parcel(9)]

    assert unheard(parcels, last=0) == tuple(parcels)
    assert unheard(parcels, last=5) == (parcel(9),)
    assert unheard(parcels, last=9) == ()
