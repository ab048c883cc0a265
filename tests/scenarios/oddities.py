"""Scenarios of answers that two readers would read differently, and of statuses that nobody asked for.

They are what attacks on proxies and caches are made of; here they must neither pass for a page that they are not,
nor leave anything on the connection for the next request.
"""

from __future__ import annotations

import gzip
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import PAGE, Scenario, Stage, Talk, answers, head, says

SETTINGS = {"fetch": {"head_timeout": 20.0, "total_timeout": 50.0, "lowest_rate_after": 20.0}}
"""Nothing here is about time, so a busy machine may take its own."""
_LENGTH = {"Content-Length": str(len(PAGE))}
_OK = b"HTTP/1.1 200 OK\r\n"
_SIZED = b"Content-Length: %d\r\n" % len(PAGE)
_CHUNKED = {"Transfer-Encoding": "chunked"}
_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)
_MALFORMED, _REFUSED, _UNEXPECTED = Outcome.HTTP_MALFORMED, Outcome.CODING_REFUSED, Outcome.HTTP_UNEXPECTED
_ATTEMPTS = {_MALFORMED: 2, Outcome.DISCONNECTED: 3}


def titled(run: Any, stage: Stage) -> None:
    assert run.page(stage)["title"] == "well"


def not_mistaken(run: Any, stage: Stage) -> None:
    assert run.page(stage)["title"] in ("", "well")


async def answers_more_than_asked(talk: Talk) -> None:
    """Send, after an answer in chunks, a second one for whoever comes next on this connection."""
    await talk.heard()
    await talk.say(
        head(fields=_CHUNKED), _CHUNKS, head(fields={"Content-Length": "30"}), b"<title>smuggled</title>" * 2
    )


def _plain(
    number: int, name: str, does: str, *parts: bytes, outcome: Outcome = Outcome.OK, check: Any = None
) -> Scenario:
    if outcome is Outcome.OK and check is None:
        check = titled
    return Scenario(number, name, does, outcome, _ATTEMPTS.get(outcome, 1), says(*parts), check=check)


def _chunks(name: str, does: str, body: bytes, outcome: Outcome = _MALFORMED) -> Scenario:
    return _plain(27, name, does, head(fields=_CHUNKED), body, outcome=outcome)


def _coded(name: str, does: str, fields: bytes, body: bytes = _CHUNKS, outcome: Outcome = _REFUSED) -> Scenario:
    return _plain(31, name, does, _OK, fields, b"\r\n", body, outcome=outcome)


def _length(name: str, does: str, value: bytes, outcome: Outcome = _MALFORMED) -> Scenario:
    return _plain(30, name, does, _OK, b"Content-Length: ", value, b"\r\n\r\n", PAGE, outcome=outcome)


def _line(name: str, does: str, line: bytes, outcome: Outcome = _MALFORMED) -> Scenario:
    return _plain(43, name, does, _OK, line, b"\r\n", _SIZED, b"\r\n", PAGE, outcome=outcome)


def _status(line: str, does: str, outcome: Outcome, fields: dict[str, str] | None = None) -> Scenario:
    name = f"status {line.partition(' ')[0]}, {does}"
    return _plain(40, name, f"says {line}: {does}", head(line, {**_LENGTH, **(fields or {})}), PAGE, outcome=outcome)


