"""One crawl per folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.errors import FolderBusy, FolderUnusable
from crawler.storage.lock import NAME, FolderLock
from tests.killing import environment


def test_a_folder_is_made_and_held_until_it_is_released(tmp_path: Path) -> None:
    held = FolderLock(tmp_path / "deep" / "out")

    with pytest.raises(FolderBusy, match=rf"another crawl \(process {os.getpid()}\) holds this folder"):
        FolderLock(tmp_path / "deep" / "out")
    held.release()

    FolderLock(tmp_path / "deep" / "out").release()


def test_releasing_twice_does_nothing(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    first.release()
    second = FolderLock(tmp_path)

    first.release()

    with pytest.raises(FolderBusy):
        FolderLock(tmp_path)
    second.release()


def test_a_released_lock_names_nobody(tmp_path: Path) -> None:
    FolderLock(tmp_path).release()

    assert (tmp_path / NAME).read_bytes() == b""


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    script = "import os, sys, pathlib; from crawler.storage.lock import FolderLock;"
    script += "FolderLock(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment(), check=False)
    assert (tmp_path / NAME).read_bytes().strip().isdigit()

    FolderLock(tmp_path).release()


def test_a_reader_waits_for_no_reader(tmp_path: Path) -> None:
    FolderLock(tmp_path).release()

    for reader in [FolderLock(tmp_path, reading=True), FolderLock(tmp_path, reading=True)]:
        reader.release()


def test_a_reader_leaves_no_trace(tmp_path: Path) -> None:
    first = FolderLock(tmp_path, reading=True)
    second = FolderLock(tmp_path, reading=True)

    first.release()
    second.release()

    assert list(tmp_path.iterdir()) == []


def test_readers_and_a_crawl_keep_each_other_out(tmp_path: Path) -> None:
    crawl = FolderLock(tmp_path)
    with pytest.raises(FolderBusy):
        FolderLock(tmp_path, reading=True)
    crawl.release()

    reader = FolderLock(tmp_path, reading=True)
    with pytest.raises(FolderBusy):
        FolderLock(tmp_path)
    reader.release()


@pytest.mark.parametrize("reading", [False, True])
def test_a_file_is_no_folder(tmp_path: Path, *, reading: bool) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(FolderUnusable, match="cannot be"):
        FolderLock(tmp_path / "file", reading=reading)


def test_each_holder_of_a_fenced_lock_has_the_next_number(tmp_path: Path) -> None:
    numbers = []
    for _ in range(3):
        lock = FolderLock(tmp_path, fenced=True)
        numbers.append(lock.number)
        lock.fence()
        lock.release()

    assert numbers == [1, 2, 3]


def test_a_holder_whose_lock_was_given_away_finds_out_before_it_writes(tmp_path: Path) -> None:
    thought_dead = FolderLock(tmp_path, fenced=True)
    # another kernel, on a shared file system, would give the lock away like this
    fcntl.flock(thought_dead._file, fcntl.LOCK_UN)
    successor = FolderLock(tmp_path, fenced=True)

    with pytest.raises(FolderBusy, match="holder 2 has taken it over from holder 1"):
        thought_dead.fence()
    thought_dead.release()

    successor.fence()
    with pytest.raises(FolderBusy, match=rf"process {os.getpid()}"):
        FolderLock(tmp_path)
    successor.release()
