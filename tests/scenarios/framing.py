"""Scenarios of HTTP as it should not be written."""

from __future__ import annotations

import itertools
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import PAGE, Scenario, Stage, Talk, answers_by, head, says
from tests.records import response_head

SETTINGS = {"fetch": {"head_timeout": 20.0, "total_timeout": 50.0, "lowest_rate_after": 20.0}}
"""Nothing here is about time, so a busy machine may take its own."""
_LENGTH = {"Content-Length": str(len(PAGE))}
_OK = b"HTTP/1.1 200 OK\r\n"
_SIZED = b"Content-Length: %d\r\n" % len(PAGE)
_CHUNKED = {"Transfer-Encoding": "chunked"}
_MALFORMED = Outcome.HTTP_MALFORMED
_ODD = (
    b"HTTP/1.1 200  Very   well \r\nX-Folded: one\r\n two\r\n\tthree\r\nX-Latin: caf\xe9\r\nX-UTF-8: caf\xc3\xa9\r\n"
    b"x-CASE:no space\r\nX-Spaces:  \t many \t \r\nX-Empty:\r\n" + _SIZED + b"Connection: close\r\n\r\n"
)


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


async def floods_interim(talk: Talk) -> None:
    await talk.heard()
    await talk.say_slowly(itertools.repeat(head("103 Early Hints", {"Link": "</style.css>"})), 0)


async def floods_small_print(talk: Talk) -> None:
    """Send one chunk whose extension does not end (RFC 9112 §7.1.1)."""
    await talk.heard()
    await talk.say(head(fields=_CHUNKED), b"5;x=")
    await talk.say_slowly(itertools.repeat(b"x" * 65536), 0)


async def floods_trailers(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields=_CHUNKED), chunk(PAGE), b"0\r\n")
    await talk.say_slowly((_lines(100, 1000) for _ in itertools.count()), 0)


async def answers_twice(talk: Talk) -> None:
    """Send a second answer that nobody asked for, together with the first."""
    other = PAGE.replace(b"well", b"ill!")
    await talk.say(head(fields=_LENGTH), PAGE, head("200 Unasked", _LENGTH), other)


async def says_100_fifty_times(talk: Talk) -> None:
    for _ in range(50):
        await talk.say(head("100 Continue"))
    await talk.answer()


def kept_exactly(run: Any, stage: Stage) -> None:
    assert response_head(run.folder, stage.url) == _ODD


def not_followed_by_others(run: Any, stage: Stage) -> None:
    assert response_head(run.folder, stage.url).startswith(b"HTTP/1.1 200 OK\r\n")


def read_to_the_end(run: Any, stage: Stage) -> None:
    assert run.page(stage)["wire_size"] == len(PAGE)
    assert run.page(stage)["title"] == "well"


def empty(run: Any, stage: Stage) -> None:
    assert run.page(stage)["wire_size"] == 0


def _lines(count: int, size: int = 1) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (number, b"x" * size) for number in range(count))


def _plain(number: int, name: str, does: str, *parts: bytes, outcome: Any = Outcome.OK, check: Any = None) -> Scenario:
    attempts = {Outcome.HTTP_MALFORMED: 2, Outcome.BODY_INCOMPLETE: 3, Outcome.DISCONNECTED: 3}.get(outcome, 1)
    if outcome is Outcome.OK and check is None:
        check = read_to_the_end
    return Scenario(number, name, does, outcome, attempts, says(*parts), check=check)


