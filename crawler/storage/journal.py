"""The journal: what makes a page's record, outcome and outlinks durable together. Blocking; one thread owns it.

Theory of operation
-------------------
A commit takes a batch of finished attempts and does three things in this order:

1. appends their WARC records and their lines of the page log;
2. syncs those files;
3. stores, in one transaction, each page's outcome, its new outlinks, and the length of every file that now counts.

The start cuts every file back to the length that counts. So whenever the kill comes, a page is either
in the archive, in the log and done, or it is in none of them and still queued: fetched at least once, archived exactly once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from crawler import __version__
from crawler.config import Config
from crawler.core import cdxj, warc
from crawler.core.host_queues import Want
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Fetched, Kind, Page, Parsed, Place
from crawler.errors import StorageError
from crawler.storage.append_file import AppendFile
from crawler.storage.archive import Archive
from crawler.storage.database import open_database
from crawler.storage.frontier import Frontier, Sown, StoredHost

PAGE_LOG = "pages.jsonl"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one URL, and what is to become of it."""

    fetched: Fetched
    parsed: Parsed | None
    outcome: Outcome
    detail: str
    again: CrawlURL | None = None
    """The URL as it is to be tried again; None if this was the last attempt."""
    hold_until: float = 0.0
    """Unix seconds until which the whole host is left alone."""
    mirror: str = ""


@dataclass(frozen=True, slots=True)
class Robots:
    """A host's robots.txt as it was fetched."""

    host: str
    body: bytes | None
    status: int
    until: float


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit brought about."""

    pages: list[Page | None]
    """One per attempt, in order; None where the URL is to be tried again."""
    queued: list[CrawlURL]
    """New URLs to be crawled."""


class Journal:
    """The only writer of an output folder.

    Raises (when made, and by every method):
        FolderDamaged, FolderUnusable: the folder's state is not fit for use.
        StorageError: a write failed; what was committed before stands, and the crawl cannot go on.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        self._connection = open_database(folder, config.store.durability)
        self._archiving = config.store.archive == "warc"
        self.frontier = Frontier(self._connection, config.scope, config.traps)
        self._archive = Archive(
            folder / "archive",
            segment_size=config.store.segment_size,
            software=f"crawler/{__version__}",
            now=time.time,
            index=self._index,
        )
        files = {name: (length, bool(closed)) for name, length, closed in self._files()}
        log_length, _ = files.pop(PAGE_LOG, (0, False))
        self._archive.recover(files)
        self._log = AppendFile.open(folder / PAGE_LOG, log_length)
        self._segments = {name: id_ for id_, name in self._connection.execute("SELECT id, name FROM file")}
        self._sound = True
        self._encode = msgspec.json.Encoder().encode

    # writing

    def commit(self, attempts: Sequence[Attempt]) -> Committed:
        """Make a batch of attempts durable; see the head of this file."""
        self._sound = False
        last = [attempt for attempt in attempts if attempt.again is None]
        places = self._append(last)
        pages = [_page(attempt, place) for attempt, place in zip(last, places, strict=True)]
        if pages:
            self._log.append(b"".join(self._encode(page) + b"\n" for page in pages))
            self._archive.sync()
            self._log.sync()
        finished = iter(zip(pages, places, strict=True))
        result = Committed([], [])
        with self._transaction():
            for attempt in attempts:
                page, place = next(finished) if attempt.again is None else (None, None)
                self._store(attempt, place, result)
                result.pages.append(page)
            self._store_lengths()
        self._archive.committed()
        self._sound = True
        return result

    def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known."""
        with self._transaction():
            return self.frontier.sow(urls)

    def keep_robots(self, robots: Robots) -> None:
        """Store a host's robots.txt."""
        with self._transaction():
            self.frontier.keep_robots(robots.host, robots.body, robots.status, robots.until)

    def load(self, wants: Iterable[Want]) -> list[tuple[CrawlURL, ...] | StoredHost]:
        """Bring queued URLs back to memory; the whole host where a want begins at row 0."""
        return [self.frontier.load(want) if want.after else self.frontier.open(want) for want in wants]

    def close(self) -> None:
        """End the archive's segment, and let go of all files.

        After a write that failed they are left as they are; the next start cuts off what does not count.
        """
        try:
            if self._sound:
                self._archive.close_segment()
                with self._transaction():
                    self._store_lengths()
                self._archive.committed()
        finally:
            self._archive.close()
            self._log.close()
            self._connection.close()

    # reading

    def counts(self) -> dict[tuple[State, str], int]:
        """Count all known URLs by state and outcome."""
        return self.frontier.counts()

    # inside

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection, self.frontier)

    def _files(self) -> list[tuple[str, int, int]]:
        return self._connection.execute("SELECT name, length, closed FROM file").fetchall()

    def _append(self, attempts: Sequence[Attempt]) -> list[Place | None]:
        """Append the records of all answers; one that has a known payload becomes a revisit."""
        members: list[bytes] = []
        lengths: list[tuple[int, int, bool] | None] = []
        in_batch: dict[bytes, tuple[str, float]] = {}
        for attempt in attempts:
            fetched, parsed = attempt.fetched, attempt.parsed
            if not (self._archiving and parsed and parsed.record):
                lengths.append(None)
                continue
            earlier = in_batch.get(parsed.digest) or self._earlier(fetched, parsed)
            request = parsed.record[: parsed.request_size]
            if earlier is None:
                response = parsed.record[parsed.request_size :]
                if _may_be_referred_to(fetched):
                    in_batch[parsed.digest] = (fetched.source.url, fetched.began_at)
            else:
                response = _revisit(fetched, parsed, earlier)
            members += (request, response)
            lengths.append((len(members) - 1, len(response), earlier is not None))
        where = self._archive.append(members) if members else []
        return [one and Place(*where[one[0]], one[1], one[2]) for one in lengths]

    def _earlier(self, fetched: Fetched, parsed: Parsed) -> tuple[str, float] | None:
        if not _may_be_referred_to(fetched):
            return None
        row: tuple[str, float] | None = self._connection.execute(
            "SELECT u.url, p.fetched_at FROM page p JOIN url u USING (id)"
            " WHERE p.prefix = ? AND p.segment > 0 AND p.revisit = 0 AND p.digest = ?",
            (_prefix(parsed.digest), parsed.digest),
        ).fetchone()
        return row

    def _store(self, attempt: Attempt, place: Place | None, result: Committed) -> None:
        fetched, parsed = attempt.fetched, attempt.parsed
        source = fetched.source
        if attempt.hold_until:
            self.frontier.hold(source.host, attempt.hold_until)
        if attempt.again is not None:
            self.frontier.postpone(attempt.again, attempt.outcome)
            return
        outlinks = parsed.outlinks if parsed else ()
        if fetched.location:
            outlinks = (*outlinks, (Kind.REDIRECT, fetched.location))
        result.queued.extend(self.frontier.discover(source, outlinks))
        self.frontier.finish(source, attempt.outcome)
        if fetched.answered:
            self._store_page(fetched, parsed, place)

    def _store_page(self, fetched: Fetched, parsed: Parsed | None, place: Place | None) -> None:
        digest = parsed.digest if parsed else b""
        segment = self._segment(place.segment) if place else 0
        offset, length, revisit = (place.offset, place.length, place.revisit) if place else (0, 0, False)
        self._connection.execute(
            "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                fetched.source.id,
                fetched.began_at,
                fetched.status,
                parsed.mime if parsed else "",
                digest,
                _prefix(digest) if _may_be_referred_to(fetched) else 0,
                len(fetched.body),
                segment,
                offset,
                length,
                revisit,
            ),
        )

    def _segment(self, name: str) -> int:
        if name not in self._segments:
            cursor = self._connection.execute("INSERT INTO file (name, length, closed) VALUES (?, 0, 0)", (name,))
            self._segments[name] = cursor.lastrowid or 0
        return self._segments[name]

    def _store_lengths(self) -> None:
        lengths = {**self._archive.lengths(), PAGE_LOG: (self._log.length, False)}
        for name, (length, closed) in lengths.items():
            self._connection.execute(
                "INSERT INTO file (name, length, closed) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET length = excluded.length, closed = excluded.closed",
                (name, length, closed),
            )

    def _index(self, segment: str) -> Iterator[str]:
        """Yield the CDXJ lines of a segment, from the database."""
        rows = self._connection.execute(
            "SELECT u.url, p.fetched_at, p.mime, p.status, p.digest, p.length, p.offset, p.revisit"
            " FROM page p JOIN url u USING (id) WHERE p.segment = (SELECT id FROM file WHERE name = ?)",
            (segment,),
        )
        for url, at, mime, status, digest, length, offset, revisit in rows:
            kind = "warc/revisit" if revisit else mime
            yield cdxj.line(
                url, at, mime=kind, status=status, digest=digest, length=length, offset=offset, filename=segment
            )


