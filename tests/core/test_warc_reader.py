"""The strict reader: whole files pass, everything else is named."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.warc import exchange, revisit, warcinfo
from crawler.core.warc_reader import Member, WarcError, members

IDS = ("4d8b7c1e-1f0e-4f6b-9a39-2f1d1c1a0b00", "4d8b7c1e-1f0e-4f6b-9a39-2f1d1c1a0b01")
HEAD = b"HTTP/1.1 200 OK\r\nServer: s\r\n\r\n"


def pair(body: bytes) -> tuple[bytes, bytes]:
    return exchange(
        "http://a/",
        b"GET / HTTP/1.1\r\n\r\n",
        HEAD,
        body,
        digest=sha256(body).digest(),
        address="::1",
        date=0.0,
        truncated="",
        ids=IDS,
    )


INFO = warcinfo("a.warc.gz", {"software": "s"}, date=0.0, record_id=IDS[0])
REVISIT = revisit(
    "http://a/", HEAD, digest=bytes(32), address="", date=0.0, refers_to=("http://b/", 0.0), record_id=IDS[0]
)
PARTS = (INFO, *pair(b"hello"), *pair(b"more" * 20_000), REVISIT)
WHOLE = b"".join(PARTS)
STARTS = [len(b"".join(PARTS[:number])) for number in range(len(PARTS) + 1)]
PLAIN = zlib.decompress(pair(b"hello")[1], 31)
"""A response record, unpacked."""


def read(content: bytes, *, offset: int = 0, limit: int = 10**6) -> list[Member]:
    return list(members(io.BytesIO(content), offset=offset, limit=limit))


def complaint(record: bytes) -> str:
    """Return what is said of a member that holds these bytes."""
    with pytest.raises(WarcError) as caught:
        read(gzip.compress(record))
    assert caught.value.offset == 0
    return caught.value.reason


def test_a_whole_file_is_read_member_by_member() -> None:
    found = read(WHOLE)

    assert [member.offset for member in found] == STARTS[:-1]
    assert [member.end for member in found] == STARTS[1:]
    assert [member.header("warc-type") for member in found] == [
        *("warcinfo", "request", "response", "request", "response", "revisit")
    ]
    assert found[4].block == HEAD + b"more" * 20_000


def test_an_empty_file_holds_nothing() -> None:
    assert read(b"") == []


def test_reading_may_begin_at_any_member() -> None:
    file = io.BytesIO(WHOLE)
    file.seek(STARTS[2])

    found = next(members(file, offset=STARTS[2]))

    assert (found.offset, found.length) == (STARTS[2], len(PARTS[2]))
    assert found.block == HEAD + b"hello"


def test_members_before_the_damage_are_still_handed_out() -> None:
    found = members(io.BytesIO(PARTS[0] + PARTS[1] + PARTS[2][:-1]))

    assert [next(found).offset, next(found).offset] == [0, STARTS[1]]
    with pytest.raises(WarcError) as caught:
        next(found)
    assert caught.value.offset == STARTS[2]


def test_a_file_cut_anywhere_within_a_member_is_found_out() -> None:
    for cut in set(range(len(WHOLE))) - set(STARTS):
        with pytest.raises(WarcError, match="cut off") as caught:
            read(WHOLE[:cut])

        assert caught.value.offset == max(start for start in STARTS if start < cut)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_member_whose_end_was_lost_under_later_ones_is_found_out(cut: int) -> None:
    with pytest.raises(WarcError) as caught:
        read(PARTS[0] + PARTS[1][:-cut] + PARTS[2])

    assert caught.value.offset == STARTS[1]


@given(st.integers(0, len(PARTS[2]) - 1), st.integers(1, 255))
def test_a_changed_byte_never_changes_what_is_read(at: int, change: int) -> None:
    content = bytearray(PARTS[2])
    content[at] ^= change

    with contextlib.suppress(WarcError):  # some bits say nothing of the record, the time stamp's for example
        assert read(bytes(content)) == read(PARTS[2])


@pytest.mark.parametrize("garbage", [b"\0", bytes(4096), b"\r\n", b"\x1f\x8c", b"WARC/1.1\r\n"])
def test_garbage_between_members_is_found_out(garbage: bytes) -> None:
    for content in (WHOLE + garbage, INFO + garbage + WHOLE):
        with pytest.raises(WarcError, match="no gzip member begins here"):
            read(content)


def test_a_record_above_the_limit_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(10_000_000))

    with pytest.raises(WarcError, match="larger than 1000 bytes"):
        read(bomb, limit=1000)


def test_a_record_at_the_limit_is_read() -> None:
    assert len(read(PARTS[2], limit=len(PLAIN))) == 1
    with pytest.raises(WarcError, match="larger than"):
        read(PARTS[2], limit=len(PLAIN) - 1)


def test_a_member_of_two_records_is_found_out() -> None:
    assert complaint(PLAIN + PLAIN) == "the member holds more than one record"


@pytest.mark.parametrize("empty", [b"", b"\r\n\r\n", b"hello", b"WARC/1.1\r\n"])
def test_a_member_without_a_record_is_found_out(empty: bytes) -> None:
    assert complaint(empty).startswith(("the member holds no record header", "the version is"))


def test_a_record_in_two_members_is_found_out() -> None:
    with pytest.raises(WarcError, match="Content-Length"):
        read(gzip.compress(PLAIN[:-20]) + gzip.compress(PLAIN[-20:]))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"WARC/1.1\r\n", b"WARC/2.0\r\n", "the version is 'WARC/2.0'"),
        (b"WARC/1.1\r\n", b"HTTP/1.1\r\n", "the version is 'HTTP/1.1'"),
        (b"Content-Length: 35", b"Content-Length: 34", r"the record ends in b'o\r\n\r\n'"),
        (b"Content-Length: 35", b"Content-Length: 39", "the record ends in b''"),
        (b"Content-Length: 35", b"Content-Length: 40", "the block has 39 bytes, not the 40"),
        (b"Content-Length: 35", b"Content-Length: -1", "the Content-Length is '-1'"),
        (b"Content-Length: 35", b"Content-Length: " + b"9" * 5000, "the Content-Length is '999"),
        (b"Content-Length: 35", "Content-Length: ٣٧".encode(), "the Content-Length is '٣٧'"),
        (b"Content-Length: 35", b"Other: 35", "the Content-Length is ''"),
        (b"hello\r\n\r\n", b"hello", "the record ends in b''"),
        (b"hello\r\n\r\n", b"hello\r\n", r"the record ends in b'\r\n'"),
        (b"hello\r\n\r\n", b"hello\n\n\n\n", r"the record ends in b'\n\n\n\n'"),
        (b"hello", b"jello", "the WARC-Block-Digest is sha256:"),
        (b"WARC-Type: ", b"WARC-Kind: ", "the mandatory header WARC-Type is missing"),
        (b"WARC-Record-ID: ", b"X: ", "the mandatory header WARC-Record-ID is missing"),
        (b"WARC-Date: ", b"X: ", "the mandatory header WARC-Date is missing"),
        (b"WARC-Date: 1970-01-01T00", b"WARC-Date: 1970-01-01 00", "the WARC-Date is '1970-01-01 00"),
        (b"WARC-Target-URI: ", b"X: ", "the mandatory header WARC-Target-URI is missing"),
        (b"Content-Type: ", b"X: ", "the mandatory header Content-Type is missing"),
        (b"WARC-Block-Digest: ", b"X: ", "the mandatory header WARC-Block-Digest is missing"),
        (b"WARC-Block-Digest: sha256:", b"WARC-Block-Digest: sha1:", "the WARC-Block-Digest is sha1:"),
        (b"WARC-Payload-Digest: sha256:", b"WARC-Payload-Digest: sha256:0", "the WARC-Payload-Digest is sha256:0"),
        (b"WARC-Date: ", b"WARC-Type: response\r\nWARC-Date: ", "the header WARC-Type is repeated"),
        (b"WARC-Date: ", b"X:\r\nx:\r\nWARC-Date: ", "the header x is repeated"),
        (b"WARC-Date: ", b"no colon\r\nWARC-Date: ", "'no colon' is no header line"),
        (b"WARC-Date: ", b" folded: x\r\nWARC-Date: ", "' folded: x' is no header line"),
        (b"WARC-Date: ", b"X: \0\r\nWARC-Date: ", r"'X: \x00' is no header line"),
    ],
)
def test_a_record_that_is_not_as_it_must_be_is_found_out(old: bytes, new: bytes, reason: str) -> None:
    assert PLAIN.count(old) == 1

    assert complaint(PLAIN.replace(old, new)).startswith(reason)


def test_a_payload_digest_of_a_response_without_an_end_of_header_is_found_out() -> None:
    block = b"HTTP/1.1 200 OK\r\nServer: s"
    head = PLAIN[: PLAIN.index(b"WARC-Block-Digest")]
    digest = sha256(block).hexdigest().encode()

    record = head + b"WARC-Block-Digest: sha256:%b\r\nContent-Length: %d\r\n\r\n%b\r\n\r\n" % (
        digest,
        len(block),
        block,
    )

    assert complaint(record) == "the response has a payload digest, but its header has no end"


def test_a_record_may_name_several_concurrent_ones() -> None:
    twice = PLAIN.replace(b"WARC-Date: ", b"WARC-Concurrent-To: <urn:uuid:x>\r\nWARC-Date: ")

    assert len(read(gzip.compress(twice))) == 1


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_the_readers_own_error(content: bytes) -> None:
    for attempt in (content, gzip.compress(content), gzip.compress(b"WARC/1.1\r\n" + content), INFO + content):
        with contextlib.suppress(WarcError):
            assert read(attempt) in ([], read(INFO))


def test_an_error_survives_its_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(WarcError(7, "the reason")))  # noqa: S301 - our own bytes

    assert (str(error), error.offset) == ("offset 7: the reason", 7)
