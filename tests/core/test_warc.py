"""Records as bytes: what stands in them, and that others read them as we do."""

from __future__ import annotations

import io
import runpy
import sys
import zlib
from hashlib import sha256

import pytest
from fastwarc.warc import ArchiveIterator as FastwarcIterator
from hypothesis import given
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from crawler.core import warc
from crawler.core.warc import Member, members

AT = 1795448401.123456
IDS = ("4d8b7c1e-1f0e-4f6b-9a39-2f1d1c1a0b00", "4d8b7c1e-1f0e-4f6b-9a39-2f1d1c1a0b01")
REQUEST = b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Odd:\xe9 \xff\r\nContent-Length: 5\r\n\r\n"


def exchange(
    url: str = "https://example.org/a",
    head: bytes = HEAD,
    body: bytes = b"hello",
    address: str = "93.184.216.34",
    truncated: str = "",
) -> tuple[bytes, bytes]:
    digest = sha256(body).digest()
    return warc.exchange(
        url, REQUEST, head, body, digest=digest, address=address, date=AT, truncated=truncated, ids=IDS
    )


def revisit(head: bytes = HEAD, address: str = "", truncated: str = "") -> bytes:
    return warc.revisit(
        "https://example.org/b",
        head,
        digest=sha256(b"hello").digest(),
        address=address,
        date=AT + 60,
        refers_to=("https://example.org/a", AT),
        record_id=IDS[0],
        truncated=truncated,
    )


def read(packed: bytes) -> Member:
    (member,) = members(io.BytesIO(packed))
    return member


def by_warcio(packed: bytes) -> list[tuple[str, bytes]]:
    """Read type and payload of each record, digests checked."""
    records = WarcioIterator(io.BytesIO(packed), check_digests="raise")
    return [(record.rec_type, record.content_stream().read()) for record in records]


def by_fastwarc(packed: bytes) -> list[tuple[bool, bool]]:
    """Read whether block and payload digest of each record are true."""
    blocks = [record.verify_block_digest() for record in FastwarcIterator(io.BytesIO(packed), parse_http=False)]
    payloads = [record.verify_payload_digest() for record in FastwarcIterator(io.BytesIO(packed))]
    return list(zip(blocks, payloads, strict=True))


def test_an_exchange_is_two_records_that_name_each_other() -> None:
    request, response = map(read, exchange())

    assert request.headers == (
        ("WARC-Type", "request"),
        ("WARC-Record-ID", f"<urn:uuid:{IDS[0]}>"),
        ("WARC-Date", "2026-11-23T15:40:01.123456Z"),
        ("WARC-Target-URI", "https://example.org/a"),
        ("WARC-IP-Address", "93.184.216.34"),
        ("WARC-Concurrent-To", f"<urn:uuid:{IDS[1]}>"),
        ("Content-Type", "application/http;msgtype=request"),
        ("WARC-Block-Digest", f"sha256:{sha256(REQUEST).hexdigest()}"),
        ("Content-Length", str(len(REQUEST))),
    )
    assert response.headers == (
        ("WARC-Type", "response"),
        ("WARC-Record-ID", f"<urn:uuid:{IDS[1]}>"),
        ("WARC-Date", "2026-11-23T15:40:01.123456Z"),
        ("WARC-Target-URI", "https://example.org/a"),
        ("WARC-IP-Address", "93.184.216.34"),
        ("WARC-Concurrent-To", f"<urn:uuid:{IDS[0]}>"),
        ("WARC-Payload-Digest", f"sha256:{sha256(b'hello').hexdigest()}"),
        ("Content-Type", "application/http;msgtype=response"),
        ("WARC-Block-Digest", f"sha256:{sha256(HEAD + b'hello').hexdigest()}"),
        ("Content-Length", str(len(HEAD) + 5)),
    )
    assert (request.version, response.version) == ("WARC/1.1", "WARC/1.1")
    assert (request.block, response.block) == (REQUEST, HEAD + b"hello")


def test_other_readers_find_payload_and_digests() -> None:
    packed = b"".join(exchange())

    assert by_warcio(packed) == [("request", b""), ("response", b"hello")]
    assert by_fastwarc(packed) == [(True, False), (True, True)]  # a request has no payload digest


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert exchange() == exchange()


def test_an_unknown_address_is_left_out_and_a_cut_body_is_marked() -> None:
    _, response = map(read, exchange(address="", truncated="length"))

    assert response.header("WARC-IP-Address") == ""
    assert response.header("WARC-Truncated") == "length"


def test_a_content_length_that_a_cut_body_belies_stays() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"

    packed = exchange(head=head, truncated="length")[1]

    assert read(packed).block == head + b"hello"
    assert by_warcio(packed) == [("response", b"hello")]


