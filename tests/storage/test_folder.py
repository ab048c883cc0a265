"""The output folder as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import FolderBusy, FolderUnusable, StorageError
from crawler.storage.folder import Folder
from tests.storage.attempts import crawled, journal, sow


def test_a_held_folder_keeps_others_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out", fresh=False, now=0)

    with pytest.raises(FolderBusy):
        Folder(tmp_path / "out", fresh=False, now=0)
    folder.release()

    Folder(tmp_path / "out", fresh=False, now=0).release()


def test_what_is_there_stays_unless_a_fresh_start_is_asked_for(tmp_path: Path) -> None:
    crawled(tmp_path, "1", "2")
    before = {path.name for path in tmp_path.iterdir()}

    Folder(tmp_path, fresh=False, now=0).release()

    assert {path.name for path in tmp_path.iterdir()} == before | {"crawl.lock"}


def test_a_fresh_start_moves_what_is_ours_aside_and_nothing_else(tmp_path: Path) -> None:
    crawled(tmp_path, "1", "2")
    for name in ("report.json", "notes.txt"):
        (tmp_path / name).write_text("told")
    (tmp_path / "mirror").mkdir()

    Folder(tmp_path, fresh=True, now=1795448401.9).release()

    aside = tmp_path / "before-1795448401"
    assert {path.name for path in tmp_path.iterdir()} == {aside.name, "crawl.lock", "notes.txt"}
    assert {path.name for path in aside.iterdir()} == {
        "crawl.db",
        "pages.jsonl",
        "changes.jsonl",
        "archive",
        "report.json",
        "mirror",
    }
    with journal(aside) as opened:
        assert [len(page) for page in opened.counts()] == [2]
    with journal(tmp_path) as opened:
        assert [url.id for url in sow(opened, "http://a/1")] == [1]


def test_a_fresh_start_in_a_new_folder_moves_nothing(tmp_path: Path) -> None:
    Folder(tmp_path / "out", fresh=True, now=5).release()

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["crawl.lock"]


def test_two_fresh_starts_within_a_second_keep_both_runs(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / "pages.jsonl").write_text(text)
        Folder(tmp_path, fresh=True, now=5).release()

    assert (tmp_path / "before-5" / "pages.jsonl").read_text() == "first"
    assert (tmp_path / "before-6" / "pages.jsonl").read_text() == "second"


def test_a_fresh_start_that_fails_lets_go_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text("told")
    (tmp_path / "before-5").symlink_to(tmp_path / "nowhere")  # it does not exist, yet cannot be made

    with pytest.raises(FolderUnusable, match="cannot be moved aside"):
        Folder(tmp_path, fresh=True, now=5)

    Folder(tmp_path, fresh=False, now=5).release()
    assert (tmp_path / "pages.jsonl").read_text() == "told"


def test_a_report_replaces_the_last_one_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path, fresh=False, now=0)

    folder.write_reports({"report.json": b"first"})
    folder.write_reports({"report.json": b"second"})

    assert (tmp_path / "report.json").read_bytes() == b"second"
    assert not list(tmp_path.glob("*.new"))
    folder.release()


def test_a_report_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    folder = Folder(tmp_path, fresh=False, now=0)
    (tmp_path / "report.json.new").mkdir()

    with pytest.raises(StorageError, match=r"report\.json\.new: cannot be written"):
        folder.write_reports({"report.json": b"told"})

    folder.release()
