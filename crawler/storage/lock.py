"""One crawl per output folder: an advisory lock, which the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from crawler.errors import FolderBusy, FolderUnusable

NAME = "crawl.lock"


class FolderLock:
    """Hold an output folder, which is created if need be, until :meth:`release`.

    Raises:
        FolderUnusable: the folder cannot be created or written.
        FolderBusy: another crawl holds it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise FolderUnusable(f"cannot be written ({error.strerror})", where=str(folder)) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            if error.errno != errno.EWOULDBLOCK:
                raise FolderUnusable(f"cannot be locked ({error.strerror})", where=str(folder)) from error
            who = f" (process {holder})" if holder.isdigit() else ""
            raise FolderBusy(f"another crawl{who} is writing to this folder", where=str(folder)) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._file)