SCENARIOS = (
    _plain(26, "RTSP", "answers in RTSP", b"RTSP/1.0 200 OK\r\n", _SIZED, b"\r\n", PAGE, outcome=_MALFORMED),
    _plain(
        26, "ICY", "answers as radio stations do", b"ICY 200 OK\r\nicy-name: radio\r\n\r\n", PAGE, outcome=_MALFORMED
    ),
    _plain(
        26, "echo", "sends a request for an answer", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", outcome=_MALFORMED
    ),
    _chunks("chunk size 0x", "writes a chunk size as C does", b"0x5\r\nhello\r\n0\r\n\r\n"),
    _chunks("chunk size with a sign", "writes a chunk size with a sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    _chunks("chunk size with spaces", "writes a chunk size between spaces", b" 5 \r\nhello\r\n0\r\n\r\n"),
    _chunks("chunk lines by LF", "ends the lines of chunks with LF alone", b"5\nhello\n0\n\n"),
    _plain(
        29,
        "length in a trailer",
        "says a Content-Length after the last chunk",
        head(fields=_CHUNKED),
        _CHUNKS[:-2],
        b"Content-Length: 1\r\n\r\n",
        outcome=_MALFORMED,
    ),
    _length(
        "length twice in a line", "says the same Content-Length twice in one line", b"%d, %d" % (len(PAGE), len(PAGE))
    ),
    _length("length with a sign", "says a Content-Length with a sign", b"+%d" % len(PAGE)),
    _length("length in other digits", "says a Content-Length in Arabic digits", "\u0669\u0663".encode()),
    _length("empty length", "says an empty Content-Length", b""),
    _length("length with zeros", "begins a Content-Length with zeros", b"000%d" % len(PAGE), Outcome.OK),
    _coded("chunked and then not", "says chunked, identity", b"Transfer-Encoding: chunked, identity\r\n"),
    _coded("nearly chunked", "says xchunked", b"Transfer-Encoding: xchunked\r\n"),
    _coded("chunked after a control", "says chunked after a vertical tab", b"Transfer-Encoding: \x0bchunked\r\n"),
    _coded(
        "gzip for the way",
        "compresses for the way and not for the end",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(gzip.compress(PAGE, mtime=0)), gzip.compress(PAGE, mtime=0)),
    ),
    _coded("chunked twice", "says chunked in two lines", b"Transfer-Encoding: chunked\r\n" * 2, outcome=Outcome.OK),
    _coded("chunked on the next line", "folds chunked", b"Transfer-Encoding:\r\n chunked\r\n", outcome=Outcome.OK),
    Scenario(
        34,
        "smuggled answer",
        "sends a second answer behind the last chunk",
        (_MALFORMED, Outcome.OK),
        (2, 1),
        answers_more_than_asked,
        check=not_mistaken,
    ),
    Scenario(
        34,
        "bytes behind the last chunk",
        "sends rubbish behind the last chunk",
        (_MALFORMED, Outcome.OK),
        (2, 1),
        says(head(fields=_CHUNKED), _CHUNKS, b"rubbish\r\n\r\n"),
        check=not_mistaken,
    ),
    _line("CR in a value", "puts a CR into a header line", b"X: a\rb"),
    _line("NUL in a name", "puts a NUL into the name of a header", b"X\0: a"),
    _line("UTF-8 in a name", "puts UTF-8 into the name of a header", "X-\u00e9: a".encode()),
    _plain(
        39, "100 and no more", "says 100 Continue, and hangs up", head("100 Continue"), outcome=Outcome.DISCONNECTED
    ),
    _status(
        "206 Partial Content",
        "all of it, unasked",
        Outcome.OK,
        {"Content-Range": f"bytes 0-{len(PAGE) - 1}/{len(PAGE)}"},
    ),
    _status(
        "206 Partial Content", "a part, unasked", _UNEXPECTED, {"Content-Range": f"bytes 0-{len(PAGE) - 1}/100000"}
    ),
    _status("206 Partial Content", "several parts", _UNEXPECTED, {"Content-Type": "multipart/byteranges; boundary=x"}),
    _status("300 Multiple Choices", "which are not followed", _UNEXPECTED, {"Location": "/other"}),
    _status("305 Use Proxy", "which is not followed", _UNEXPECTED, {"Location": "http://10.0.0.1:3128/"}),
    _status("407 Proxy Authentication Required", "though there is no proxy", Outcome.HTTP_CLIENT_ERROR),
    _status("416 Range Not Satisfiable", "though none was asked for", Outcome.HTTP_CLIENT_ERROR),
    Scenario(
        40,
        "status 426",
        "wants another protocol",
        Outcome.HTTP_CLIENT_ERROR,
        1,
        answers(PAGE, "426 Upgrade Required", Upgrade="HTTP/2.0", Connection="Upgrade"),
    ),
    Scenario(
        40,
        "switch to TLS and HTTP/3",
        "offers other protocols",
        Outcome.OK,
        1,
        answers(Alt_Svc='h3=":443"; ma=99999', Upgrade="TLS/1.3, h2c", Strict_Transport_Security="max-age=99999999"),
        check=titled,
    ),
)
