"""A file that only grows, and of which only a committed length counts.

Whoever writes here stores, in the transaction that makes a batch durable, how long the file was then.
On start everything past that length is cut off, whatever it is: a torn write, a batch that was never committed,
or the zeros that a power cut leaves behind.

A write or an fsync that fails ends the use of the object. What the file holds past its committed length is then
unknown, and after a failed fsync so is what the kernel still holds: the next call may succeed without having
written anything.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from crawler.errors import CrawlerError, FolderDamaged, FolderUnusable, StorageError
from crawler.storage.database import sync_folder

_AT_ONCE = min(os.sysconf("SC_IOV_MAX"), 1024)
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def refused(error: OSError, path: Path) -> CrawlerError:
    """Turn a refusal of the operating system into an error of ours: a write that failed, or a folder of no use."""
    if error.errno in _PASSING:
        return StorageError(f"cannot be written ({error.strerror})", where=str(path))
    return FolderUnusable(f"cannot be opened or written ({error.strerror})", where=str(path))


class AppendFile:
    """An open file of which the first ``length`` bytes count. Used from one thread only."""

    def __init__(self, path: Path, file: int, length: int) -> None:
        self.path = path
        self.length = length
        """Bytes that were written whole; where the next ones go."""
        self._file = file
        self._synced = True
        self._failure = ""

    @classmethod
    def open(cls, path: Path, length: int) -> AppendFile:
        """Open the file, or create it if its committed length is 0, and cut off what is past that length.

        Raises:
            FolderDamaged: the file is missing or shorter than its committed length.
            FolderUnusable: it cannot be opened or created.
            StorageError: the disk is full or failing.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            file = _created(path, flags) if length == 0 else -1
            if file < 0:
                file = os.open(path, flags)
        except FileNotFoundError as error:
            if length == 0:
                raise refused(error, path) from error
            raise FolderDamaged(f"missing, but {length} bytes of it were committed", where=str(path)) from error
        except OSError as error:
            raise refused(error, path) from error
        try:
            _cut(file, path, length)
        except OSError as error:
            os.close(file)
            raise refused(error, path) from error
        except FolderDamaged:
            os.close(file)
            raise
        return cls(path, file, length)

    def append(self, content: bytes) -> int:
        """Write the bytes to the end and return the offset where they begin.

        Raises:
            StorageError: not all could be written; the file takes no more.
        """
        return self.append_all((content,))[0]

    def append_all(self, parts: Iterable[bytes]) -> list[int]:
        """Write the parts to the end, in few system calls, and return the offset of each.

        Raises:
            StorageError: not all could be written; the file takes no more.
        """
        self._refuse_after_failure()
        parts = list(parts)
        ends = list(accumulate(map(len, parts), initial=self.length))
        if ends[-1] > self.length:
            self._synced = False
            try:
                self._write(parts)
            except OSError as error:
                raise self._failed("cannot be written", error) from error
            self.length = ends[-1]
        return ends[:-1]

    def sync(self) -> None:
        """Wait until everything appended is on the disk.

        Raises:
            StorageError: it is not known to be there, and never will be; the file takes no more.
        """
        self._refuse_after_failure()
        if self._synced:
            return
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed("cannot be made durable", error) from error
        self._synced = True

    def close(self) -> None:
        """Let go of the file; a second call does nothing. What was not synced is as durable as the kernel pleases."""
        self._failure = self._failure or "is closed"
        if self._file >= 0:
            file, self._file = self._file, -1
            with suppress(OSError):  # whoever needs to know has called sync
                os.close(file)

    def _write(self, parts: Iterable[bytes]) -> None:
        waiting = [memoryview(part) for part in parts if part]
        first = 0
        while first < len(waiting):
            written = os.writev(self._file, waiting[first : first + _AT_ONCE])
            if not written:
                raise OSError(errno.EIO, "nothing was written")
            while first < len(waiting) and written >= len(waiting[first]):
                written -= len(waiting[first])
                first += 1
            if written:
                waiting[first] = waiting[first][written:]

    def _refuse_after_failure(self) -> None:
        if self._failure:
            raise StorageError(self._failure, where=str(self.path))

    def _failed(self, what: str, error: OSError) -> StorageError:
        self._failure = f"{what} ({error.strerror})"
        return StorageError(self._failure, where=str(self.path))


def _created(path: Path, flags: int) -> int:
    """Create the file and make its name durable; -1 if it is there already."""
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return -1
    try:
        sync_folder(path.parent)
    except OSError:
        os.close(file)
        raise
    return file


def _cut(file: int, path: Path, length: int) -> None:
    size = os.fstat(file).st_size
    if size < length:
        raise FolderDamaged(f"has {size} bytes, but {length} were committed", where=str(path))
    if size > length:
        os.ftruncate(file, length)