class _Transaction:
    """BEGIN and COMMIT, with the frontier's gathered rows; a database that refuses is a storage error."""

    def __init__(self, connection: sqlite3.Connection, frontier: Frontier) -> None:
        self._connection = connection
        self._frontier = frontier

    def __enter__(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise StorageError(f"the database refuses ({error})") from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._frontier.flush()
                self._connection.execute("COMMIT")
            elif self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as refusal:
            raise StorageError(f"the database refuses ({refusal})") from refusal
        if isinstance(error, sqlite3.Error):
            raise StorageError(f"the database refuses ({error})") from error


def _may_be_referred_to(fetched: Fetched) -> bool:
    """Whether a later record with the same payload may point to this one instead of holding it."""
    return fetched.status == 200 and not fetched.truncated and bool(fetched.body)


def _prefix(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def _revisit(fetched: Fetched, parsed: Parsed, earlier: tuple[str, float]) -> bytes:
    return warc.revisit(
        fetched.source.url,
        fetched.head,
        digest=parsed.digest,
        address=fetched.address,
        date=fetched.began_at,
        refers_to=earlier,
        record_id=str(uuid4()),
    )


def _page(attempt: Attempt, place: Place | None) -> Page:
    """Tell the story of a finished URL."""
    fetched, parsed = attempt.fetched, attempt.parsed or _NOT_PARSED
    source, timings = fetched.source, fetched.timings
    return Page(
        url=source.url,
        outcome=attempt.outcome,
        detail=attempt.detail,
        status=fetched.status,
        depth=source.depth,
        kind=source.kind,
        via=source.via,
        attempts=source.attempts,
        fetched_at=datetime.fromtimestamp(fetched.began_at, UTC),
        seconds=round(timings.dns + timings.connect + timings.first_byte + timings.body, 6),
        address=fetched.address,
        mime=parsed.mime,
        charset=parsed.charset,
        title=parsed.title,
        language=parsed.language,
        canonical=parsed.canonical,
        noindex=parsed.noindex,
        nofollow=parsed.nofollow,
        digest=f"sha256:{parsed.digest.hex()}" if parsed.digest else "",
        size=parsed.size,
        wire_size=len(fetched.body),
        links=parsed.links_seen,
        links_capped=parsed.links_capped,
        truncated=fetched.truncated,
        segment=place.segment if place else "",
        offset=place.offset if place else 0,
        length=place.length if place else 0,
        revisit=place.revisit if place else False,
        mirror=attempt.mirror,
        extracted=parsed.extracted,
    )


_NOT_PARSED = Parsed(Outcome.OK)
