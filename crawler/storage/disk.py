"""How much of the disk an output folder takes, kept up to date without looking at every file again."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from crawler.storage.database import NAME, WAL


class Disk:
    """The size of a folder: measured once, and counted from then on.

    Of the database counts what it will take once its write-ahead log, of 4 MiB at most, has been moved into it.

    Args:
        folder: the output folder; what earlier runs left in it counts.
        connection: its database.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._connection = connection
        state = {folder / NAME, folder / WAL, folder / f"{NAME}-shm"}
        self._rest = sum(_size(path) for path in _files(folder) if path not in state)
        self.used = 0
        """Bytes; fit to be read from another thread."""
        self.grow(0)

    def grow(self, written: int) -> None:
        """Take note of bytes that were added to files; the database, which writes in its own way, is looked at."""
        self._rest += written
        ((pages,),) = self._connection.execute("PRAGMA page_count").fetchall()
        ((size,),) = self._connection.execute("PRAGMA page_size").fetchall()
        self.used = self._rest + pages * size


def _files(folder: Path) -> list[Path]:
    return [Path(root, name) for root, _, names in os.walk(folder) for name in names]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # it is not there, or not any more
        return 0
