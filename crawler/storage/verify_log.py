"""The page log against the database: whole lines of JSON, exactly one for each finished page, saying the same.

A URL has one in each round in which it was finished. Lines and rows are sorted by fingerprint, those of one URL in the
order of their commits, by SQLite and on disk, and compared as streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from crawler.core.fingerprint import fingerprint
from crawler.errors import FolderDamaged
from crawler.storage.database import PAGE_LOG, Database
from crawler.storage.findings import Findings, Stream, counted
from crawler.storage.page_log import LONGEST_LINE, MOST_AT_ONCE, committed_length, refuse_older

_AT_ONCE = 1_000


class _Line(msgspec.Struct):
    """What of a line is compared."""

    url: str
    round: int
    outcome: str
    change: str | None
    segment: str
    offset: int
    length: int
    digest: str


class _Page(NamedTuple):
    mark: int
    at: int
    """Where its line begins, or the number of its URL."""
    url: str
    told: tuple[object, ...]


_TOLD = ("round", "outcome", "change", "segment", "offset", "length", "digest")


class LogCheck:
    """One pass through the page log, and one through the finished pages."""

    def __init__(self, folder: Path, database: Database, findings: Findings) -> None:
        self._path = folder / PAGE_LOG
        self._database = database
        self._connection = database.connection
        self._findings = findings
        ((self._key,),) = self._connection.execute("SELECT value FROM setting WHERE name = 'key'").fetchall()

    def run(self) -> list[str]:
        """Check everything, and return what there is."""
        before = self._findings.count
        length = self._committed()
        self._connection.execute(
            "CREATE TEMP TABLE line (mark INTEGER, at INTEGER, url TEXT,"
            " round INTEGER, outcome TEXT, change TEXT, segment TEXT, offset INTEGER, length INTEGER, digest TEXT)"
        )
        lines, parsed = 0, self._parsed(length)
        self._connection.execute("BEGIN")
        while batch := list(islice(parsed, _AT_ONCE)):
            self._connection.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", batch)
            lines += len(batch)
        self._connection.execute("COMMIT")
        self._compare(Stream(self._logged()), Stream(self._finished()))
        verdict = self._findings.verdict(before, "one for each finished page")
        return [f"{counted(lines, 'line')} in {PAGE_LOG}: {verdict}"]

    def _committed(self) -> int:
        length = committed_length(self._database)
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < length:
            self._findings.add(PAGE_LOG, f"has {size} bytes, but {length} were committed")
        try:
            refuse_older(self._database, most_lost=MOST_AT_ONCE)
        except FolderDamaged as error:
            self._findings.add(PAGE_LOG, error.args[0])
        else:
            if size > length:
                self._findings.note(
                    PAGE_LOG, f"{size - length} bytes past what was committed; the next start cuts them off"
                )
        return min(size, length)

    def _parsed(self, length: int) -> Iterator[tuple[object, ...]]:
        if not length:
            return
        decode, at = msgspec.json.Decoder(_Line).decode, 0
        with self._path.open("rb") as file:
            while at < length and (text := file.readline(min(LONGEST_LINE, length - at))):
                try:
                    line = decode(text if text.endswith(b"\n") else b"")
                    mark = fingerprint(line.url, self._key)
                    place = line.segment, line.offset, line.length
                    yield mark, at, line.url, line.round, line.outcome, line.change or "", *place, line.digest
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    why = str(error) if text.endswith(b"\n") else "it has no end"
                    self._findings.add(f"{PAGE_LOG}: offset {at}", f"is no line of a page, but {text[:40]!r} ({why})")
                at += len(text)

    def _logged(self) -> Iterator[_Page]:
        rows = self._connection.execute(
            "SELECT mark, at, url, round, outcome, change, segment, offset, length, digest FROM line ORDER BY mark, at"
        )
        for mark, at, url, *told in rows:
            yield _Page(mark, at, url, tuple(told))

    def _finished(self) -> Iterator[_Page]:
        rows = self._connection.execute(
            "SELECT u.fingerprint, p.id, u.url, p.round, p.outcome, ifnull(p.change, ''), ifnull(f.name, ''),"
            " p.offset, p.length, p.digest FROM page p JOIN url u ON u.id = p.url"
            " LEFT JOIN file f ON f.id = p.segment ORDER BY u.fingerprint, p.id"
        )
        for mark, id_, url, *told, digest in rows:
            yield _Page(mark, id_, url, (*told, f"sha256:{digest.hex()}" if digest else ""))

    def _compare(self, logged: Stream[_Page], finished: Stream[_Page]) -> None:
        paired: _Page | None = None
        while logged.head is not None or finished.head is not None:
            line, page = logged.head, finished.head
            if line is not None and (page is None or line.mark < page.mark):
                self._surplus(logged.take(), paired)
            elif page is not None and (line is None or page.mark < line.mark):
                self._findings.add(PAGE_LOG, f"has no line for {finished.take().url}")
            else:
                paired = logged.take()
                self._pair(paired, finished.take())

    def _surplus(self, line: _Page, paired: _Page | None) -> None:
        if paired is not None and paired.mark == line.mark:
            self._add(line, f"has another line at offset {paired.at}")
        else:
            self._add(line, "is not a finished page")

    def _pair(self, line: _Page, page: _Page) -> None:
        for name, said, stored in zip(_TOLD, line.told, page.told, strict=True):
            if said != stored:
                self._add(line, f"{name} is {said!r}, but {stored!r} in the database")
        if line.url != page.url:
            self._add(line, f"the database has {page.url}")

    def _add(self, line: _Page, what: str) -> None:
        self._findings.add(f"{PAGE_LOG}: offset {line.at}: {line.url}", what)
