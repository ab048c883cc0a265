"""A strict reader of WARC files (ISO 28500:2017), one gzip member per record.

It believes nothing: it is what finds the torn and padded files that forgiving readers pass over.
It unpacks with zlib, not with the library that packed, so that each checks the other.
It holds one record at a time, and none above a limit.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

LIMIT = 256 * 1024**2
"""Bytes of one unpacked record that are accepted, unless told otherwise."""

TAIL = b"\r\n\r\n"
"""What stands after the header of a record, and again after its block."""
EMPTY_LINE = re.compile(rb"\n[^\S\n]*\n")
"""Where an HTTP header ends for all who read archives, even with bare line feeds."""

_CHUNK = 16 * 1024
_HEAD_LIMIT = 256 * 1024
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_ALWAYS = ("WARC-Type", "WARC-Record-ID", "WARC-Date", "Content-Length", "WARC-Block-Digest")
_EXCHANGE = ("WARC-Target-URI", "Content-Type")
_MANDATORY = {
    "warcinfo": ("Content-Type",),
    "request": _EXCHANGE,
    "response": _EXCHANGE,
    "revisit": (*_EXCHANGE, "WARC-Profile", "WARC-Payload-Digest"),
}


class WarcError(ValueError):
    """Say where a file stops being a sequence of whole records, and why."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"offset {self.offset}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Member:
    """A gzip member that holds one whole record, checked."""

    offset: int
    length: int
    """Bytes of the member as it stands in the file, compressed."""
    version: str
    headers: tuple[tuple[str, str], ...]
    block: bytes

    @property
    def end(self) -> int:
        """Where the next member begins."""
        return self.offset + self.length

    def header(self, name: str) -> str:
        """Return the first value of a header, its name in any case; empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def members(read: BinaryIO, *, offset: int = 0, limit: int = LIMIT) -> Iterator[Member]:
    """Read a WARC file member by member, and check all that can be checked.

    Each member is yielded as soon as it is read, so a caller who knows where the file counts may stop there.

    Args:
        read: a file that stands where a member begins.
        offset: the position of that place, from which offsets are counted.
        limit: bytes that one unpacked record may have.

    Raises:
        WarcError: a member is cut off or damaged, garbage stands between members, or a member holds anything but
            exactly one record with its mandatory headers and true digests.

    Source: ISO 28500:2017 §4, §5 and Annex D.
    """
    source = _Source(read, offset)
    while not source.ended():
        begin = source.position
        record = source.unpack(limit)
        yield _checked(_parsed(record, begin, source.position - begin))


class _Source:
    """A file of gzip members that knows how many of its bytes each of them took."""

    def __init__(self, read: BinaryIO, offset: int) -> None:
        self.position = offset
        self._read = read
        self._waiting = b""

    def ended(self) -> bool:
        self._waiting = self._waiting or self._read.read(_CHUNK)
        return not self._waiting

    def unpack(self, limit: int) -> bytes:
        """Unpack the one member that begins here."""
        begin, parts, size = self.position, list[bytes](), 0
        if not b"\x1f\x8b".startswith(self._waiting[:2]):
            raise WarcError(begin, f"no gzip member begins here, but {self._waiting[:8]!r}")
        gzip = zlib.decompressobj(31)
        while not gzip.eof:
            if self.ended():
                raise WarcError(begin, f"the gzip member is cut off after {self.position - begin} bytes")
            try:
                parts.append(gzip.decompress(self._waiting, limit - size + 1))
            except zlib.error as error:
                raise WarcError(begin, f"the gzip member is damaged ({error})") from error
            size += len(parts[-1])
            if size > limit:
                raise WarcError(begin, f"the record is larger than {limit} bytes")
            self.position += len(self._waiting) - len(gzip.unused_data)
            self._waiting = gzip.unused_data
        return b"".join(parts)


def _parsed(record: bytes, offset: int, length: int) -> Member:
    end = record.find(TAIL, 0, _HEAD_LIMIT)
    if end < 0:
        raise WarcError(offset, f"the member holds no record header, but {record[:16]!r}")
    version, *lines = record[:end].decode("utf-8", "replace").split("\r\n")
    if version not in ("WARC/1.0", "WARC/1.1"):
        raise WarcError(offset, f"the version is {version[:40]!r}, not WARC/1.1")
    headers = tuple(_field(line, offset) for line in lines)
    size = _size(headers, offset)
    begin = end + len(TAIL)
    block, tail = record[begin : begin + size], record[begin + size :]
    if len(block) < size:
        raise WarcError(offset, f"the block has {len(block)} bytes, not the {size} of its Content-Length")
    if tail != TAIL:
        more = tail.startswith(TAIL)
        raise WarcError(
            offset,
            "the member holds more than one record" if more else f"the record ends in {tail[:16]!r}, not {TAIL!r}",
        )
    return Member(offset, length, version, headers, block)


def _field(line: str, offset: int) -> tuple[str, str]:
    field = _FIELD.fullmatch(line)
    if not field:
        raise WarcError(offset, f"{line[:80]!r} is no header line")
    return field[1], field[2].strip(" \t")


def _size(headers: tuple[tuple[str, str], ...], offset: int) -> int:
    seen: dict[str, str] = {}
    for name, value in headers:
        if name.lower() in seen and name.lower() != "warc-concurrent-to":
            raise WarcError(offset, f"the header {name} is repeated")
        seen[name.lower()] = value
    size = seen.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", size):
        raise WarcError(offset, f"the Content-Length is {size[:40]!r}, not a number")
    return int(size)


def _checked(member: Member) -> Member:
    kind = member.header("WARC-Type")
    for name in (*_ALWAYS, *_MANDATORY.get(kind, ())):
        if not member.header(name):
            raise WarcError(member.offset, f"the mandatory header {name} is missing")
    if not _DATE.fullmatch(member.header("WARC-Date")):
        raise WarcError(member.offset, f"the WARC-Date is {member.header('WARC-Date')[:40]!r}")
    _verify(member, "WARC-Block-Digest", member.block)
    if kind == "response" and member.header("WARC-Payload-Digest"):
        head = EMPTY_LINE.search(member.block)
        if not head:
            raise WarcError(member.offset, "the response has a payload digest, but its header has no end")
        _verify(member, "WARC-Payload-Digest", memoryview(member.block)[head.end() :])
    return member


def _verify(member: Member, name: str, content: bytes | memoryview) -> None:
    stated, found = member.header(name), f"sha256:{sha256(content).hexdigest()}"
    if stated != found:
        raise WarcError(member.offset, f"the {name} is {stated[:80]}, but the bytes have {found}")