@pytest.mark.parametrize(
    ("head", "stored"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Crawler-Transfer-Encoding: chunked\r\nETag: x\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntRANSFER-encoding : gzip,\r\n  chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Crawler-tRANSFER-encoding : gzip,\r\n  chunked\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Crawler-Content-Length: 7\r\nX-Crawler-Transfer-Encoding: x\r\n%b"
            % b"Content-Length: 5\r\n\r\n",
        ),
        (
            b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
            b"HTTP/1.1 200 OK\nX-Crawler-Transfer-Encoding: chunked\nContent-Length: 5\r\n\n",
        ),
        (
            b"HTTP/1.1 200 Transfer-Encoding: chunked\r\nX: Transfer-Encoding: y\r\nX-Transfer-Encoding: z\r\n\r\n",
            b"HTTP/1.1 200 Transfer-Encoding: chunked\r\nX: Transfer-Encoding: y\r\nX-Transfer-Encoding: z\r\n\r\n",
        ),
    ],
)
def test_a_head_is_made_true_of_a_body_whose_transfer_coding_is_gone(head: bytes, stored: bytes) -> None:
    packed = exchange(head=head)[1]

    assert read(packed).block == stored + b"hello"
    assert by_warcio(packed) == [("response", b"hello")]
    assert by_fastwarc(packed) == [(True, stored.endswith(b"\r\n"))]  # which finds no end in a bare line feed


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nA: b\r\n", b"HTTP/1.1 200 OK\n\nmore\r\n\r\n", b""])
def test_a_head_that_does_not_end_where_it_should_gets_no_payload_digest(head: bytes) -> None:
    response = read(exchange(head=head)[1])

    assert response.header("WARC-Payload-Digest") == ""
    assert response.block == head + b"hello"


field_names = st.sampled_from([b"A", b"Content-Length", b"transfer-encoding", b"Set-Cookie", b"X-\xff"])
field_values = st.binary(max_size=20).map(lambda value: value.translate(None, b"\r\n\x0b\x0c\x1c\x1d\x1e\x85"))
line_ends = st.sampled_from([b"\r\n", b"\n"])


@given(st.lists(st.tuples(field_names, field_values, line_ends)), line_ends, st.binary(max_size=200))
def test_any_answer_is_read_back_whole(fields: list[tuple[bytes, bytes, bytes]], end: bytes, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(name + b": " + value + stop for name, value, stop in fields) + end

    packed = exchange(head=head, body=body)[1]

    response = read(packed)
    assert response.header("WARC-Payload-Digest") == f"sha256:{sha256(body).hexdigest()}"
    assert response.block.endswith(body)
    if not any(name == b"transfer-encoding" for name, _, _ in fields):
        assert response.block == head + body
    assert by_warcio(packed)[0][0] == "response"
    if head.endswith(b"\r\n\r\n"):  # fastwarc knows no other end
        assert by_fastwarc(packed) == [(True, True)]


@given(st.text())
def test_no_url_breaks_out_of_its_header_line(url: str) -> None:
    _, response = map(read, exchange(url=f"http://a/{url}"))

    target = response.header("WARC-Target-URI")
    assert target.startswith("http://a/")
    assert all("!" <= character <= "~" for character in target)
    assert len(response.headers) == 10


def test_a_revisit_holds_the_head_and_names_what_it_repeats() -> None:
    packed = revisit(address="::1", truncated="time")

    again = read(packed)
    assert again.block == HEAD
    assert again.headers == (
        ("WARC-Type", "revisit"),
        ("WARC-Record-ID", f"<urn:uuid:{IDS[0]}>"),
        ("WARC-Date", "2026-11-23T15:41:01.123456Z"),
        ("WARC-Target-URI", "https://example.org/b"),
        ("WARC-IP-Address", "::1"),
        ("WARC-Profile", "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"),
        ("WARC-Refers-To-Target-URI", "https://example.org/a"),
        ("WARC-Refers-To-Date", "2026-11-23T15:40:01.123456Z"),
        ("WARC-Payload-Digest", f"sha256:{sha256(b'hello').hexdigest()}"),
        ("WARC-Truncated", "time"),
        ("Content-Type", "application/http;msgtype=response"),
        ("WARC-Block-Digest", f"sha256:{sha256(HEAD).hexdigest()}"),
        ("Content-Length", str(len(HEAD))),
    )
    assert by_warcio(packed) == [("revisit", b"")]


def test_a_revisit_announces_no_transfer_coding() -> None:
    again = read(revisit(head=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))

    assert again.block == b"HTTP/1.1 200 OK\r\nX-Crawler-Transfer-Encoding: chunked\r\n\r\n"


def test_a_warcinfo_record_holds_its_fields_one_per_line() -> None:
    fields = {"software": "crawler/0.1", "operator": "Zoë\r\nrobots: ignore"}

    packed = warc.warcinfo("a.warc.gz", fields, date=0.0, record_id=IDS[0])

    begin = read(packed)
    assert begin.header("WARC-Filename") == "a.warc.gz"
    assert begin.header("WARC-Date") == "1970-01-01T00:00:00.000000Z"
    assert begin.header("Content-Type") == "application/warc-fields"
    assert begin.block == "software: crawler/0.1\r\noperator: Zoë robots: ignore\r\n".encode()
    assert by_warcio(packed)[0][0] == "warcinfo"


def test_without_isal_records_are_packed_by_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)

    compress = runpy.run_path(warc.__file__)["compress"]

    assert zlib.decompress(compress(b"record" * 100), 31) == b"record" * 100
    assert compress(b"record" * 100) == compress(b"record" * 100)
    assert compress.__code__.co_firstlineno != warc.compress.__code__.co_firstlineno
