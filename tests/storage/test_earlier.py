from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from crawler.core import warc
from crawler.errors import FolderUnusable
from crawler.storage.earlier import EarlierArchive

IDS = ("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001")
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
AT = 1795448401.5


def exchange(url: str, body: bytes, *, truncated: str = "") -> bytes:
    digest = sha256(body).digest()
    return b"".join(
        warc.exchange(
            url, REQUEST, HEAD, body, digest=digest, address="192.0.2.1", date=AT, truncated=truncated, ids=IDS
        )
    )


def revisit(url: str, body: bytes, of: str) -> bytes:
    digest = sha256(body).digest()
    return warc.revisit(url, HEAD, digest=digest, address="", date=AT, refers_to=(of, AT), record_id=IDS[0])


def archive(folder: Path, *segments: bytes) -> EarlierArchive:
    (folder / "archive").mkdir()
    for number, content in enumerate(segments, 1):
        (folder / "archive" / f"crawl-20260101000000-{number:05}.warc.gz").write_bytes(content)
    return EarlierArchive([folder])


def test_an_answer_is_read_as_it_was_archived(tmp_path: Path) -> None:
    earlier = archive(tmp_path, exchange("http://a/", b"one", truncated="length"))

    answer = earlier.answer("http://a/")

    assert answer is not None
    assert (answer.request, answer.head, answer.body) == (REQUEST, HEAD, b"one")
    assert (answer.began_at, answer.address, answer.truncated) == (AT, "192.0.2.1", "length")
    assert earlier.answer("http://a/other") is None


def test_a_revisit_has_the_payload_that_it_refers_to_also_from_another_segment(tmp_path: Path) -> None:
    earlier = archive(tmp_path, exchange("http://a/1", b"same"), revisit("http://a/2", b"same", "http://a/1"))

    answer = earlier.answer("http://a/2")

    assert answer is not None
    assert answer.body == b"same"


def test_a_revisit_whose_payload_is_gone_is_no_answer(tmp_path: Path) -> None:
    earlier = archive(tmp_path, revisit("http://a/2", b"same", "http://a/1"))

    assert earlier.answer("http://a/2") is None


def test_of_several_answers_the_last_one_counts(tmp_path: Path) -> None:
    earlier = archive(tmp_path, exchange("http://a/", b"old"), exchange("http://a/", b"new"))

    answer = earlier.answer("http://a/")

    assert answer is not None
    assert answer.body == b"new"
    assert len(earlier) == 1


@pytest.mark.parametrize("tail", [b"\x1f\x8b torn", b"\0" * 100, exchange("http://a/3", b"cut")[:-9]])
def test_what_stands_before_a_torn_tail_counts_and_so_do_later_segments(tmp_path: Path, tail: bytes) -> None:
    earlier = archive(tmp_path, exchange("http://a/1", b"1") + tail, exchange("http://a/2", b"2"))

    assert earlier.answer("http://a/1") is not None
    assert earlier.answer("http://a/2") is not None
    assert earlier.answer("http://a/3") is None


def test_a_segment_that_goes_away_meanwhile_is_no_answer(tmp_path: Path) -> None:
    earlier = archive(tmp_path, exchange("http://a/", b"one"))
    next((tmp_path / "archive").iterdir()).unlink()

    assert earlier.answer("http://a/") is None


def test_a_segment_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "archive" / "crawl-20260101000000-00001.warc.gz").mkdir(parents=True)

    with pytest.raises(FolderUnusable, match="cannot be read"):
        EarlierArchive([tmp_path])
