"""Every state in which a kill, a power cut or a stranger can leave the archive, and what a start makes of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import FolderDamaged
from crawler.storage.archive import OPEN, Archive
from tests.storage.segments import (
    AT,
    FIRST,
    SECOND,
    A,
    B,
    C,
    Killed,
    Lengths,
    archive,
    block,
    blocks,
    commit,
    killed_at,
    member,
    names,
    written,
)


@pytest.mark.parametrize("tail", [b"", A[:-7], A, bytes(4096)])
def test_an_open_segment_is_cut_to_its_committed_length_and_gone_on_with(tmp_path: Path, tail: bytes) -> None:
    committed = written(tmp_path, [A])
    with (tmp_path / f"{FIRST}.open").open("ab") as file:
        file.write(tail)

    with archive(tmp_path, committed) as made:
        assert made.lengths() == {}
        assert made.append([B]) == [(FIRST, committed[FIRST][0])]

    assert blocks(tmp_path / f"{FIRST}.open") == [block(A), block(B)]


@pytest.mark.parametrize("content", [b"", A[:5], A])
def test_a_segment_that_was_never_committed_is_deleted(tmp_path: Path, content: bytes) -> None:
    committed = written(tmp_path, [A], [B], segment_size=1)
    third = SECOND.replace("00002", "00003")
    (tmp_path / f"{third}.open").write_bytes(content)

    with archive(tmp_path, committed, segment_size=1) as made:
        assert names(tmp_path) == [FIRST.replace("warc.gz", "cdxj"), FIRST, f"{SECOND}.open"]
        assert made.append([C])[0][0] == third


def test_a_closed_segment_that_still_bears_open_is_indexed_and_renamed(tmp_path: Path) -> None:
    length, _ = written(tmp_path, [A])[FIRST]
    stale = tmp_path / FIRST.replace("warc.gz", "cdxj")
    stale.write_text("torn")
    stale.with_suffix(".cdxj.new").write_text("torn")

    with archive(tmp_path, {FIRST: (length, True)}) as made:
        assert names(tmp_path) == [stale.name, FIRST]
        assert stale.read_text() == f"a {FIRST}\nz {FIRST}\n"
        assert made.append([B])[0][0] == SECOND


def test_a_closed_segment_without_an_index_gets_one(tmp_path: Path) -> None:
    length, _ = written(tmp_path, [A])[FIRST]
    (tmp_path / f"{FIRST}.open").rename(tmp_path / FIRST)

    with archive(tmp_path, {FIRST: (length, True)}):
        assert names(tmp_path) == [FIRST.replace("warc.gz", "cdxj"), FIRST]


@pytest.mark.parametrize("suffix", ["", ".open"])
def test_a_closed_segment_is_cut_to_its_committed_length_too(tmp_path: Path, suffix: str) -> None:
    length, _ = written(tmp_path, [A])[FIRST]
    (tmp_path / f"{FIRST}.open").rename(tmp_path / f"{FIRST}{suffix}")
    with (tmp_path / f"{FIRST}{suffix}").open("ab") as file:
        file.write(A[:20])

    with archive(tmp_path, {FIRST: (length, True)}):
        assert blocks(tmp_path / FIRST) == [block(A)]


def test_a_closing_undone_by_a_power_cut_opens_the_segment_again(tmp_path: Path) -> None:
    committed = written(tmp_path, [A])
    kept = dict(committed)
    with archive(tmp_path, committed) as made:
        made.append([B])
        made.close_segment()
        commit(made, committed)

    with archive(tmp_path, kept) as made:
        assert names(tmp_path) == [f"{FIRST}.open"]
        assert made.append([C]) == [(FIRST, kept[FIRST][0])]
        made.close_segment()
        commit(made, kept)

    assert blocks(tmp_path / FIRST) == [block(A), block(C)]


@pytest.mark.parametrize("closed", [False, True])
def test_a_committed_segment_that_is_missing_is_damage(tmp_path: Path, *, closed: bool) -> None:
    with (
        pytest.raises(FolderDamaged, match=rf"{FIRST}: missing, but 99 bytes"),
        archive(tmp_path, {FIRST: (99, closed)}),
    ):
        pass


@pytest.mark.parametrize("closed", [False, True])
def test_a_segment_shorter_than_committed_is_damage(tmp_path: Path, *, closed: bool) -> None:
    length, _ = written(tmp_path, [A])[FIRST]
    before = (tmp_path / f"{FIRST}.open").read_bytes()

    with (
        pytest.raises(FolderDamaged, match=f"has {length} bytes, but {length + 1}"),
        archive(tmp_path, {FIRST: (length + 1, closed)}),
    ):
        pass

    assert (tmp_path / f"{FIRST}.open").read_bytes() == before


@pytest.mark.parametrize("stranger", [SECOND, FIRST, f"{FIRST.replace('154001', '154000')}.open"])
def test_a_segment_that_no_kill_can_leave_is_damage_and_nothing_is_touched(tmp_path: Path, stranger: str) -> None:
    committed = written(tmp_path, [A])
    (tmp_path / stranger).write_bytes(B)
    (tmp_path / f"{SECOND}.open").write_bytes(C)

    with pytest.raises(FolderDamaged, match=r"does not know it|closed and open at once"), archive(tmp_path, committed):
        pass

    assert names(tmp_path) == sorted({f"{FIRST}.open", stranger, f"{SECOND}.open"})


def test_two_open_segments_are_damage(tmp_path: Path) -> None:
    committed = written(tmp_path, [A], [B], segment_size=1)
    damaged = {name: (length, False) for name, (length, _) in committed.items()}

    with pytest.raises(FolderDamaged, match="more than one segment is open"), archive(tmp_path, damaged):
        pass


class Store:
    """An archive with a database beside it, whose transactions are whole or nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lengths: Lengths = {}
        self.places: dict[bytes, tuple[str, int]] = {}
        self.done = 0

    def index(self, segment: str) -> Iterable[str]:
        return [f"{offset:010}" for name, offset in self.places.values() if name == segment]

    def recover(self) -> Archive:
        made = Archive(self.folder, segment_size=700, software="crawler/0", now=lambda: AT, index=self.index)
        try:
            made.recover(self.lengths)
        except BaseException:
            made.close()
            raise
        return made

    def crawl(self, batches: list[list[bytes]]) -> None:
        """Do what is not done yet, then close the segment."""
        with closing(self.recover()) as made:
            for batch in batches[self.done :]:
                self.commit(made, made.append(batch), batch)
            made.close_segment()
            self.commit(made, [], [])

    def commit(self, made: Archive, places: list[tuple[str, int]], batch: list[bytes]) -> None:
        lengths = made.lengths()
        made.sync()
        self.lengths |= lengths
        self.places |= zip(batch, places, strict=True)
        self.done += bool(batch)
        made.committed()