SCENARIOS = (
    _plain(26, "garbage", "answers with bytes that mean nothing", bytes(range(256)) * 8, outcome=_MALFORMED),
    _plain(26, "SSH", "greets as an SSH server does", b"SSH-2.0-OpenSSH_9.6\r\n", outcome=_MALFORMED),
    _plain(26, "SMTP", "greets as a mail server does", b"220 mail.example ESMTP\r\n", outcome=_MALFORMED),
    _plain(26, "HTTP/0.9", "sends the page without a header", PAGE, outcome=_MALFORMED),
    _plain(
        26,
        "HTTP/2",
        "answers in HTTP/2",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x64" * 3,
        outcome=_MALFORMED,
    ),
    _plain(26, "half a status line", "hangs up amid the status line", b"HTTP/1.1 20", outcome=Outcome.DISCONNECTED),
    _plain(
        27,
        "chunk garbage",
        "writes a chunk size that is no number",
        head(fields=_CHUNKED),
        b"zz\r\nhello\r\n0\r\n\r\n",
        outcome=_MALFORMED,
    ),
    _plain(
        27,
        "chunk too long",
        "sends more bytes than the chunk size says",
        head(fields=_CHUNKED),
        b"3\r\nhello\r\n0\r\n\r\n",
        outcome=_MALFORMED,
    ),
    _plain(
        28,
        "chunk size overflow",
        "writes a chunk size beyond 64 bits",
        head(fields=_CHUNKED),
        b"fffffffffffffffff\r\nhello",
        outcome=_MALFORMED,
    ),
    _plain(
        28,
        "chunk of all memory",
        "announces a chunk of 2^62 bytes, and hangs up",
        head(fields=_CHUNKED),
        b"4000000000000000\r\nhello",
        outcome=Outcome.BODY_INCOMPLETE,
    ),
    _plain(
        29,
        "truncated chunk",
        "hangs up amid a chunk",
        head(fields=_CHUNKED),
        b"400\r\nhello",
        outcome=Outcome.BODY_INCOMPLETE,
    ),
    _plain(
        29,
        "no last chunk",
        "hangs up where the last chunk should be",
        head(fields=_CHUNKED),
        chunk(PAGE),
        outcome=Outcome.BODY_INCOMPLETE,
    ),
    Scenario(
        29,
        "endless chunk extension",
        "writes small print to a chunk without an end",
        Outcome.TOO_LARGE,
        1,
        floods_small_print,
    ),
    _plain(
        29,
        "one-byte chunks",
        "sends each byte as a chunk",
        head(fields=_CHUNKED),
        *(chunk(bytes([one])) for one in PAGE),
        b"0\r\n\r\n",
    ),
    _plain(
        30, "length twice", "says the same Content-Length twice", _OK, _SIZED, _SIZED, b"\r\n", PAGE, outcome=_MALFORMED
    ),
    _plain(
        30,
        "two lengths",
        "says two different Content-Lengths",
        _OK,
        _SIZED,
        b"Content-Length: 5\r\n\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        30,
        "length too short",
        "sends more than it announced",
        _OK,
        b"Content-Length: %d\r\n\r\n" % len(PAGE),
        PAGE,
        b"and more",
    ),
    _plain(
        30,
        "negative length",
        "says a negative Content-Length",
        _OK,
        b"Content-Length: -5\r\n\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        30,
        "length of words",
        "says a Content-Length that is no number",
        _OK,
        b"Content-Length: many\r\n\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        30,
        "huge length",
        "says a Content-Length beyond 64 bits",
        _OK,
        b"Content-Length: 99999999999999999999\r\n\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        31,
        "length and chunks",
        "says Content-Length and Transfer-Encoding",
        _OK,
        _SIZED,
        b"Transfer-Encoding: chunked\r\n\r\n",
        chunk(PAGE),
        b"0\r\n\r\n",
        outcome=_MALFORMED,
    ),
    _plain(
        31,
        "unknown transfer coding",
        "says a transfer coding that does not exist",
        head(fields={"Transfer-Encoding": "rot13"}),
        PAGE,
        outcome=Outcome.CODING_REFUSED,
    ),
    _plain(32, "no length at all", "says neither, and hangs up after the body", head(), PAGE),
    _plain(33, "HTTP/1.0", "answers in HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\n", PAGE),
    Scenario(
        34,
        "second answer",
        "sends a second answer that nobody asked for",
        Outcome.OK,
        1,
        answers_by(answers_twice),
        check=not_followed_by_others,
    ),
    _plain(
        35,
        "long header line",
        "sends a header line of more than 64 KiB",
        _OK,
        b"X: ",
        b"x" * 65537,
        b"\r\n\r\n",
        outcome=Outcome.HEADER_TOO_LARGE,
    ),
    _plain(
        35,
        "long status line",
        "sends a status line of more than 64 KiB",
        b"HTTP/1.1 200 ",
        b"O" * 65537,
        b"\r\n\r\n",
        outcome=Outcome.HEADER_TOO_LARGE,
    ),
    _plain(
        35,
        "long header",
        "sends a header of more than 1 MiB, line by line",
        _OK,
        _lines(900, 2000),
        b"\r\n",
        outcome=Outcome.HEADER_TOO_LARGE,
    ),
    _plain(
        36,
        "10,000 header lines",
        "sends 10,000 header lines",
        _OK,
        _lines(10_000),
        b"\r\n",
        outcome=Outcome.HEADER_TOO_LARGE,
    ),
    _plain(36, "900 header lines", "sends 900 header lines, which is allowed", _OK, _lines(900), _SIZED, b"\r\n", PAGE),
    _plain(
        37,
        "10,000 trailers",
        "sends 10,000 trailer lines",
        head(fields=_CHUNKED),
        chunk(PAGE),
        b"0\r\n",
        _lines(10_000),
        b"\r\n",
        outcome=(Outcome.HEADER_TOO_LARGE),
    ),
    Scenario(
        37, "endless trailers", "sends trailer lines without an end", Outcome.HEADER_TOO_LARGE, 1, floods_trailers
    ),
    _plain(
        38,
        "5,000 cookies",
        "sets 5,000 cookies",
        _OK,
        b"Set-Cookie: a=b\r\n" * 5_000,
        b"\r\n",
        outcome=Outcome.HEADER_TOO_LARGE,
    ),
    _plain(
        38,
        "huge cookie",
        "sets a cookie of 1 MB",
        _OK,
        b"Set-Cookie: a=",
        b"b" * 1_000_000,
        b"\r\n\r\n",
        outcome=Outcome.HEADER_TOO_LARGE,
    ),
    Scenario(
        39,
        "100 Continue, 50 times",
        "says 100 Continue fifty times before it answers",
        Outcome.OK,
        1,
        answers_by(says_100_fifty_times),
        check=not_followed_by_others,
    ),
    _plain(
        39,
        "early hints",
        "says 103 Early Hints before it answers",
        head("103 Early Hints", {"Link": "</a>"}),
        head(fields=_LENGTH),
        PAGE,
    ),
    Scenario(39, "endless hints", "says 103 Early Hints for ever", Outcome.HEADER_TOO_LARGE, 1, floods_interim),
    _plain(
        39,
        "unasked 101",
        "switches protocols unasked",
        head("101 Switching Protocols", {"Upgrade": "x", "Connection": "upgrade"}),
        b"\x00\x01\x02",
        outcome=Outcome.HTTP_UNEXPECTED,
    ),
    _plain(
        40, "status 99", "answers with status 99", b"HTTP/1.1 99 Low\r\n", _SIZED, b"\r\n", PAGE, outcome=_MALFORMED
    ),
    _plain(
        40,
        "status 999",
        "answers with status 999",
        b"HTTP/1.1 999 High\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=Outcome.HTTP_UNEXPECTED,
    ),
    _plain(
        40,
        "status 9999",
        "answers with status 9999",
        b"HTTP/1.1 9999 Higher\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        40,
        "no status",
        "answers with words for a status",
        b"HTTP/1.1 fine\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        40,
        "status 306",
        "answers with a status that no longer means anything",
        head("306 Unused", _LENGTH),
        PAGE,
        outcome=Outcome.HTTP_UNEXPECTED,
    ),
    _plain(
        40,
        "status 204 with a body",
        "says 204 No Content, and sends some",
        head("204 No Content", _LENGTH),
        PAGE,
        check=empty,
    ),
    _plain(
        40,
        "status 304 unasked",
        "says 304 Not Modified to a plain request",
        head("304 Not Modified"),
        outcome=Outcome.NOT_MODIFIED,
    ),
    _plain(41, "bare LF", "ends its lines with LF alone", (_OK + _SIZED + b"\r\n").replace(b"\r\n", b"\n"), PAGE),
    _plain(
        41,
        "bare CR",
        "ends its lines with CR alone",
        (_OK + _SIZED + b"\r\n").replace(b"\r\n", b"\r"),
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(41, "blank lines first", "sends blank lines before the answer", b"\r\n\r\n", head(fields=_LENGTH), PAGE),
    _plain(42, "odd header", "folds lines, and writes Latin-1, UTF-8 and odd spaces", _ODD, PAGE, check=kept_exactly),
    _plain(
        43,
        "NUL in a header",
        "puts a NUL into a header line",
        _OK,
        b"X: a\0b\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        43,
        "line without colon",
        "sends a header line that has no colon",
        _OK,
        b"nonsense\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        43,
        "space before colon",
        "puts a space before the colon",
        _OK,
        b"X : y\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
    _plain(
        43,
        "line without name",
        "sends a header line that begins with the colon",
        _OK,
        b": y\r\n",
        _SIZED,
        b"\r\n",
        PAGE,
        outcome=_MALFORMED,
    ),
)
