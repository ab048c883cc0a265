"""One crawl per output folder: an advisory lock, which the kernel frees when its holder dies, however it dies.

Where folders are shared between machines, a holder may be thought dead that is not, and a file system may then give
its lock away. So a lock can be *fenced*: each holder takes the next number, which is written in the lock's file and
never falls, and asks before each write whether the number is still its own.

Source of fencing: Gray and Cheriton, Leases, 1989; Burrows, The Chubby lock service, 2006 (its sequencers).
"""

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
        fenced: whether holders are numbered.

    Raises:
        FolderUnusable: the folder cannot be created or written.
        FolderBusy: another crawl holds it.
    """

    def __init__(self, folder: Path, *, reading: bool = False, fenced: bool = False) -> None:
        flags = os.O_RDONLY if reading else os.O_RDWR | os.O_CREAT
        self._reading = reading
        self._folder = folder
        self.number = 0
        """Which holder this is, from 1; 0 if the lock is not fenced."""
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
            holder, _ = self._read()
            os.close(self._file)
            if error.errno != errno.EWOULDBLOCK:
                raise _unusable(folder, "locked", error) from error
            who = f" (process {holder})" if holder.isdigit() else ""
            raise FolderBusy(f"another crawl{who} holds this folder", where=str(folder)) from error
        if fenced:
            self._take_number()
        self._sign(f"{os.getpid()}")

    def fence(self) -> None:
        """Make sure that nobody has come to hold the folder since.

        Raises:
            FolderBusy: somebody has; what is written now would be written beside him.
        """
        _, number = self._read()
        if number != self.number:
            raise FolderBusy(
                f"holder {number} has taken it over from holder {self.number}, which writes no more",
                where=str(self._folder),
            )

    def release(self) -> None:
        """Let others in; a second call does nothing."""
        if self._file >= 0:
            if self._is_ours():
                self._sign("")
            os.close(self._file)
            self._file = -1

    def _is_ours(self) -> bool:
        return not self.number or self._read()[1] == self.number

    def _read(self) -> tuple[str, int]:
        """Return who holds it, and as the how manieth."""
        holder, _, number = os.pread(self._file, 64, 0).decode("ascii", "replace").partition("\n")
        return holder.strip(), int(number) if number.strip().isdigit() else 0

    def _take_number(self) -> None:
        self.number = self._read()[1] + 1
        try:
            os.pwrite(self._file, f"{os.getpid():>20}\n{self.number:>20}\n".encode(), 0)
            os.fsync(self._file)
        except OSError as error:
            os.close(self._file)
            raise _unusable(self._folder, "locked", error) from error

    def _sign(self, holder: str) -> None:
        """Say who holds it, to whoever is refused."""
        if self._reading:
            return
        text = f"{holder:>20}\n{self.number:>20}\n" if self.number else f"{holder}\n" if holder else ""
        with suppress(OSError):  # a full disk, say; the lock holds without it
            if not self.number:
                os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode(), 0)


def _unusable(folder: Path, what: str, error: OSError) -> FolderUnusable:
    return FolderUnusable(f"cannot be {what} ({error.strerror})", where=str(folder))