class WrongStore(Store):
    """A store that takes a batch for done before it is in the archive."""

    def crawl(self, batches: list[list[bytes]]) -> None:
        with closing(self.recover()) as made:
            for batch in batches[self.done :]:
                self.done += 1
                self.commit(made, made.append(batch), batch)
                self.done -= 1
            made.close_segment()
            self.commit(made, [], [])


BATCHES = [[member(10 * batch + number) for number in range(3)] for batch in range(5)]
EVERYTHING = [packed for batch in BATCHES for packed in batch]


def as_it_is(path: Path, committed: int) -> None:
    """Leave all that was written: the process was killed."""
    del path, committed


def torn(path: Path, committed: int) -> None:
    """Leave half of what was not committed."""
    os.truncate(path, (committed + path.stat().st_size) // 2)


def zeroed(path: Path, committed: int) -> None:
    """Leave zeros where it was not committed, and after it: the power was cut."""
    size = path.stat().st_size
    os.truncate(path, committed)
    os.truncate(path, size + 4096)


def damage(store: Store, harm: Callable[[Path, int], None]) -> None:
    for path in list(store.folder.glob("*.warc.gz*")):
        harm(path, store.lengths.get(path.name.removesuffix(OPEN), (0, False))[0])


def assert_sound(store: Store) -> None:
    """Check that all is in the archive exactly once, whole, where the database says, and indexed."""
    assert sorted(store.places) == sorted(EVERYTHING)
    for segment, (length, closed) in store.lengths.items():
        whole = (store.folder / segment).read_bytes()
        here = [packed for packed, (name, _) in store.places.items() if name == segment]
        assert (len(whole), True) == (length, closed)
        assert sorted(blocks(store.folder / segment)) == sorted(map(block, here))
        assert all(whole.startswith(packed, store.places[packed][1]) for packed in here)
        index = (store.folder / segment.replace("warc.gz", "cdxj")).read_text()
        assert index.splitlines() == sorted(store.index(segment))
    expected = {name for segment in store.lengths for name in (segment, segment.replace("warc.gz", "cdxj"))}
    assert set(names(store.folder)) == expected


def killed_crawls(folder: Path, kind: type[Store]) -> Iterator[Store]:
    """Yield a store for each system call of a crawl, killed before that call."""
    for call in itertools.count(1):
        store = kind(folder / f"{call}")
        try:
            with killed_at(call):
                store.crawl(BATCHES)
        except Killed:
            yield store
        else:
            assert call > 50, "the watch saw too few calls"
            return


@pytest.mark.parametrize("harm", [as_it_is, torn, zeroed])
def test_a_crawl_killed_before_any_system_call_ends_whole(tmp_path: Path, harm: Callable[[Path, int], None]) -> None:
    for store in killed_crawls(tmp_path, Store):
        damage(store, harm)

        store.crawl(BATCHES)

        assert_sound(store)


def test_a_start_killed_before_any_system_call_is_done_again(tmp_path: Path) -> None:
    for store in killed_crawls(tmp_path, Store):
        for call in itertools.count(1):
            try:
                with killed_at(call), closing(store.recover()):
                    break
            except Killed:
                continue

        store.crawl(BATCHES)

        assert_sound(store)


def test_the_sweep_catches_a_store_that_takes_a_batch_for_done_too_early(tmp_path: Path) -> None:
    lost = 0
    for store in killed_crawls(tmp_path, WrongStore):
        store.crawl(BATCHES)
        lost += len(store.places) < len(EVERYTHING)

    assert lost > 0
