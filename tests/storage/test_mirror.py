"""Bodies as files."""

from __future__ import annotations

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crawler.errors import StorageError
from crawler.storage.mirror import Mirror


def test_a_body_becomes_a_file_below_the_mirror(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror")

    mirror.write("a/b/index.html", b"<p>", unique=1)
    mirror.close()

    assert [path for path in (tmp_path / "mirror").rglob("*") if path.is_file()] == [tmp_path / "mirror/a/b/index.html"]
    assert (tmp_path / "mirror/a/b/index.html").read_bytes() == b"<p>"


def test_a_body_that_comes_again_replaces_the_file(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)

    mirror.write("page", b"old and longer", unique=1)
    mirror.write("page", b"new", unique=2)

    assert (tmp_path / "page").read_bytes() == b"new"


def test_threads_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: mirror.write(f"{number % 3}/{number}", b"%d" % number, number), range(200)))
    mirror.close()

    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {f"{number % 3}/{number}": b"%d" % number for number in range(200)}


def test_what_a_kill_left_half_written_is_removed_and_is_never_a_page(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    mirror.write("page", b"whole", unique=1)
    (tmp_path / ".drafts" / "2").write_bytes(b"ha")

    mirror.close()

    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_mirror_that_was_never_written_to_closes(tmp_path: Path) -> None:
    Mirror(tmp_path / "mirror").close()

    assert not (tmp_path / "mirror").exists()


def test_a_name_that_is_a_folder_already_is_a_storage_error_that_names_it(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    mirror.write("page/inner", b"", unique=1)

    with pytest.raises(StorageError, match=r"page: cannot be written"):
        mirror.write("page", b"", unique=2)


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(StorageError, match=os.strerror(27)):
            mirror.write("page", bytes(200), unique=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    mirror.close()

    assert list(tmp_path.iterdir()) == []
