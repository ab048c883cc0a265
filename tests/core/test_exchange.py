from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.ending import Waves
from crawler.core.exchange import LONGEST_WAIT, MOST_URLS, Heard, Parcel, Receipt, Way, batch, due, unheard
from tests.core.losses import World


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


def test_a_receiver_that_has_forgotten_something_takes_nothing_that_comes_after_it() -> None:
    remembered = Heard(life=1, last=3)

    assert remembered.next(1, 5, (parcel(9),)) == (remembered, ())
    assert remembered.next(1, 3, (parcel(5), parcel(9))) == (Heard(1, 9), (parcel(5), parcel(9)))


def test_a_sender_in_a_new_life_is_heard_from_the_beginning_and_in_the_old_one_no_more() -> None:
    remembered = Heard(life=1, last=9)

    again, taken = remembered.next(2, 0, (parcel(5), parcel(9)))

    assert (again, taken) == (Heard(2, 9), (parcel(5), parcel(9)))
    with pytest.raises(ValueError, match="is over: life 2 has been heard of"):
        again.next(1, 9, (parcel(10),))


def test_a_sender_goes_back_to_what_a_receiver_has_in_its_new_life() -> None:
    way = Way().told(Receipt(life=1, heard=9, kept=0)).told(Receipt(life=1, heard=9, kept=4))

    assert way.told(Receipt(life=2, heard=4, kept=0)) == Way(life=2, heard=4, kept=4)


def test_a_receipt_that_comes_late_tells_what_is_kept_and_nothing_else() -> None:
    way = Way(life=2, heard=4, kept=2)

    assert way.told(Receipt(life=1, heard=9, kept=3)) == Way(life=2, heard=4, kept=3)
    assert way.told(Receipt(life=2, heard=3, kept=0)) == way


@settings(max_examples=400)
@given(seed=st.integers(0, 1 << 32), shards=st.integers(1, 4), faults=st.integers(0, 30), pace=st.integers(0, 6))
def test_no_loss_of_whatever_folder_loses_a_link_and_the_end_is_seen_when_it_is_there(
    seed: int, shards: int, faults: int, pace: int
) -> None:
    world, waves = World(random.Random(seed), shards, faults), Waves()  # noqa: S311  # no secret
    late = 0

    while True:
        wave = []
        for number in range(shards):
            there = world.there[number]
            wave.append(there.look() if there else None)
            for _ in range(world.chance.randint(0, pace)):
                world.step()
        if waves.see(wave):
            break
        late += not world.faults
        assert late < 20_000
        world.step()

    assert world.left_of(world.folders) == set()
    assert world.left_of(world.store) == set()
