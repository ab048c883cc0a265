"""A file that grows, is cut to its committed length, and does not survive a failed write."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import FolderDamaged, FolderUnusable, StorageError
from crawler.storage.append_file import AppendFile
from tests.storage.segments import largest_file


@contextmanager
def opened(path: Path, length: int) -> Iterator[AppendFile]:
    file = AppendFile.open(path, length)
    try:
        yield file
    finally:
        file.close()


def test_a_file_is_created_and_tells_where_each_part_went(tmp_path: Path) -> None:
    with opened(tmp_path / "file", 0) as file:
        offsets = [file.append(b"abc"), *file.append_all([b"de", b"", b"f"]), file.append(b"")]
        file.sync()

    assert offsets == [0, 3, 5, 5, 6]
    assert file.length == 6
    assert (tmp_path / "file").read_bytes() == b"abcdef"


@pytest.mark.parametrize("tail", [b"", b"torn", bytes(4096)])
def test_what_is_past_the_committed_length_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"committed" + tail)

    with opened(path, 9) as file:
        offset = file.append(b", more")

    assert offset == 9
    assert path.read_bytes() == b"committed, more"


def test_an_empty_committed_length_empties_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"never committed")

    with opened(path, 0) as file:
        assert file.length == 0

    assert path.read_bytes() == b""


def test_a_file_shorter_than_committed_is_damage_and_names_both_lengths(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")

    with pytest.raises(FolderDamaged, match=r"file: has 5 bytes, but 6 were committed"):
        AppendFile.open(path, 6)

    assert path.read_bytes() == b"12345"


def test_a_missing_file_is_damage_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(FolderDamaged, match=r"missing, but 6 bytes"):
        AppendFile.open(tmp_path / "file", 6)

    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("length", [0, 1])
def test_a_folder_in_the_files_place_is_unusable(tmp_path: Path, length: int) -> None:
    with pytest.raises(FolderUnusable, match="directory"):
        AppendFile.open(tmp_path, length)


def test_a_file_in_a_missing_folder_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match="No such file"):
        AppendFile.open(tmp_path / "none" / "file", 0)


def test_a_full_disk_is_a_storage_error_with_its_reason_and_ends_the_use(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to("/dev/full")

    with opened(path, 0) as file:
        with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
            file.append(b"abc")
        with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
            file.append(b"")
        with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
            file.sync()

    assert file.length == 0


def test_a_write_cut_short_is_gone_on_with_until_it_fails_and_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with opened(path, 0) as file, largest_file(10):
        file.append(b"12345678")
        with pytest.raises(StorageError, match=os.strerror(errno.EFBIG)):
            file.append_all([b"9", b"abc", b"def"])

    assert path.read_bytes() == b"123456789a"
    assert file.length == 8
    with opened(path, 8) as again:
        again.append(b"9abcdef")
    assert path.read_bytes() == b"123456789abcdef"


def test_a_failed_sync_ends_the_use(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to("/dev/null")  # takes every write, and cannot be synced

    with opened(path, 0) as file:
        file.append(b"abc")
        with pytest.raises(StorageError, match="cannot be made durable"):
            file.sync()
        with pytest.raises(StorageError, match="cannot be made durable"):
            file.append(b"abc")
        with pytest.raises(StorageError, match="cannot be made durable"):
            file.sync()


def test_a_closed_file_takes_nothing_more_and_may_be_closed_again(tmp_path: Path) -> None:
    with opened(tmp_path / "file", 0) as file:
        file.close()
        with pytest.raises(StorageError, match="is closed"):
            file.append(b"abc")


def test_more_parts_than_one_system_call_takes_are_written_in_order(tmp_path: Path) -> None:
    parts = [b"%d," % number for number in range(3000)]

    with opened(tmp_path / "file", 0) as file:
        offsets = file.append_all(parts)

    whole = (tmp_path / "file").read_bytes()
    assert whole == b"".join(parts)
    assert all(whole.startswith(part, offset) for part, offset in zip(parts, offsets, strict=True))


@pytest.mark.parametrize("most", [1, 3, 7])
def test_short_writes_lose_and_double_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    parts = [b"abc", b"", b"d", b"efghijklmno", b"pq"]
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda file, waiting: real(file, [b"".join(waiting)[:most]]))

    with opened(tmp_path / "file", 0) as file:
        file.append_all(parts)

    assert (tmp_path / "file").read_bytes() == b"abcdefghijklmnopq"


@given(st.lists(st.binary(max_size=20)), st.data())
def test_a_file_cut_anywhere_past_its_commit_goes_on_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "file"
    with opened(path, 0) as file:
        file.append_all(parts)
        committed = file.length
        file.append(b"a batch that was never committed")
    os.truncate(path, data.draw(st.integers(committed, path.stat().st_size)))

    with opened(path, committed) as file:
        file.append(b"the end")

    assert path.read_bytes() == b"".join(parts) + b"the end"
