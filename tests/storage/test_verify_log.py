"""Lines of the page log that do not agree with the database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.storage.database import PAGE_LOG
from crawler.storage.verify import verify
from tests.storage.attempts import set_length
from tests.storage.whole import verify_text, wrong


def lines(folder: Path) -> list[bytes]:
    return (folder / PAGE_LOG).read_bytes().splitlines(keepends=True)


def rewrite(folder: Path, content: bytes) -> None:
    """Change the page log, and what the database says of its length."""
    (folder / PAGE_LOG).write_bytes(content)
    set_length(folder, PAGE_LOG, len(content))


def test_lines_in_another_order_are_as_good(folder: Path) -> None:
    rewrite(folder, b"".join(reversed(lines(folder))))

    assert verify(folder).ok


def test_a_missing_line_is_found(folder: Path) -> None:
    rewrite(folder, b"".join(lines(folder)[1:]))

    assert wrong(folder, 1) == "pages.jsonl: has no line for http://a/1"


def test_a_second_line_is_found(folder: Path) -> None:
    first = lines(folder)[0]
    rewrite(folder, first + b"".join(lines(folder)))

    assert wrong(folder, 1) == f"pages.jsonl: offset {len(first)}: http://a/1: has another line at offset 0"


def test_a_line_of_a_page_that_never_was_is_found(folder: Path) -> None:
    rewrite(folder, b"".join(lines(folder)) + lines(folder)[0].replace(b"http://a/1", b"http://a/9"))

    assert re.fullmatch(r"pages\.jsonl: offset \d+: http://a/9: is not a finished page", wrong(folder, 1))


@pytest.mark.parametrize(
    "torn", [b"{\n", b"\n", b"[]\n", b'{"url":"http://a/9"}\n', b"\xff\n", b'{"url":"\xff"}\n', bytes(50)]
)
def test_what_is_no_line_of_a_page_is_found(folder: Path, torn: bytes) -> None:
    size = (folder / PAGE_LOG).stat().st_size
    rewrite(folder, b"".join(lines(folder)) + torn)

    assert wrong(folder, 1).startswith(f"pages.jsonl: offset {size}: is no line of a page, but ")


def test_a_committed_length_that_ends_within_a_line_is_found(folder: Path) -> None:
    content = b"".join(lines(folder))
    set_length(folder, PAGE_LOG, len(content) - 5)

    found = verify_text(folder)

    assert "(it has no end)" in found
    assert "pages.jsonl: 5 bytes past what was committed" in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"outcome":"ok"', b'"outcome":"no"', "outcome is 'no', but 'ok' in the database"),
        (b'"offset":', b'"offset":1', "offset is 1\\d+, but \\d+ in the database"),
        (b'"length":', b'"length":1', "length is 1\\d+, but \\d+ in the database"),
        (b'"segment":"crawl', b'"segment":"squall', "segment is 'squall.*', but 'crawl.*' in the database"),
        (b'"digest":"sha256:', b'"digest":"sha256:0', "digest is 'sha256:0.*', but 'sha256:"),
    ],
)
def test_a_line_that_says_otherwise_is_found(folder: Path, old: bytes, new: bytes, said: str) -> None:
    first, *others = lines(folder)
    rewrite(folder, b"".join((first.replace(old, new), *others)))

    assert re.fullmatch(f"pages\\.jsonl: offset 0: http://a/1: {said}.*", wrong(folder, 1))


def test_a_log_that_is_cut_or_missing_is_found(folder: Path) -> None:
    size = (folder / PAGE_LOG).stat().st_size
    cut = b"".join(lines(folder)[:-1])
    (folder / PAGE_LOG).write_bytes(cut)
    assert f"pages.jsonl: has {len(cut)} bytes, but {size} were committed" in wrong(folder, 2)

    (folder / PAGE_LOG).unlink()
    assert f"pages.jsonl: has 0 bytes, but {size} were committed" in wrong(folder, 6)
