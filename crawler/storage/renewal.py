"""Finished pages, found by fingerprint: those that a sitemap calls changed since they were fetched.

The url table has no index by fingerprint, which nothing else would use and every new URL would pay for.
So the first dated sitemap of a run makes one in a temporary table, by one pass over the pages that earlier rounds left;
each sitemap after that costs a look-up for each page it lists.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct


class Outdated(Struct, frozen=True):
    """A page that is said to have changed since."""

    id: int
    """The row of its URL."""
    host: str
    state: int
    outcome: str
    in_this_round: bool
    """Whether it was fetched in the round that goes on, and so is not fetched again in it."""


class Outdating:
    """Says which pages are outdated.

    Args:
        connection: the database, in a thread that owns it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._indexed = False

    def find(self, marks: Iterable[tuple[int, float]], round_: int) -> list[Outdated]:
        """Return the pages that were fetched before they last changed.

        Args:
            marks: the fingerprint of each page's URL, and when it last changed, Unix seconds.
            round_: the round that goes on.
        """
        self._index()
        execute = self._connection.execute
        execute("DELETE FROM wanted")
        self._connection.executemany("INSERT OR REPLACE INTO wanted VALUES (?, ?)", marks)
        # CROSS JOIN keeps the order of the tables: each after the first is looked up by row.
        rows = execute(
            "SELECT url.id, host.key, url.state, url.outcome, url.round >= ? FROM wanted"
            " CROSS JOIN finished ON finished.mark = wanted.mark"
            " CROSS JOIN url ON url.id = finished.id AND url.state > 0 AND url.host > 0 AND url.due > 0"
            " CROSS JOIN page ON page.id = url.page AND page.fetched_at < wanted.at"
            " CROSS JOIN host ON host.id = url.host",
            (round_,),
        )
        return [Outdated(id_, host, state, outcome, bool(now)) for id_, host, state, outcome, now in rows]

    def _index(self) -> None:
        if self._indexed:
            return
        execute = self._connection.execute
        execute("CREATE TEMP TABLE wanted (mark INTEGER PRIMARY KEY, at REAL NOT NULL)")
        execute("CREATE TEMP TABLE finished (mark INTEGER PRIMARY KEY, id INTEGER NOT NULL)")
        execute("INSERT OR IGNORE INTO finished SELECT fingerprint, id FROM url WHERE page > 0 ORDER BY fingerprint")
        self._indexed = True
