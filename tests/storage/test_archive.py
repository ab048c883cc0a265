"""Segments and their indexes, when all goes well and when the disk does not."""

from __future__ import annotations

import errno
import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator as FastwarcIterator
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from crawler.core import cdxj
from crawler.errors import FolderUnusable, StorageError
from crawler.storage.archive import Archive, segment_path
from tests.storage.segments import (
    AT,
    FIRST,
    SECOND,
    A,
    B,
    C,
    D,
    Lengths,
    archive,
    block,
    blocks,
    commit,
    largest_file,
    names,
    written,
)


def test_an_archive_without_a_record_is_an_empty_folder(tmp_path: Path) -> None:
    with archive(tmp_path / "deep" / "archive", {}) as made:
        assert made.append([]) == []
        made.close_segment()
        assert made.lengths() == {}
        made.sync()
        made.committed()

    assert names(tmp_path / "deep" / "archive") == []


def test_a_segment_begins_with_a_warcinfo_record_and_is_open_while_written(tmp_path: Path) -> None:
    with archive(tmp_path, {}) as made:
        places = made.append([A, B])

        assert names(tmp_path) == [f"{FIRST}.open"]
        assert segment_path(tmp_path, FIRST) == tmp_path / f"{FIRST}.open"
        whole = segment_path(tmp_path, FIRST).read_bytes()
        assert [segment for segment, _ in places] == [FIRST, FIRST]
        assert [whole[offset:][: len(packed)] for (_, offset), packed in zip(places, (A, B), strict=True)] == [A, B]
        assert made.lengths() == {FIRST: (len(whole), False)}
        assert blocks(tmp_path / f"{FIRST}.open") == [block(A), block(B)]


def test_only_what_changed_since_the_last_commit_must_be_stored(tmp_path: Path) -> None:
    with archive(tmp_path, {}) as made:
        made.append([A])
        commit(made, {})
        assert made.lengths() == {}

        made.append([B])
        made.lengths()
        made.append([C])
        made.committed()

        assert made.lengths() == {FIRST: (segment_path(tmp_path, FIRST).stat().st_size, False)}


def test_a_batch_that_finds_the_segment_full_goes_to_a_new_one(tmp_path: Path) -> None:
    committed: Lengths = {}
    with archive(tmp_path, committed, segment_size=len(A)) as made:
        made.append([A, B, C])
        commit(made, committed)

        assert made.append([D])[0][0] == SECOND

        assert made.lengths() == {
            FIRST: (committed[FIRST][0], True),
            SECOND: (segment_path(tmp_path, SECOND).stat().st_size, False),
        }
        assert names(tmp_path) == [f"{FIRST}.open", f"{SECOND}.open"]
        commit(made, committed)
        assert names(tmp_path) == [FIRST.replace("warc.gz", "cdxj"), FIRST, f"{SECOND}.open"]
    assert blocks(tmp_path / FIRST) == [block(A), block(B), block(C)]


def test_a_closed_segment_has_its_name_and_a_sorted_index(tmp_path: Path) -> None:
    committed: Lengths = {}
    with archive(tmp_path, committed) as made:
        made.append([A])
        made.close_segment()
        commit(made, committed)

        assert segment_path(tmp_path, FIRST) == tmp_path / FIRST
        assert made.append([B])[0][0] == SECOND
    assert (tmp_path / FIRST.replace("warc.gz", "cdxj")).read_text() == f"a {FIRST}\nz {FIRST}\n"
    assert committed[FIRST] == ((tmp_path / FIRST).stat().st_size, True)


def test_an_index_line_leads_to_its_record_and_other_readers_accept_the_segment(tmp_path: Path) -> None:
    lines: list[str] = []
    made = Archive(tmp_path, segment_size=10**6, software="crawler/0", now=lambda: AT, index=lambda _: lines)
    with closing(made):
        made.recover({})
        segment, offset = made.append([A, B])[1]
        lines.append(
            cdxj.line(
                "http://a/1",
                AT,
                mime="text/html",
                status=200,
                digest=b"",
                length=len(B),
                offset=offset,
                filename=segment,
            )
        )
        made.close_segment()
        commit(made, {})

    columns = json.loads((tmp_path / FIRST.replace("warc.gz", "cdxj")).read_text().split(" ", 2)[2])
    with (tmp_path / columns["filename"]).open("rb") as file:
        file.seek(int(columns["offset"]))
        assert file.read(int(columns["length"])) == B
        file.seek(0)
        seen = [record.rec_headers.get_header("WARC-Type") for record in WarcioIterator(file, check_digests="raise")]
        assert seen == ["warcinfo", "response", "response"]
        file.seek(0)
        assert [record.verify_block_digest() for record in FastwarcIterator(file, parse_http=False)] == [True] * 3


def test_files_of_others_are_let_be(tmp_path: Path) -> None:
    for name in ("notes.txt", "other-20261123154001-00001.warc.gz", "crawl-1.warc.gz.open"):
        (tmp_path / name).write_bytes(b"mine")

    with archive(tmp_path, {}) as made:
        made.append([A])

    assert len(names(tmp_path)) == 4


def test_a_folder_that_cannot_be_made_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(FolderUnusable), archive(tmp_path / "file" / "archive", {}):
        pass


def test_a_disk_that_takes_no_more_ends_the_archive_and_loses_nothing_committed(tmp_path: Path) -> None:
    committed = written(tmp_path, [A])
    with archive(tmp_path, committed) as made:
        with largest_file(committed[FIRST][0] + 50), pytest.raises(StorageError, match=os.strerror(errno.EFBIG)):
            made.append([B])
        with pytest.raises(StorageError, match=os.strerror(errno.EFBIG)):
            made.append([B])
        assert made.lengths() == {}

    with archive(tmp_path, committed) as made:
        made.append([C])
    assert blocks(tmp_path / f"{FIRST}.open") == [block(A), block(C)]


def test_a_segment_that_cannot_be_begun_ends_the_archive_and_is_gone_at_the_next_start(tmp_path: Path) -> None:
    with archive(tmp_path, {}) as made:
        with largest_file(50), pytest.raises(StorageError, match=os.strerror(errno.EFBIG)):
            made.append([A])
        with pytest.raises(StorageError, match=os.strerror(errno.EFBIG)):
            made.append([A])

    with archive(tmp_path, {}) as made:
        assert names(tmp_path) == []
        assert made.append([B])[0][0] == FIRST
