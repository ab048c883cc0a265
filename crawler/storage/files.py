"""The files of a folder that grow, the archive, the page log and the change log, and how much of each counts.

A file counts up to the length that the database has for it. Whoever opens the files cuts off what is longer:
a commit that did not come to its end has left it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from crawler import __version__
from crawler.config import Config
from crawler.core.records import Page
from crawler.storage.answers import NOWHERE, Answers, Stands
from crawler.storage.archive import Archive
from crawler.storage.attempt import Attempt
from crawler.storage.change_log import ChangeLog, Line, is_told, line_of
from crawler.storage.database import CHANGE_LOG, PAGE_LOG, Database
from crawler.storage.disk import Disk
from crawler.storage.frozen import ARCHIVE, index_of, path_of
from crawler.storage.page_log import PageLog
from crawler.storage.page_table import PageTable


class Files:
    """The files, open. A commit appends to them, syncs them, and lets their lengths count, in this order.

    Args:
        folder: the output folder.
        config: the settings.
        database: knows the lengths; in a thread that owns it.
        pages: knows which payloads the archive holds, and what its index says.

    Raises (when made, and by what writes):
        FolderDamaged, FolderUnusable, StorageError: as :class:`Archive` and :class:`PageLog`.
    """

    def __init__(self, folder: Path, config: Config, database: Database, pages: PageTable) -> None:
        self._folder = folder
        self._database = database
        self._pages = pages
        self.synced = 0.0
        """Seconds spent so far in waiting for the disk; may be asked from any thread."""
        counted = self._counted()
        with ExitStack() as opened:
            self._log = PageLog(folder, counted.pop(PAGE_LOG, (0, False))[0])
            opened.callback(self._log.close)
            self._changes = ChangeLog(folder, counted.pop(CHANGE_LOG, (0, False))[0])
            opened.callback(self._changes.close)
            self._archive = Archive(
                folder / "archive",
                segment_size=config.store.segment_size,
                software=f"crawler/{__version__}",
                now=time.time,
                index=self._index,
            )
            opened.callback(self._archive.close)
            self._archive.recover(counted)
            archived = config.store.archive == "warc"
            self._answers = Answers(self._archive, pages, database) if archived else None
            self._disk = Disk(folder, database.connection) if config.limits.max_disk else None
            self._opened = opened.pop_all()
        self._logged = self._log.length + self._changes.length

    def append(self, attempts: Sequence[Attempt]) -> list[Stands]:
        """Append the records of finished attempts; return where each stands."""
        return self._answers.append(attempts) if self._answers else [NOWHERE] * len(attempts)

    def log(self, pages: Sequence[Page], attempts: Sequence[Attempt]) -> None:
        """Append the lines of their pages."""
        self._log.append(pages)
        self._changes.append(_lines(attempts, pages))

    def sync(self) -> None:
        """Wait until all that was appended is on disk."""
        began = time.perf_counter()
        self._archive.sync()
        self._log.sync()
        self._changes.sync()
        self.synced += time.perf_counter() - began

    def close_segment(self) -> None:
        """End the archive's open segment, once that is committed."""
        self._archive.close_segment()

    def store_lengths(self) -> None:
        """Let what is on disk count, once the transaction that is open has ended."""
        logs = {PAGE_LOG: (self._log.length, False), CHANGE_LOG: (self._changes.length, False)}
        lengths = {**self._archive.lengths(), **logs}
        self._database.connection.executemany(
            "INSERT INTO file (name, length, closed) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET length = excluded.length, closed = excluded.closed",
            [(name, length, closed) for name, (length, closed) in lengths.items()],
        )

    def committed(self, attempts: Iterable[Attempt] = ()) -> None:
        """Take note that the transaction has ended, and with it these attempts."""
        self._archive.committed()
        if self._disk is not None:
            before, self._logged = self._logged, self._log.length + self._changes.length
            self._disk.grow(self._logged - before + sum(map(_weight, attempts)))

    def frozen(self) -> tuple[tuple[str, int], ...]:
        """Return name within the folder and length of all that counts, and of the indexes of closed segments."""
        files = tuple(sorted((path_of(name), length) for name, (length, _) in self._counted().items()))
        return files + tuple(index_of(self._folder, name) for name, _ in files if name.startswith(ARCHIVE))

    @property
    def disk_used(self) -> int:
        """Bytes that the folder takes, if a limit asks for that; may be asked from any thread."""
        return self._disk.used if self._disk is not None else 0

    def close(self) -> None:
        """Let go of all of them, as they are."""
        self._opened.close()

    def _counted(self) -> dict[str, tuple[int, bool]]:
        rows = self._database.connection.execute("SELECT name, length, closed FROM file")
        return {name: (length, bool(closed)) for name, length, closed in rows}

    def _index(self, segment: str) -> Iterator[str]:
        with self._database.refusing():
            yield from self._pages.index(segment)


class NoFiles:
    """What stands in their place where a crawl writes nothing."""

    synced = 0.0
    disk_used = 0

    def append(self, attempts: Sequence[Attempt]) -> list[Stands]:
        """Return that none has a record."""
        return [NOWHERE] * len(attempts)

    def log(self, pages: Sequence[Page], attempts: Sequence[Attempt]) -> None:
        """Log nothing."""

    def sync(self) -> None:
        """Wait for nothing."""

    def close_segment(self) -> None:
        """Close nothing."""

    def store_lengths(self) -> None:
        """Store nothing."""

    def committed(self, attempts: Iterable[Attempt] = ()) -> None:
        """Take note of nothing."""

    def frozen(self) -> tuple[tuple[str, int], ...]:
        """Return that nothing counts."""
        return ()

    def close(self) -> None:
        """Let go of nothing."""


def _lines(attempts: Iterable[Attempt], pages: Iterable[Page]) -> Iterator[Line]:
    for attempt, page in zip(attempts, pages, strict=True):
        if is_told(page):
            yield line_of(page, attempt.fetched.source.earlier, attempt.fetched.location)


def _weight(attempt: Attempt) -> int:
    """Return what an attempt adds to archive and mirror, in bytes, or a little more."""
    parsed = attempt.parsed
    return len(parsed.record) + (parsed.size if attempt.mirror else 0) if parsed else 0
