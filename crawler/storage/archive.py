"""The archive: WARC files, written in segments, exactly one of them open at a time.

A segment ``crawl-YYYYMMDDhhmmss-00001.warc.gz`` bears the suffix ``.open`` until it is closed, and begins with a
``warcinfo`` record. A closed one has an index beside it, ``crawl-…-00001.cdxj``, made from what the database says.

What counts is what the database has committed: of each segment its length, and whether it is closed.
A batch is ``append``, ``lengths``, ``sync``, the caller's transaction, which stores those lengths, and ``committed``.
A kill may come between any two system calls; this is what it leaves, and what :meth:`Archive.recover` makes of it:

==========================================  ==============================================================
kill                                        next start
==========================================  ==============================================================
before the first commit of a new segment    the database does not know it, and it is ``.open``: deleted
before the transaction                      the segment is longer than committed: cut, and gone on with
after a closing transaction                 closed, but still ``.open``: indexed and renamed
while or after the index is written         the same, once more; the index takes its name when it is whole
after the renaming                          nothing; if the index is missing, it is written
==========================================  ==============================================================

The index comes before the new name, so a segment without ``.open`` has one.
If durability is less than full, a power cut may undo a closing transaction whose renaming stands:
then the segment is longer than committed and bears its final name; it is named ``.open`` again, cut and gone on with.
Anything else that does not fit is damage, found before anything is changed.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from crawler.core import warc
from crawler.errors import CrawlerError, FolderDamaged
from crawler.storage.append_file import AppendFile, refused
from crawler.storage.database import sync_folder

OPEN = ".open"
_END = ".warc.gz"
_SEGMENT = re.compile(r"crawl-[0-9]{14}-([0-9]{5,12})\.warc\.gz")
_FORMAT = {
    "format": "WARC File Format 1.1",
    "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
}


def segment_path(folder: Path, name: str) -> Path:
    """Return where a segment stands now, closed or open; ``folder`` is the archive's, ``name`` without ``.open``."""
    closed = folder / name
    return closed if closed.exists() else folder / (name + OPEN)


