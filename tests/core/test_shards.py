from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.shards import MOST_SHARDS, Territory, assign, moved
from crawler.core.url import SHARDS, virtual_shard

FEW = st.integers(1, 6)


def test_the_owner_of_a_virtual_shard_never_changes() -> None:
    # on disk there are folders that were dealt out like this
    assert assign(4)[:16] == (2, 3, 1, 0, 3, 1, 1, 2, 1, 0, 2, 1, 0, 3, 1, 2)


@pytest.mark.parametrize("shards", [1, 2, 3, 8, 16])
def test_every_virtual_shard_has_one_owner_and_every_shard_about_as_many(shards: int) -> None:
    owned = Counter(assign(shards))

    assert sum(owned.values()) == SHARDS
    assert set(owned) == set(range(shards))
    assert max(owned.values()) <= 1.25 * SHARDS / shards


@given(shards=FEW)
def test_one_shard_more_takes_its_part_from_all_and_nothing_else_moves(shards: int) -> None:
    moves = moved(assign(shards), assign(shards + 1))

    assert {after for _, after in moves.values()} == {shards}
    assert len(moves) <= 1.3 * SHARDS / (shards + 1)


@given(before=FEW, after=FEW)
def test_what_moves_there_comes_back_from_there(before: int, after: int) -> None:
    there, back = moved(assign(before), assign(after)), moved(assign(after), assign(before))

    assert back == {virtual: (new, old) for virtual, (old, new) in there.items()}
    assert all(old < before and new < after for old, new in there.values())


@pytest.mark.parametrize("shards", [0, -1, MOST_SHARDS + 1])
def test_no_shards_and_too_many_are_refused(shards: int) -> None:
    with pytest.raises(ValueError, match="number of shards"):
        assign(shards)


def test_all_hosts_of_a_domain_are_in_one_territory() -> None:
    urls = ["https://a.example.org/", "http://b.example.org:8080/x", "https://example.org"]

    owners = {Territory(assign(64), 0).owner(url) for url in urls}

    assert owners == {assign(64)[virtual_shard("example.org")]}


@given(name=st.from_regex(r"[a-z]{1,8}\.(org|co\.uk)", fullmatch=True))
def test_a_url_is_at_home_with_one_shard_and_elsewhere_for_all_others(name: str) -> None:
    assignment, url = assign(5), f"https://www.{name}/page"
    territories = [Territory(assignment, shard) for shard in range(5)]

    at_home = [shard for shard, territory in enumerate(territories) if territory.elsewhere(url) is None]

    assert at_home == [territories[0].owner(url)]
    assert {territory.elsewhere(url) for territory in territories} == {None, virtual_shard(name)}
