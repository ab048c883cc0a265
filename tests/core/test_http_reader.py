from __future__ import annotations

import gc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.http_reader import MAX_FIELDS, MAX_LINE, AnswerReader, Broken, End, Event, Head
from crawler.core.outcomes import Outcome

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"Content-Length: 4\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED, INCOMPLETE = Outcome.HTTP_MALFORMED, Outcome.BODY_INCOMPLETE

WHOLE = {
    "sized": (SIZED + b"body", b"body", True),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    "chunked": (CHUNKED + b"1\r\nb\r\n3;x=y\r\nody\r\n0\r\n\r\n", b"body", True),
    "with trailers": (CHUNKED + b"4\r\nbody\r\n0\r\nA: b\r\nC: d\r\n\r\n", b"body", True),
    "blank after a chunk size": (CHUNKED + b"4 \r\nbody\r\n0\r\n\r\n", b"body", True),
    "to the end of the connection": (OK + b"\r\nbody", b"body", False),
    "unknown coding": (OK + b"Transfer-Encoding: rot13\r\n\r\nbody", b"body", False),
    "nearly chunked": (OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n2\r\nno\r\n", b"2\r\nno\r\n", False),
    "chunks within another coding": (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nbody", b"body", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", b"body", False),
    "HTTP/1.0 kept": (b"HTTP/1.0 200\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody", b"body", True),
    "closing": (OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nbody", b"body", False),
    "204": (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", b"", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", b"", True),
    "unasked 101": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"", False),
    "bare LF": (SIZED.replace(b"\r\n", b"\n") + b"body", b"body", True),
    "folded length": (OK + b"Content-Length:\r\n 4 \r\n\r\nbody", b"body", True),
    "upgrade offered": (OK + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 4\r\n\r\nbody", b"body", True),
}
REFUSED = {
    "garbage": (b"SSH-2.0-OpenSSH_9.6\r\n", MALFORMED),
    "RTSP": (b"RTSP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", MALFORMED),
    "two lengths": (OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", MALFORMED),
    "one length twice": (OK + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody", MALFORMED),
    "list of lengths": (OK + b"Content-Length: 4, 4\r\n\r\nbody", MALFORMED),
    "signed length": (OK + b"Content-Length: +4\r\n\r\nbody", MALFORMED),
    "length and chunks": (OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    "chunks and length": (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", MALFORMED),
    "NUL": (OK + b"X: a\0b\r\nContent-Length: 4\r\n\r\nbody", MALFORMED),
    "CR within a line": (OK + b"X: a\rb\r\nContent-Length: 4\r\n\r\nbody", MALFORMED),
    "no colon": (OK + b"nonsense\r\n\r\n", MALFORMED),
    "status of two digits": (b"HTTP/1.1 99 Low\r\n\r\n", MALFORMED),
    "chunk size of words": (CHUNKED + b"zz\r\nbody\r\n", MALFORMED),
    "chunk too long": (CHUNKED + b"3\r\nbody\r\n0\r\n\r\n", MALFORMED),
    "length in a trailer": (CHUNKED + b"4\r\nbody\r\n0\r\nContent-Length: 5\r\n\r\n", MALFORMED),
    "half a body": (SIZED + b"bo", INCOMPLETE),
    "half a chunk": (CHUNKED + b"400\r\nbody", INCOMPLETE),
    "no last chunk": (CHUNKED + b"4\r\nbody\r\n", INCOMPLETE),
    "no chunk": (CHUNKED, INCOMPLETE),
    "half a status line": (b"HTTP/1.1 20", Outcome.DISCONNECTED),
    "half a header": (OK + b"X: y\r\n", Outcome.DISCONNECTED),
    "nothing": (b"", Outcome.DISCONNECTED),
}
BEFORE = (b"", b"\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
AFTER = (b"", b"more", OK + b"Content-Length: 3\r\n\r\nill")


def read(wire: bytes, cuts: list[int] | None = None, max_body: int = 1000) -> list[Event]:
    """Read an answer cut into pieces, and the end of the connection."""
    reader = AnswerReader(max_body)
    events: list[Event] = []
    for start, end in pairwise(sorted({0, *(cuts or ()), len(wire)})):
        events += reader.feed(wire[start:end])
    return events + reader.eof()


def meaning(events: list[Event]) -> tuple[list[Head], bytes, Event]:
    """Return the header, the body and how it ended; whether the connection is kept may hang on what comes after."""
    heads = [event for event in events if isinstance(event, Head)]
    body = b"".join(event for event in events if isinstance(event, bytes))
    last = events[-1]
    return heads, body, End(keep=False) if isinstance(last, End) else last


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("before", BEFORE)
def test_a_whole_answer_is_header_body_and_end(name: str, before: bytes) -> None:
    wire, body, keep = WHOLE[name]

    first, *pieces, last = read(before + wire)

    assert isinstance(first, Head)
    assert wire.startswith(first.raw)
    assert first.raw.endswith((b"\n\r\n", b"\n\n"))
    assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == body
    assert last == End(keep=keep)


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_answer_ends_with_its_name(name: str) -> None:
    wire, outcome = REFUSED[name]

    last = read(wire)[-1]

    assert isinstance(last, Broken)
    assert last.outcome is outcome


@pytest.mark.parametrize("wire", [wire for wire, *_ in (*WHOLE.values(), *REFUSED.values())])
def test_an_answer_means_the_same_wherever_it_is_cut(wire: bytes) -> None:
    whole = meaning(read(wire))

    assert [at for at in range(1, len(wire)) if meaning(read(wire, [at])) != whole] == []
    assert meaning(read(wire, list(range(len(wire))))) == whole


@given(
    st.sampled_from(BEFORE),
    st.sampled_from([wire for wire, *_ in (*WHOLE.values(), *REFUSED.values())]),
    st.sampled_from(AFTER),
    st.lists(st.integers(0, 300), max_size=12),
)
def test_an_answer_means_the_same_however_often_it_is_cut(
    before: bytes, wire: bytes, after: bytes, cuts: list[int]
) -> None:
    whole = before + wire + after

    assert meaning(read(whole, [at for at in cuts if at < len(whole)])) == meaning(read(whole))


@pytest.mark.parametrize("name", [name for name, (_, _, keep) in WHOLE.items() if keep])
@pytest.mark.parametrize("after", AFTER[1:])
def test_bytes_after_an_answer_are_no_part_of_it_and_end_the_connection(name: str, after: bytes) -> None:
    wire, body, _ = WHOLE[name]

    _, found, last = meaning(read(wire + after))

    assert (found, last) == (body, End(keep=False))
    assert read(wire + after)[-1] == End(keep=False)


def test_one_reader_reads_one_answer_after_another() -> None:
    reader = AnswerReader(1000)

    for wire, _, keep in WHOLE.values():
        if keep:
            reader.begin()
            assert reader.feed(wire)[-1] == End(keep=True)


def test_the_reason_is_what_stands_after_the_status() -> None:
    heads = [read(b"HTTP/1.1 404" + rest + b"\r\nContent-Length: 0\r\n\r\n")[0] for rest in (b"", b" ", b" Not  here ")]

    assert [head.reason for head in heads if isinstance(head, Head)] == ["", "", "Not  here"]


def _broken(wire: bytes, max_body: int = 1000) -> tuple[Outcome, Outcome]:
    """Return how it ends in one piece and in pieces of a thousand bytes."""
    ends = [read(wire, cuts, max_body)[-1] for cuts in ([], list(range(0, len(wire), 1000)))]
    assert all(isinstance(end, Broken) for end in ends)
    one, many = (end.outcome for end in ends if isinstance(end, Broken))
    return one, many


LARGE = (Outcome.HEADER_TOO_LARGE, Outcome.HEADER_TOO_LARGE)


def test_a_header_line_may_not_be_too_long() -> None:
    assert _broken(OK + b"X: " + b"x" * MAX_LINE + b"\r\nContent-Length: 0\r\n\r\n") == LARGE
    assert isinstance(read(OK + b"X: " + b"x" * (MAX_LINE - 9) + b"\r\nContent-Length: 0\r\n\r\n")[-1], End)


def test_there_may_not_be_too_many_header_lines() -> None:
    assert _broken(OK + b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n") == LARGE
    assert isinstance(read(OK + b"X: y\r\n" * MAX_FIELDS + b"\r\n")[-1], End)


def test_a_trailer_is_bounded_as_a_header_is() -> None:
    start = CHUNKED + b"4\r\nbody\r\n0\r\n"

    assert _broken(start + b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n", 1_000_000) == LARGE
    assert _broken(start + b"X: " + b"x" * MAX_LINE + b"\r\n\r\n", 1_000_000) == LARGE


def test_a_trailer_line_may_not_go_on_for_ever() -> None:
    reader = AnswerReader(1_000_000)
    events = reader.feed(CHUNKED + b"4\r\nbody\r\n0\r\nX: ")

    for _ in range(100):
        events += reader.feed(b"x" * 1000)

    assert [event.outcome for event in events if isinstance(event, Broken)] == [Outcome.HEADER_TOO_LARGE]


def test_a_header_may_not_go_on_for_ever() -> None:
    hints = b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"
    reader = AnswerReader(1000)

    ends = [event for _ in range(200) for event in reader.feed(hints)]

    assert [end.outcome for end in ends if isinstance(end, Broken)] == [Outcome.HEADER_TOO_LARGE]


def test_small_print_of_chunks_may_not_go_on_for_ever() -> None:
    reader = AnswerReader(1000)
    events = reader.feed(CHUNKED + b"5;x=")

    for _ in range(100):
        events += reader.feed(b"x" * 65536)

    assert [event.outcome for event in events if isinstance(event, Broken)] == [Outcome.TOO_LARGE]


@pytest.mark.parametrize("name", [*WHOLE, *REFUSED])
def test_an_answer_that_was_read_leaves_nothing_to_the_collector(name: str) -> None:
    wire = WHOLE[name][0] if name in WHOLE else REFUSED[name][0]
    reader = AnswerReader(1000)
    gc.collect()
    gc.disable()

    try:
        reader.feed(wire)
        reader.eof()
        reader.begin()
        left = gc.collect()
    finally:
        gc.enable()

    assert left == 0
