"""Records and indexes that do not agree with the database."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.storage.verify import verify
from tests.storage.attempts import set_length, tamper
from tests.storage.whole import index, records, segment, verify_text, wrong


def test_every_damaged_byte_is_found_and_only_its_record_is_lost(folder: Path) -> None:
    path = segment(folder)
    for member in records(path)[1:]:
        content = bytearray(path.read_bytes())
        content[member.offset + member.length // 2] ^= 16
        path.write_bytes(content)

        assert f"archive/{path.name}: offset {member.offset}: " in wrong(folder, 1)

        content[member.offset + member.length // 2] ^= 16
        path.write_bytes(content)
    assert verify(folder).ok


def test_a_segment_cut_short_is_found_with_the_records_it_lost(folder: Path) -> None:
    path = segment(folder)
    last = records(path)[-1]
    path.write_bytes(path.read_bytes()[: last.offset])

    found = wrong(folder, 2)

    assert f"archive/{path.name}: has {last.offset} bytes, but {last.end} were committed" in found
    assert f"offset {last.offset}: no record begins there" in found


def test_a_missing_segment_is_found(folder: Path) -> None:
    path = segment(folder, 1)
    path.unlink()

    assert f"archive/{path.name}: missing, but " in verify_text(folder)
    assert "its segment is missing" in verify_text(folder)


def test_a_segment_that_the_database_does_not_know_is_found(folder: Path) -> None:
    stranger = segment(folder, 1).name.replace("00002", "00003")
    shutil.copy(segment(folder, 1), folder / "archive" / stranger)

    assert verify_text(folder).endswith(f"archive/{stranger}: the database does not know it")


def test_a_segment_that_is_there_twice_is_found(folder: Path) -> None:
    path = segment(folder, 1)
    shutil.copy(path, path.with_name(f"{path.name}.open"))

    assert f"archive/{path.name}.open: the database does not know it" in verify_text(folder)


def test_a_record_that_belongs_to_no_page_is_found(folder: Path) -> None:
    tamper(folder, "DELETE FROM page WHERE id = 1")

    found = verify_text(folder)

    assert re.search(
        r"archive/crawl-\d+-00001\.warc\.gz: offset \d+: the response of http://a/1 belongs to no page", found
    )


def test_a_record_that_belongs_to_two_pages_is_found(folder: Path) -> None:
    tamper(
        folder,
        "UPDATE page SET (segment, offset, length) = (SELECT segment, offset, length FROM page WHERE id = 1)"
        " WHERE id = 2",
    )

    found = verify_text(folder)

    assert "belongs to 2 pages, http://a/1 and http://a/2 among them" in found
    assert "the response of http://a/2 belongs to no page" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "page SET offset = offset + 1 WHERE id = 1",
            "crawl.db: http://a/1: segment 1, offset \\d+: no record begins there",
        ),
        (
            "page SET offset = 0 WHERE id = 1",
            "offset 0: is of type 'warcinfo', but the database has a response of http://a/1",
        ),
        ("page SET segment = 99 WHERE id = 1", "crawl.db: http://a/1: segment 99, .*not known to the database"),
        ("page SET segment = -1 WHERE id = 1", "crawl.db: http://a/1: segment -1, .*not known to the database"),
        ("page SET length = 7 WHERE id = 1", "the response of http://a/1 has \\d+ bytes, but the database has 7"),
        (
            "page SET revisit = 1 WHERE id = 1",
            "is of type 'response', but the database has a revisit of http://a/1 here",
        ),
        ("page SET digest = x'00' WHERE id = 1", "the payload of http://a/1 has the digest .*, but .* has sha256:00"),
        (
            "url SET url = 'http://a/x' WHERE id = 1",
            "is the response of http://a/1, but the database has http://a/x here",
        ),
        (
            "page SET fetched_at = 1 WHERE id = 1",
            "the revisit of http://a/3 refers to a record that is not in the database",
        ),
        ("page SET fetched_at = 1e300 WHERE id = 1", "the revisit of http://a/3 refers to a record"),
        (
            "page SET prefix = 1 WHERE id = 1",
            "the revisit of http://a/3 refers to a record that is not in the database",
        ),
        ("file SET length = length - 9 WHERE id = 1", "the gzip member is cut off"),
    ],
)
def test_a_row_that_does_not_fit_its_record_is_found(folder: Path, change: str, said: str) -> None:
    tamper(folder, f"UPDATE {change}")

    assert re.search(said, verify_text(folder))


def test_a_revisit_whose_payload_is_gone_is_found(folder: Path) -> None:
    tamper(folder, "UPDATE page SET segment = 0, offset = 0, length = 0 WHERE id = 1")

    assert "the revisit of http://a/3 refers to a record that is not in the database" in verify_text(folder)


def test_a_warcinfo_record_in_the_middle_of_a_segment_is_found(folder: Path) -> None:
    path = segment(folder)
    info = records(path)[0]
    content = path.read_bytes()
    path.write_bytes(content + content[: info.length])
    set_length(folder, path.name, len(content) + info.length)

    assert (
        wrong(folder, 1) == f"archive/{path.name}: offset {len(content)}: a record of type 'warcinfo' has no place here"
    )


# the indexes


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda lines: lines[:-1], "has no line for http://a/"),
        (lambda lines: [*lines, lines[-1]], "names offset \\d+, where no page has its record"),
        (lambda lines: lines[::-1], "the line is not in its order"),
        (
            lambda lines: [lines[0].replace(b'"200"', b'"404"'), *lines[1:]],
            "the line for http://a/1 is not what its record",
        ),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "the line has no end"),
        (lambda lines: [*lines, b"zzz torn\n"], "offset \\d+: is no line of an index, but b'zzz torn"),
        (lambda lines: [*lines, b'zzz 2 {"offset": "x"}\n'], "is no line of an index"),
    ],
)
def test_an_index_that_is_not_sorted_and_complete_is_found(
    folder: Path, harm: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    path = index(folder)
    path.write_bytes(b"".join(harm(path.read_bytes().splitlines(keepends=True))))

    found = verify(folder)

    assert not found.ok
    assert re.search(r"^2 indexes, \d entries: \d wrong$", found.lines[2])
    assert re.search(f"archive/{path.name}: .*{said}|archive/{path.name}: {said}", "\n".join(found.lines))


def test_a_missing_index_is_found(folder: Path) -> None:
    missing = index(folder)
    missing.unlink()

    assert wrong(folder, 1) == f"archive/{missing.name}: missing"
