"""The page log, ``pages.jsonl``: one line for each finished URL, in the order of their commits.

It is also the witness against a database that is older than the other files (it was restored, or its write-ahead log
is gone): a kill leaves at most one batch of lines that the database does not know, and the write-ahead log with them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crawler.core.outcomes import Outcome
from crawler.core.records import Page, Parsed, Place
from crawler.core.text import inert_json
from crawler.errors import CrawlerError, FolderDamaged
from crawler.storage.append_file import AppendFile
from crawler.storage.attempt import Attempt
from crawler.storage.database import PAGE_LOG, WAL, Database, open_for_reading

MOST_AT_ONCE = 256
"""Attempts, and so lines, of one commit, at most."""
LONGEST_LINE = 64 << 20
_NOT_PARSED = Parsed(Outcome.OK)


class PageLog:
    """The file, open; what goes past its committed length is cut off.

    Args:
        folder: the output folder.
        length: what the database says is committed.

    Raises:
        FolderDamaged: the file is shorter.
        FolderUnusable, StorageError: as :class:`AppendFile`.
    """

    def __init__(self, folder: Path, length: int) -> None:
        self._file = AppendFile.open(folder / PAGE_LOG, length)
        self._encode = msgspec.json.Encoder(enc_hook=repr).encode
        self.sync = self._file.sync
        self.close = self._file.close

    @property
    def length(self) -> int:
        """Bytes that were written whole."""
        return self._file.length

    def append(self, pages: Iterable[Page]) -> None:
        """Write a line for each.

        Raises:
            StorageError: not all could be written; the file takes no more.
        """
        self._file.append(b"".join(self._line(page) + b"\n" for page in pages))

    def _line(self, page: Page) -> bytes:
        """Encode a page; what an extract function returned and JSON cannot say is written as Python would show it."""
        try:
            line = self._encode(page)
        except Exception:
            if page.extracted is None:
                raise
            line = self._encode(replace(page, extracted=_shown(page.extracted)))
        harmless = page.extracted is None and f"{page.title}{page.language}{page.mime}{page.charset}".isprintable()
        return line if harmless else inert_json(line)


def page_of(attempt: Attempt, place: Place | None, round_: int) -> Page:
    """Tell the story of a finished URL."""
    fetched = attempt.fetched
    source, timings = fetched.source, fetched.timings
    parsed = attempt.parsed or _NOT_PARSED
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
        round=round_,
        change=attempt.change,
        extracted=parsed.extracted,
    )


def _shown(value: object) -> str:
    try:
        return ascii(value)
    except Exception as error:  # noqa: BLE001  it runs the object's own code
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def cut_page_log(folder: Path) -> None:
    """Cut the page log of a folder that is closed after a write that failed, as far as a failing disk allows.

    Closing the database has removed its write-ahead log, without which the next start would take the lines
    that do not count for a sign of damage.
    """
    if (folder / WAL).exists():
        return
    with suppress(CrawlerError, OSError, sqlite3.Error), closing(open_for_reading(folder)) as database:
        length = committed_length(database)
        if length < (folder / PAGE_LOG).stat().st_size:
            os.truncate(folder / PAGE_LOG, length)


def committed_length(database: Database) -> int:
    """Return how much of the page log counts."""
    row: tuple[int] | None = database.connection.execute(
        "SELECT length FROM file WHERE name = ?", (PAGE_LOG,)
    ).fetchone()
    return row[0] if row else 0


def refuse_older(database: Database, *, most_lost: int | None) -> None:
    """Make sure that the database is not older than the page log. Reads only.

    Args:
        database: of the same folder.
        most_lost: lines past the committed length that a kill may have left; None if no number is too large.

    Raises:
        FolderDamaged: it is.
    """
    path = database.path.with_name(PAGE_LOG)
    lines = _whole_lines(path, committed_length(database), most=(most_lost or 0) + 1)
    if lines and database.incomplete:
        raise FolderDamaged(
            f"names finished pages that the database does not know, and {WAL}, which may know them, is missing;"
            " restore it, or begin anew with --fresh",
            where=str(path),
        )
    if most_lost is not None and lines > most_lost:
        raise FolderDamaged(
            f"names more than {most_lost} finished pages that the database does not know, which is older than it;"
            " restore it, begin anew with --fresh, or crawl them again with store.durability = normal",
            where=str(path),
        )


def _whole_lines(path: Path, start: int, *, most: int) -> int:
    """Count the lines of JSON from a place on, up to the first that is cut or no JSON."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            for count in range(most):
                line = file.readline(LONGEST_LINE)
                try:
                    msgspec.json.decode(line if line.endswith(b"\n") else b"", type=dict[str, msgspec.Raw])
                except (msgspec.DecodeError, UnicodeDecodeError):
                    return count
    except OSError:  # whoever opens it for writing says what is wrong
        return 0
    return most
