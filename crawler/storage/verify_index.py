"""The CDXJ indexes against the database: each closed segment has one, sorted, with one line for each of its records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.core import cdxj
from crawler.storage.findings import Findings, Stream

_LONGEST_LINE = 1 << 20
_AT_ONCE = 1_000


class Row(Struct, frozen=True):
    """What the database says of one record."""

    segment: int
    offset: int
    length: int
    digest: bytes
    size: int
    revisit: bool
    status: int
    mime: str
    fetched_at: float
    url: str


class _Columns(msgspec.Struct):
    offset: str


class Index:
    """The index of the segment that is being checked. Its lines are sorted by place in a table on disk."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self.files = self.entries = 0
        self._connection = connection
        self._findings = findings
        self._wrong = 0
        self._where = self._segment = ""
        self._lines: Stream[tuple[int, bytes]] | None = None
        connection.execute("CREATE TEMP TABLE entry (offset INTEGER NOT NULL, line BLOB NOT NULL)")

    def begin(self, path: Path, segment: str, *, indexed: bool) -> None:
        """Read the index beside a segment; one that is not closed needs none."""
        self._lines = None
        index = path.with_name(f"{segment.removesuffix('.warc.gz')}.cdxj")
        self._where, self._segment = f"archive/{index.name}", segment
        if not indexed:
            return
        if not index.exists():
            self._add("missing")
            return
        self.files += 1
        self._connection.execute("BEGIN")
        self._connection.execute("DELETE FROM entry")
        parsed = self._parsed(index)
        while batch := list(islice(parsed, _AT_ONCE)):
            self._connection.executemany("INSERT INTO entry VALUES (?, ?)", batch)
        self._connection.execute("COMMIT")
        self._lines = Stream(self._connection.execute("SELECT offset, line FROM entry ORDER BY offset"))

    def expect(self, row: Row) -> None:
        """Look for the line of a record; to be called in the order of their offsets."""
        if self._lines is None:
            return
        self._pass_over(row.offset)
        if self._lines.head is None or self._lines.head[0] != row.offset:
            self._add(f"has no line for {row.url}")
        elif self._lines.take()[1] != self._line(row):
            self._add(f"the line for {row.url} is not what its record and the database say")

    def end(self) -> None:
        """Make sure that nothing is left over."""
        if self._lines is not None:
            self._pass_over(None)
        self._lines = None

    def verdict(self, well: str) -> str:
        """Sum up all indexes."""
        return f"{self._wrong:,} wrong" if self._wrong else well

    def _parsed(self, index: Path) -> Iterator[tuple[int, bytes]]:
        decode, before, at = msgspec.json.Decoder(_Columns).decode, b"", 0
        with index.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                self.entries += 1
                try:
                    yield int(decode(line.split(b" ", 2)[2]).offset), line.removesuffix(b"\n")
                except (msgspec.DecodeError, ValueError, IndexError):
                    self._add(f"offset {at}: is no line of an index, but {line[:40]!r}")
                if line < before:
                    self._add(f"offset {at}: the line is not in its order")
                if not line.endswith(b"\n"):
                    self._add(f"offset {at}: the line has no end")
                before, at = line, at + len(line)

    def _line(self, row: Row) -> bytes:
        kind = "warc/revisit" if row.revisit else row.mime
        try:
            return cdxj.line(
                row.url,
                row.fetched_at,
                mime=kind,
                status=row.status,
                digest=row.digest,
                length=row.length,
                offset=row.offset,
                filename=self._segment,
            ).encode()
        except (OSError, OverflowError):  # a time that is none
            return b""

    def _pass_over(self, offset: int | None) -> None:
        lines = self._lines
        while lines is not None and lines.head is not None and (offset is None or lines.head[0] < offset):
            self._add(f"names offset {lines.take()[0]}, where no page has its record")

    def _add(self, what: str) -> None:
        self._wrong += 1
        self._findings.add(self._where, what)
