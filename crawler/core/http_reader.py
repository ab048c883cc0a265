"""Reads HTTP/1.1 answers: bytes in, events out, no socket and no clock (RFC 9112).

Theory of operation
-------------------
An :class:`AnswerReader` accompanies one connection.
:meth:`~AnswerReader.begin` says that a request has gone out, :meth:`~AnswerReader.feed` takes what comes, however it
was cut into packets, and :meth:`~AnswerReader.eof` takes the end of the stream.
Both return events: one :class:`Head`, then the body piece by piece as ``bytes``, then :class:`End`; or, at any point,
:class:`Broken`. After ``End`` and ``Broken`` there are no more events until the next ``begin``.

The grammar is that of llhttp, by httptools. What it does not do, and what it is too lax about, is done here:

- The header's bytes are kept as they came. Where it ends is found by :func:`~crawler.core.headers.split_head`; llhttp
  is fed exactly to there and must agree, or the answer is malformed.
- Lines, their number and their length are bounded, in trailers too, and so are interim answers (1xx) and all that a
  chunked body may cost on the wire beyond its bytes.
- llhttp refuses two lengths, lengths beside a transfer coding, and what is no number; NUL is refused here.
- What comes after the end of an answer is never read: it belongs to no request, and the connection ends with it.

Folded lines, lines that end in LF alone, and blanks after a chunk size are let pass, as browsers do.
HEAD is never sent, so a header with a length is followed by a body unless the status forbids one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from crawler.core.headers import split_head
from crawler.core.outcomes import Outcome

MAX_LINE = 64 * 1024
"""Bytes of a line of a header or a trailer."""
MAX_FIELDS = 1_000
"""Fields of a header or a trailer."""
MAX_HEAD = 1024 * 1024
"""Bytes of a whole header, interim answers before it included."""
_MOST_SEARCHES = 100
"""Packets in which the end of the header may seem to be: interim answers that dribble in one by one."""
_OVERHEAD = 8
"""Bytes on the wire for each byte of a body, at most: more than the smallest chunks need (RFC 9112 §7.1)."""

_BLANKS = b"\t "
"""Around a value (RFC 9110 §5.6.3); other controls belong to it."""
_LENGTH, _CODING = len("content-length"), len("transfer-encoding")
_SWITCHING = 101
_BODILESS = frozenset({101, 204, 304})


class Head(Struct, frozen=True):
    """The header of the final answer."""

    raw: bytes
    """Status line and fields exactly as received, up to and with the empty line."""
    status: int
    size: int | None
    """Bytes of the body, where the header says so."""

    @property
    def reason(self) -> str:
        """What the status line says after the status."""
        words = self.raw[: self.raw.find(b"\n")].split(None, 2)
        return words[2].decode("utf-8", "replace").strip() if len(words) == 3 else ""


class End(Struct, frozen=True):
    """The answer is whole."""

    keep: bool
    """Whether the connection can take another request (RFC 9112 §9.3)."""


class Broken(Struct, frozen=True):
    """The answer will not become whole."""

    outcome: Outcome
    detail: str


Event: TypeAlias = Head | bytes | End | Broken

_KEPT, _CLOSED = End(keep=True), End(keep=False)
_TOO_LONG = Broken(Outcome.HEADER_TOO_LARGE, f"a header line of more than {MAX_LINE} bytes")
_TOO_MANY = Broken(Outcome.HEADER_TOO_LARGE, f"more than {MAX_FIELDS} header lines")
_ENDLESS = Broken(Outcome.HEADER_TOO_LARGE, "the header does not end")
_FLOODED = Broken(Outcome.TOO_LARGE, "far more bytes than the body holds")


class _Refused(Exception):  # said and heard within this file alone
    """An answer that is not read on."""

    def __init__(self, broken: Broken) -> None:
        self.broken = broken


def _malformed(detail: str) -> _Refused:
    return _Refused(Broken(Outcome.HTTP_MALFORMED, detail))


class AnswerReader:
    """Read the answers of one connection, one after another.

    Args:
        max_body: bytes of a body that are of use; what may come on the wire is bounded by it.
    """

    def __init__(self, max_body: int) -> None:
        self._most = MAX_HEAD + _OVERHEAD * max_body
        self.begin()

    def begin(self) -> None:
        """Expect the answer to a request that goes out now; the one before must have ended with ``keep``."""
        self._grammar = _Grammar()
        self._step: Callable[[bytes], None] = self._read_head
        self._raw = b""
        self._searches = 0
        self._line = 0
        """Bytes of the header since its last line end."""
        self._left = self._most
        """Bytes that may still come."""
        self._rest = 0
        """Bytes to the end of a body whose length is known."""

    def feed(self, data: bytes) -> list[Event]:
        """Take what came; return what it means."""
        events: list[Event] = []
        self._grammar.events = events
        self._left -= len(data)
        if self._left < 0 and self._step != _read_nothing:
            self._finish(_FLOODED)
        try:
            self._step(data)
        except _Refused as refused:
            self._finish(refused.broken)
        return events

    def eof(self) -> list[Event]:
        """Take note that no more will come; return what that means."""
        events: list[Event] = []
        self._grammar.events = events
        if self._step == self._read_head:
            self._finish(Broken(Outcome.DISCONNECTED, "the server hung up"))
        elif self._step == self._read_by_grammar and not self._grammar.chunked:
            self._finish(_CLOSED)  # such a body ends with the connection
        elif self._step != _read_nothing:
            self._finish(Broken(Outcome.BODY_INCOMPLETE, "the body ends too early"))
        return events

    def _finish(self, event: End | Broken) -> None:
        self._grammar.events.append(event)
        self._grammar.let_go()
        self._step = _read_nothing

    # the steps through an answer

    def _read_head(self, data: bytes) -> None:
        raw, found = self._raw, None
        # Only where an end may have come is everything searched, so that a dripping header costs linear time.
        ending = raw[-3:] + data if raw else data
        if b"\n\r\n" in ending or b"\n\n" in ending:
            self._searches += 1
            found = split_head(raw + data if raw else data)
        if found is None:
            self._read_part_of_head(data)
            return
        head, end = found
        body = data[end - len(raw) :]
        self._grammar.feed(data[: end - len(raw)] if body else data)
        self._read_whole_head(head)
        if body or not self._rest:
            self._step(body)

    def _read_part_of_head(self, data: bytes) -> None:
        self._grammar.feed(data)
        if self._grammar.headed:
            raise _malformed("the end of the header cannot be told")
        self._raw += data
        newest = data.rfind(b"\n")
        self._line = self._line + len(data) if newest < 0 else len(data) - newest - 1
        if self._line > MAX_LINE:
            raise _Refused(_TOO_LONG)
        if len(self._raw) > MAX_HEAD or self._searches > _MOST_SEARCHES:
            raise _Refused(_ENDLESS)

    def _read_whole_head(self, head: bytes) -> None:
        grammar = self._grammar
        if not grammar.headed:
            raise _malformed("the end of the header cannot be told")
        if len(head) > MAX_LINE and max(map(len, head.split(b"\n"))) > MAX_LINE:
            raise _Refused(_TOO_LONG)
        if head.count(b"\n") > MAX_FIELDS + 2:
            raise _Refused(_TOO_MANY)
        if not head.startswith(b"HTTP/"):
            raise _malformed("an answer in another protocol than HTTP")
        if b"\0" in head:
            raise _malformed("a NUL in the header")
        self._raw = b""
        size = grammar.size
        grammar.events.append(Head(head, grammar.status, size))
        if size is None:
            self._step = self._read_by_grammar
        else:
            self._rest, self._step = size, self._read_rest

    def _read_rest(self, data: bytes) -> None:
        # A body of known length is counted; llhttp would only copy it.
        rest = self._rest
        if len(data) < rest:
            self._rest = rest - len(data)
            self._grammar.events.append(data)
            return
        if rest:
            self._grammar.events.append(data if len(data) == rest else data[:rest])
        self._finish(_KEPT if self._grammar.keep and len(data) == rest else _CLOSED)

    def _read_by_grammar(self, data: bytes) -> None:
        grammar = self._grammar
        if data:
            grammar.feed(data)
        if grammar.whole:
            self._finish(_KEPT if grammar.keep and not grammar.more else _CLOSED)


def _read_nothing(_data: bytes) -> None:
    """Take no more: the answer has ended."""


class _Grammar:
    """llhttp, and what it says of one answer; the methods ``on_*`` are what it calls."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.status = 0
        self.size: int | None = None
        """Bytes of the body, where the header says so."""
        self.chunked = False
        self.keep = False
        self.headed = False
        """Whether the header of the final answer is complete."""
        self.whole = False
        self.more = False
        """Whether bytes came after the end."""
        self._trailers = 0
        self._in_trailers = False
        self._stalled = 0
        """Bytes of a trailer line that has not ended."""
        self._refused: Broken | None = None
        self._parser = parser = HttpResponseParser(self)
        parser.set_dangerous_leniencies(
            lenient_headers=True,  # folded lines
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> None:
        self._stalled += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.more = True
        except HttpParserError as error:
            if not self.whole:
                raise _Refused(self._refused) if self._refused else _malformed(str(error)) from error
            self.more = True
        if self._in_trailers and self._stalled > MAX_LINE and not self.whole:
            raise _Refused(_TOO_LONG)

    def let_go(self) -> None:
        """Part from llhttp and what was read: they refer to each other, and a body would wait for the collector."""
        self.events = []
        del self._parser

    def on_message_begin(self) -> None:
        if self.whole:
            self.more = True
            raise _Refused(_ENDLESS)  # stops llhttp; nobody hears of it
        self.size, self.chunked = None, False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.headed:
            self._trailer(len(name) + len(value))
        elif len(name) == _LENGTH and name.lower() == b"content-length":
            value = value.strip(_BLANKS)
            if not value.isdigit():
                self._refuse(Broken(Outcome.HTTP_MALFORMED, "a Content-Length that is no number"))
            self.size = int(value)
        elif len(name) == _CODING and name.lower() == b"transfer-encoding":
            self.chunked = value.lower().rpartition(b",")[2].strip(_BLANKS) == b"chunked"

    def _trailer(self, size: int) -> None:
        self._trailers += 1
        self._stalled = 0
        if self._trailers > MAX_FIELDS:
            self._refuse(_TOO_MANY)
        if size > MAX_LINE:
            self._refuse(_TOO_LONG)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != _SWITCHING:
            return
        self.headed, self.status = True, status
        self.keep = status != _SWITCHING and self._parser.should_keep_alive()
        if status in _BODILESS:
            self.size = 0

    def on_body(self, data: bytes) -> None:
        self._in_trailers = False
        self.events.append(data)

    def on_chunk_header(self) -> None:
        # Either bytes of the chunk come next, or it was the last one.
        self._in_trailers, self._stalled = True, 0

    def on_message_complete(self) -> None:
        self.whole = self.headed

    def _refuse(self, broken: Broken) -> None:
        self._refused = broken
        raise _Refused(broken)
