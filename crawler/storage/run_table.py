"""The runs of a folder: when each began and ended, and what it told of itself.

A run's row is written with its first transaction, so one that a kill ended has a row without an end.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

KEPT = 400
"""Runs whose rows are kept: a night each, for more than a year."""


class RunRow(Struct, frozen=True):
    """One run."""

    began_at: float
    """Unix seconds."""
    told: bytes | None
    """What it told of itself at its end; None if it was cut short."""


class RunTable:
    """The row of the run that goes on, and those of the runs before it.

    Args:
        connection: of the database.
        began_at: when this run began, Unix seconds.
    """

    def __init__(self, connection: sqlite3.Connection, began_at: float) -> None:
        self._connection = connection
        self._began_at = began_at
        self._id: int | None = None

    def flush(self) -> None:
        """Make sure that this run has its row, within the transaction that is open then."""
        if self._id is None:
            cursor = self._connection.execute("INSERT INTO run (began_at) VALUES (?)", (self._began_at,))
            self._id = cursor.lastrowid

    def end(self, at: float, told: bytes) -> None:
        """Keep what this run tells of itself, and let go of the oldest; within a transaction."""
        self.flush()
        self._connection.execute("UPDATE run SET ended_at = ?, told = ? WHERE id = ?", (at, told, self._id))
        self._connection.execute("DELETE FROM run WHERE id <= ?", ((self._id or 0) - KEPT,))

    def earlier(self, most: int) -> list[RunRow]:
        """Return the last runs before this one, oldest first."""
        rows = self._connection.execute(
            "SELECT began_at, told FROM run WHERE id < ? ORDER BY id DESC LIMIT ?",
            (self._id if self._id is not None else 1 << 62, most),
        )
        return [RunRow(*row) for row in rows][::-1]
