"""The archive against the database: every record is whole and belongs to one page, and every page has its record.

Two streams in the order of the archive are compared: the records as the strict reader finds them, and the rows of the
database, sorted by SQLite, which sorts on disk what is too much for memory. So memory holds one record and one row.
After a damaged record the reading goes on where the database has the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from msgspec import Struct

from crawler.core import warc_reader
from crawler.core.warc_reader import Member, WarcError, members
from crawler.storage.archive import OPEN, segment_path
from crawler.storage.database import CHANGE_LOG, PAGE_LOG, Database
from crawler.storage.findings import Findings, Stream, counted
from crawler.storage.page_table import prefix
from crawler.storage.verify_index import Index, Row

_ANSWERS = ("response", "revisit")
_OTHERS = ("warcinfo", "request")


class Segment(Struct, frozen=True):
    """A segment as the database knows it."""

    id: int
    name: str
    length: int
    closed: bool


class ArchiveCheck:
    """One pass through all segments."""

    def __init__(self, folder: Path, database: Database, findings: Findings) -> None:
        self._folder = folder / "archive"
        self._connection = database.connection
        self._findings = findings
        self._index = Index(self._connection, findings)
        self._records = self._members = self._limit = 0

    def run(self) -> list[str]:
        """Check everything, and return what there is."""
        before, segments = self._findings.count, list(self._segments())
        (largest,) = self._connection.execute("SELECT ifnull(max(size), 0) FROM page").fetchone()
        self._limit = warc_reader.LIMIT + largest
        rows = Stream(self._rows())
        for segment in segments:
            self._drop(rows, segment.id, -1, "its segment is not known to the database")
            self._segment(segment, rows)
        while rows.head is not None:
            self._lost(rows.take(), "its segment is not known to the database")
        self._strangers({segment.name for segment in segments})
        whole = self._findings.verdict(before, "all whole")
        read = f"{counted(self._records, 'record')}, {counted(self._members, 'member')}"
        indexed = f"{counted(self._index.files, 'index')}, {counted(self._index.entries, 'entry')}"
        return [
            f"{read}, {counted(len(segments), 'segment')}: {whole}",
            f"{indexed}: {self._index.verdict('sorted and complete')}",
        ]

    def _segments(self) -> Iterator[Segment]:
        for id_, name, length, closed in self._connection.execute(
            "SELECT id, name, length, closed FROM file WHERE name NOT IN (?, ?) ORDER BY id", (PAGE_LOG, CHANGE_LOG)
        ):
            yield Segment(id_, name, length, bool(closed))

    def _rows(self) -> Iterator[Row]:
        sort = self._connection.execute(
            "SELECT url, segment, offset, length, digest, size, revisit, status, mime, fetched_at FROM page"
            " WHERE segment != 0 ORDER BY segment, offset"
        )
        for id_, segment, offset, length, digest, size, revisit, status, mime, at in sort:
            found = self._connection.execute("SELECT url FROM url WHERE id = ?", (id_,)).fetchone()
            url = found[0] if found else f"URL number {id_}"
            yield Row(segment, offset, length, digest, size, bool(revisit), status, mime, at, url)

    def _segment(self, segment: Segment, rows: Stream[Row]) -> None:
        path = segment_path(self._folder, segment.name)
        where = f"archive/{path.name}"
        if not path.exists():
            self._findings.add(f"archive/{segment.name}", f"missing, but {segment.length} bytes of it were committed")
            self._drop(rows, segment.id + 1, 0, "its segment is missing")
            return
        size = path.stat().st_size
        if size < segment.length:
            self._findings.add(where, f"has {size} bytes, but {segment.length} were committed")
        if size > segment.length:
            self._findings.note(
                where, f"{size - segment.length} bytes past what was committed; the next start cuts them off"
            )
        if path.name.endswith(OPEN) and segment.closed:
            self._findings.note(where, "is complete; the next start gives it its index and its name")
        self._index.begin(path, segment.name, indexed=segment.closed and not path.name.endswith(OPEN))
        with path.open("rb") as file:
            self._walk(segment, where, file, rows)
        self._drop(rows, segment.id + 1, 0, "no record begins there")
        self._index.end()

    def _walk(self, segment: Segment, where: str, file: BufferedReader, rows: Stream[Row]) -> None:
        at = 0
        while at < segment.length:
            file.seek(at)
            try:
                for member in members(_until(file, segment.length), offset=at, limit=self._limit):
                    self._member(segment, where, member, rows)
                at = segment.length
            except WarcError as error:
                self._findings.add(where, str(error))
                self._drop(rows, segment.id, error.offset, "no record begins there")
                while self._at(rows, segment.id, error.offset):
                    self._index.expect(rows.take())
                head = rows.head
                at = head.offset if head is not None and head.segment == segment.id else segment.length

    def _member(self, segment: Segment, where: str, member: Member, rows: Stream[Row]) -> None:
        self._members += 1
        kind, url = member.header("WARC-Type"), member.header("WARC-Target-URI")
        here = f"{where}: offset {member.offset}"
        self._drop(rows, segment.id, member.offset, "no record begins there")
        owners: list[Row] = []
        while self._at(rows, segment.id, member.offset):
            owners.append(rows.take())
            self._index.expect(owners[-1])
        self._records += kind in _ANSWERS
        if kind not in _ANSWERS + _OTHERS or (kind == "warcinfo") is not (member.offset == 0):
            self._findings.add(here, f"a record of type {kind!r} has no place here")
        if kind in _ANSWERS and not owners:
            self._findings.add(here, f"the {kind} of {url} belongs to no page")
        if len(owners) > 1:
            self._findings.add(here, f"belongs to {len(owners)} pages, {owners[0].url} and {owners[1].url} among them")
        for row in owners:
            for what in self._differences(member, kind, row):
                self._findings.add(here, what)

    def _differences(self, member: Member, kind: str, row: Row) -> Iterator[str]:
        expected = "revisit" if row.revisit else "response"
        if kind != expected:
            yield f"is of type {kind!r}, but the database has a {expected} of {row.url} here"
            return
        if member.header("WARC-Target-URI") != row.url:
            yield f"is the {kind} of {member.header('WARC-Target-URI')}, but the database has {row.url} here"
        if member.length != row.length:
            yield f"the {kind} of {row.url} has {member.length} bytes, but the database has {row.length}"
        if (found := _payload_digest(member, row)) != f"sha256:{row.digest.hex()}":
            yield f"the payload of {row.url} has the digest {found}, but the database has sha256:{row.digest.hex()}"
        if kind == "revisit" and not self._has_origin(member, row):
            yield f"the revisit of {row.url} refers to a record that is not in the database"

    def _has_origin(self, member: Member, row: Row) -> bool:
        origins = self._connection.execute(
            "SELECT u.url, p.fetched_at FROM page p JOIN url u ON u.id = p.url"
            " WHERE p.prefix = ? AND p.segment > 0 AND p.revisit = 0 AND p.digest = ?",
            (prefix(row.digest), row.digest),
        )
        said = (member.header("WARC-Refers-To-Target-URI"), member.header("WARC-Refers-To-Date"))
        return any(said == (url, _date(at)) for url, at in origins)

    def _at(self, rows: Stream[Row], segment: int, offset: int) -> bool:
        return rows.head is not None and (rows.head.segment, rows.head.offset) == (segment, offset)

    def _drop(self, rows: Stream[Row], segment: int, offset: int, why: str) -> None:
        """Pass over the rows before a place: what they point at was not found."""
        while rows.head is not None and (rows.head.segment, rows.head.offset) < (segment, offset):
            self._lost(rows.take(), why)

    def _lost(self, row: Row, why: str) -> None:
        self._index.expect(row)
        self._findings.add(f"crawl.db: {row.url}", f"segment {row.segment}, offset {row.offset}: {why}")

    def _strangers(self, known: set[str]) -> None:
        newest = max(known, key=_serial, default="")
        for path in sorted(self._folder.glob("crawl-*.warc.gz*")):
            name = path.name.removesuffix(OPEN)
            if name not in known and path.name.endswith(OPEN) and _serial(name) > _serial(newest):
                self._findings.note(f"archive/{path.name}", "was never committed; the next start deletes it")
            elif path != segment_path(self._folder, name) or name not in known:
                self._findings.add(f"archive/{path.name}", "the database does not know it")


def _payload_digest(member: Member, row: Row) -> str:
    """Return what the record says, which the reader has checked, or else what its last bytes have."""
    payload = memoryview(member.block)[max(0, len(member.block) - row.size) :]
    return member.header("WARC-Payload-Digest") or f"sha256:{sha256(payload).hexdigest()}"


def _date(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:26] + "Z"
    except (OSError, OverflowError):  # a time that is none
        return "no time"


def _serial(name: str) -> int:
    number = name.removesuffix(".warc.gz").rpartition("-")[2]
    return int(number) if number.isdigit() else 0


class _Until:
    """A file that ends where it counts."""

    def __init__(self, file: BufferedReader, end: int) -> None:
        self._file = file
        self._left = end - file.tell()

    def read(self, size: int) -> bytes:
        got = self._file.read(min(size, self._left))
        self._left -= len(got)
        return got


def _until(file: BufferedReader, end: int) -> BinaryIO:
    return cast(BinaryIO, _Until(file, end))