class Archive:
    """The segments in one folder, which the archive has to itself. Used from one thread; raises only CrawlerErrors.

    Args:
        folder: where the segments stand; made if it is missing.
        segment_size: bytes; a batch that finds the open segment at this size or past it goes to a new one.
        software: what wrote the archive, for its ``warcinfo`` records.
        now: the clock, Unix seconds.
        index: the CDXJ lines of a closed segment, in any order, without line ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_size: int,
        software: str,
        now: Callable[[], float],
        index: Callable[[str], Iterable[str]],
    ) -> None:
        self._folder = folder
        self._segment_size = segment_size
        self._fields = {"software": software, **_FORMAT}
        self._now = now
        self._index = index
        self._serial = 0
        self._name = ""
        self._current: AppendFile | None = None
        self._closing: dict[str, AppendFile] = {}
        self._changed: dict[str, tuple[int, bool]] = {}
        self._promised: dict[str, tuple[int, bool]] = {}
        self._failure: CrawlerError | None = None

    def recover(self, committed: Mapping[str, tuple[int, bool]]) -> None:
        """Make the folder agree with the database; called once, before anything else.

        Args:
            committed: segment → its committed length, and whether it is closed; all that the database knows.

        Raises:
            FolderDamaged: a segment is missing or shorter than committed, or is none that a kill could leave.
            FolderUnusable: the folder cannot be created or written.
            StorageError: the disk is full or failing.
        """
        try:
            if not self._folder.exists():
                self._folder.mkdir(parents=True)
                sync_folder(self._folder.parent)
            uncommitted = self._survey(committed)
            for path in uncommitted:
                path.unlink()
            for name, (length, closed) in committed.items():
                self._resume_closed(name, length) if closed else self._resume_open(name, length)
            self._serial = max((_serial(name) for name in committed), default=0)
        except OSError as error:
            raise refused(error, self._folder) from error

    def append(self, members: Sequence[bytes]) -> list[tuple[str, int]]:
        """Write one batch of gzip members, all to one segment, and return segment and offset of each.

        Raises:
            StorageError: not all could be written; the archive takes no more.
        """
        if not members:
            return []
        if self._failure:
            raise self._failure
        try:
            return self._append(members)
        except CrawlerError as error:
            self._failure = error  # what a failed write left behind is for the next start to clear away
            raise

    def close_segment(self) -> None:
        """Mark the open segment, if there is one, as closed, which it is once that is committed."""
        if self._current is not None:
            self._changed[self._name] = (self._current.length, True)
            self._closing[self._name], self._current = self._current, None

    def lengths(self) -> dict[str, tuple[int, bool]]:
        """Return what the coming transaction must store: segment → length, closed; the changed ones only."""
        self._promised = dict(self._changed)
        return dict(self._changed)

    def sync(self) -> None:
        """Wait until all that was appended is on the disk.

        Raises:
            StorageError: it is not known to be there, and never will be; the archive takes no more.
        """
        for file in self._closing.values():
            file.sync()
        if self._current is not None:
            self._current.sync()

    def committed(self) -> None:
        """Take note that the transaction stands that stored the last :meth:`lengths`; finish what it closed.

        Raises:
            StorageError: the disk is full or failing; the next start finishes the segment.
        """
        promised, self._promised = self._promised, {}
        for name, state in promised.items():
            if self._changed.get(name) == state:
                del self._changed[name]
            if state[1] and (file := self._closing.pop(name, None)):
                file.sync()
                file.close()
                self._finish(name)

    def close(self) -> None:
        """Let go of the files. Nothing is written: what was not committed is cut off at the next start."""
        for file in (*self._closing.values(), self._current):
            if file is not None:
                file.close()

    def _append(self, members: Sequence[bytes]) -> list[tuple[str, int]]:
        if self._current is not None and self._current.length >= self._segment_size:
            self.close_segment()
        if self._current is None:
            self._current = self._begin()
        offsets = self._current.append_all(members)
        self._changed[self._name] = (self._current.length, False)
        return [(self._name, offset) for offset in offsets]

    def _begin(self) -> AppendFile:
        self._serial += 1
        now = self._now()
        self._name = f"crawl-{time.strftime('%Y%m%d%H%M%S', time.gmtime(now))}-{self._serial:05}{_END}"
        file = AppendFile.open(self._folder / (self._name + OPEN), 0)
        try:
            file.append(warc.warcinfo(self._name, self._fields, date=now, record_id=str(uuid.uuid4())))
        except BaseException:
            file.close()
            raise
        return file

    def _finish(self, name: str) -> None:
        """Give a closed segment its index and its final name."""
        try:
            self._write_index(name)
            segment_path(self._folder, name).rename(self._folder / name)
            sync_folder(self._folder)
        except OSError as error:
            raise refused(error, self._folder / name) from error

    def _write_index(self, name: str) -> None:
        path = self._index_path(name)
        draft = path.with_suffix(".cdxj.new")
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in sorted(self._index(name)))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)

    def _index_path(self, name: str) -> Path:
        return self._folder / f"{name.removesuffix(_END)}.cdxj"

    def _survey(self, committed: Mapping[str, tuple[int, bool]]) -> list[Path]:
        """Return the segments that were never committed; raise if anything is not as a kill may leave it."""
        files = {path.name for path in self._folder.iterdir()}
        newest = max((_serial(name) for name in committed), default=0)
        for name, (length, _) in committed.items():
            _check_committed(self._folder / name, length)
        if len(still := sorted(name for name, (_, closed) in committed.items() if not closed)) > 1:
            raise FolderDamaged(f"more than one segment is open: {', '.join(still)}", where=str(self._folder))
        unknown = {
            file
            for file in files
            if _SEGMENT.fullmatch(file.removesuffix(OPEN)) and file.removesuffix(OPEN) not in committed
        }
        for file in sorted(unknown):
            if not file.endswith(OPEN) or _serial(file.removesuffix(OPEN)) <= newest:
                raise FolderDamaged(
                    "is in the archive, but the database does not know it", where=str(self._folder / file)
                )
        return [self._folder / file for file in unknown]

    def _resume_closed(self, name: str, length: int) -> None:
        path = segment_path(self._folder, name)
        if path.stat().st_size > length:
            AppendFile.open(path, length).close()
        if path.name.endswith(OPEN) or not self._index_path(name).exists():
            self._finish(name)

    def _resume_open(self, name: str, length: int) -> None:
        path = segment_path(self._folder, name)
        if not path.name.endswith(OPEN):
            path = path.rename(self._folder / (name + OPEN))
            sync_folder(self._folder)
        self._index_path(name).unlink(missing_ok=True)
        self._current, self._name = AppendFile.open(path, length), name


def _serial(name: str) -> int:
    found = _SEGMENT.fullmatch(name)
    if not found:
        raise FolderDamaged("is not the name of a segment", where=name)
    return int(found[1])


def _check_committed(path: Path, length: int) -> None:
    opened = path.with_name(path.name + OPEN)
    if path.exists() and opened.exists():
        raise FolderDamaged("is there closed and open at once", where=str(path))
    if not path.exists() and not opened.exists():
        raise FolderDamaged(f"missing, but {length} bytes of it were committed", where=str(path))
    if (size := segment_path(path.parent, path.name).stat().st_size) < length:
        raise FolderDamaged(f"has {size} bytes, but {length} were committed", where=str(path))
