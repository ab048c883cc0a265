"""One crawl per output folder: an advisory lock, which the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from crawler.errors import FolderBusy, FolderUnusable

NAME = "crawl.lock"


class FolderLock:
    """Hold an output folder until :meth:`release`.

    Args:
        folder: created if need be.
        reading: whether the folder is only looked at: nothing is created or written,
            and others may look at it at the same time.

    Raises:
        FolderUnusable: the folder cannot be created or written.
        FolderBusy: another crawl holds it.
    """

    def __init__(self, folder: Path, *, reading: bool = False) -> None:
        flags = os.O_RDONLY if reading else os.O_RDWR | os.O_CREAT
        self._reading = reading
        try:
            if not reading:
                folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / NAME, flags | os.O_CLOEXEC, 0o644)
        except FileNotFoundError as error:
            if not reading:
                raise _unusable(folder, "written", error) from error
            self._file = -1  # no crawl has ever held it
            return
        except OSError as error:
            raise _unusable(folder, "read" if reading else "written", error) from error
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if reading else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            if error.errno != errno.EWOULDBLOCK:
                raise _unusable(folder, "locked", error) from error
            who = f" (process {holder})" if holder.isdigit() else ""
            raise FolderBusy(f"another crawl{who} holds this folder", where=str(folder)) from error
        self._sign(f"{os.getpid()}\n")

    def release(self) -> None:
        """Let others in; a second call does nothing."""
        if self._file >= 0:
            self._sign("")
            os.close(self._file)
            self._file = -1

    def _sign(self, text: str) -> None:
        """Say who holds it, to whoever is refused."""
        if not self._reading:
            with suppress(OSError):  # a full disk, say; the lock holds without it
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, text.encode(), 0)


def _unusable(folder: Path, what: str, error: OSError) -> FolderUnusable:
    return FolderUnusable(f"cannot be {what} ({error.strerror})", where=str(folder))
