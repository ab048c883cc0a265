from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.errors import StorageError
from crawler.storage.quarantine import Quarantine

HOSTILE = "http://a/../../etc/passwd\0?<script>&x=\u202e"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_sample_is_the_body_as_it_came_and_its_story(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine", most_bytes=100)

    name = quarantine.keep("http://a/", "parse_crash", "died of SIGSEGV", b"\0<")

    assert (tmp_path / name).read_bytes() == b"\0<"
    assert json.loads((tmp_path / name).with_suffix(".json").read_bytes()) == {
        "url": "http://a/",
        "outcome": "parse_crash",
        "detail": "died of SIGSEGV",
        "bytes": 2,
    }


def test_no_name_is_made_of_what_a_stranger_wrote(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine", most_bytes=100)

    name = quarantine.keep(HOSTILE, "parse_crash", "", b"x")

    assert names(tmp_path) == {"quarantine"}
    folder, slash, file = name.partition("/")
    assert (folder, slash) == ("quarantine", "/")
    assert set(file.removesuffix(".body")) <= set("0123456789abcdef")


def test_a_long_body_is_cut_and_its_length_told(tmp_path: Path) -> None:
    name = Quarantine(tmp_path / "quarantine", most_bytes=3).keep("http://a/", "parse_memory", "", b"12345")

    assert (tmp_path / name).read_bytes() == b"123"
    assert json.loads((tmp_path / name).with_suffix(".json").read_bytes())["bytes"] == 5


def test_the_same_page_is_kept_once_and_beyond_the_most_nothing_is(tmp_path: Path) -> None:
    first = Quarantine(tmp_path / "quarantine", most_bytes=9, most=2)
    first.keep("http://a/1", "parse_crash", "", b"1")
    again = Quarantine(tmp_path / "quarantine", most_bytes=9, most=2)

    again.keep("http://a/2", "parse_crash", "", b"2")
    full = again.keep("http://a/3", "parse_crash", "", b"3")
    known = again.keep("http://a/1", "parse_timeout", "", b"4")

    assert full == ""
    assert (tmp_path / known).read_bytes() == b"4"
    assert len(names(tmp_path / "quarantine")) == 4


def test_a_disk_that_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "quarantine").write_bytes(b"a file in the way")

    with pytest.raises(StorageError, match="cannot be written"):
        Quarantine(tmp_path / "quarantine", most_bytes=9).keep("http://a/", "parse_crash", "", b"")
