"""Bytes in, numbered lines of a seed file out. Pure.

Chunks may be cut anywhere: within a character, within CRLF, within a line.
What people save is read as they meant it: UTF-8 with or without a byte order mark, UTF-16 with one (Windows),
line ends of all three kinds, blank lines, ``#`` comments on a line of their own or after white space.
A line that never ends costs no more memory than the longest line allowed.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from msgspec import Struct

LONGEST = 65_536
"""Characters of a line, at most."""

_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)
"""Within a URL a ``#`` never follows white space."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LONGEST_MARK = 3


class SeedLine(Struct, frozen=True):
    """A line with something to say."""

    number: int
    text: str
    """Without comment and surrounding white space."""
    flaw: str = ""
    """Why the line cannot hold a URL, whatever it says."""


class LineReader:
    """Cuts a stream of bytes into lines."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._number = 0
        self._rest = ""
        self._overlong = False
        self._first = b""
        self._decoder: io.IncrementalNewlineDecoder | None = None

    def feed(self, chunk: bytes, *, last: bool = False) -> Iterator[SeedLine]:
        """Take in a chunk and hand out the lines that it completes; with ``last`` the unfinished one too."""
        lines = self._decode(chunk, last).split("\n")
        lines[0] = self._rest + lines[0]
        self._rest = lines.pop()
        for line in lines:
            yield from self._line(line)
        if len(self._rest) > self._longest:
            self._rest, self._overlong = "", True
        if last and (self._rest or self._overlong):
            yield from self._line(self._rest)

    def _line(self, line: str) -> Iterator[SeedLine]:
        self._number += 1
        overlong, self._overlong = self._overlong or len(line) > self._longest, False
        if overlong:
            yield SeedLine(self._number, "", f"longer than {self._longest:,} characters")
            return
        text = _COMMENT.sub("", line, count=1).strip() if "#" in line else line.strip()
        if text:
            yield SeedLine(self._number, text, "not UTF-8 text" if "\ufffd" in text else "")

    def _decode(self, chunk: bytes, last: bool) -> str:  # noqa: FBT001  -- private, and called once
        if self._decoder is None:
            self._first += chunk
            if len(self._first) < _LONGEST_MARK and not last:
                return ""
            chunk, encoding = _unmark(self._first)
            inner = codecs.getincrementaldecoder(encoding)(errors="replace")
            self._decoder = io.IncrementalNewlineDecoder(inner, translate=True)
        return self._decoder.decode(chunk, final=last)


def _unmark(start: bytes) -> tuple[bytes, str]:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return start[len(mark) :], encoding
    return start, "utf-8"


def is_binary(start: bytes) -> bool:
    """Tell whether the first bytes of a file are no text at all, but an archive, an image, a compressed file."""
    return b"\0" in start and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
