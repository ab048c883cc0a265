"""The rounds of a folder: how many times it has been crawled.

A round lasts until no URL is queued, however many runs that takes, and only then the next one can begin:
so a round that was killed, or stopped at a limit, is gone on with, and a URL is finished once a round.
A new round queues finished URLs again. Their rows stay, and so do the rows of their pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from msgspec import Struct

from crawler.core.schedule import NEVER


class Round(Struct, frozen=True):
    """One crawl of the folder."""

    number: int = 1
    began_at: float = 0.0
    since: float | None = None
    """When the round before began; None in the first."""
    first_page: int = 1
    """The row from which on pages belong to it."""


class Rounds:
    """The round that goes on, in the setting table.

    Args:
        connection: the database, in a thread that owns it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        stored = dict(connection.execute("SELECT name, value FROM setting WHERE name LIKE 'round%'").fetchall())
        self.now = Round(
            int(stored.get("round", 1)),
            float(stored.get("round_began", 0.0)),
            stored.get("round_since"),
            int(stored.get("round_page", 1)),
        )

    def begin(self, at: float, *, all_pages: bool, last_page: int, number: int = 0) -> int | None:
        """Begin a round, within the transaction that is open, if the last one has ended; return how many are queued.

        Args:
            at: Unix seconds.
            all_pages: whether all URLs are due, except those that are gone for good.
            last_page: the newest row of the page table.
            number: of the round, where it is that of others too, and is begun only once; 0 is the next one.

        Returns:
            None if the round that is there has not ended, or nothing was crawled yet.
        """
        execute = self._connection.execute
        (queued, finished) = execute(
            "SELECT EXISTS (SELECT 1 FROM url WHERE state = 0), EXISTS (SELECT 1 FROM page)"
        ).fetchone()
        before = self.now
        if queued or not finished or (number and before.number >= number):
            return None
        began = before.began_at or execute("SELECT min(fetched_at) FROM page").fetchone()[0]
        self.now = Round(number or before.number + 1, at, began, last_page + 1)
        self._store()
        last = NEVER if all_pages else at
        return self.queue("due <= ? AND due < ?", (last, NEVER))

    def queue(self, condition: str, values: tuple[object, ...]) -> int:
        """Queue the finished URLs that meet a condition, as if they had just been found; return how many."""
        execute = self._connection.execute
        changed = execute(
            f"UPDATE url SET state = 0, outcome = NULL, attempts = 0, due = 0"  # noqa: S608  only constants
            f" WHERE state > 0 AND host > 0 AND round < {self.now.number} AND {condition}",
            values,
        ).rowcount
        if changed:
            execute("UPDATE host SET queued = (SELECT count(*) FROM url WHERE host = host.id AND state = 0)")
        return changed

    def counts(self) -> Mapping[str, int]:
        """Count what became of the pages of this round."""
        rows = self._connection.execute(
            "SELECT change, count(*) FROM page WHERE id >= ? AND change IS NOT NULL GROUP BY change",
            (self.now.first_page,),
        )
        return dict(rows.fetchall())

    def _store(self) -> None:
        now = self.now
        stored = {"round": now.number, "round_began": now.began_at, "round_since": now.since}
        self._connection.executemany(
            "INSERT OR REPLACE INTO setting VALUES (?, ?)", [*stored.items(), ("round_page", now.first_page)]
        )
