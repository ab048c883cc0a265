"""The url table: a row for each known URL, with its state.

New and ended rows are gathered and written at the end of the transaction that is open, since a statement for many rows
costs half of as many statements. How many URLs there are, by state and outcome, is kept at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing

from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL
from crawler.core.schedule import Standing
from crawler.storage.renewal import Outdated


class UrlTable:
    """The table, in a thread that owns its database.

    Args:
        connection: to the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._new: list[tuple[object, ...]] = []
        self._ended: list[tuple[object, ...]] = []
        self._postponed: list[tuple[object, ...]] = []
        self.last: int
        """The newest row."""
        (self.last,) = connection.execute("SELECT ifnull(max(id), 0) FROM url").fetchone()
        self.totals: dict[tuple[State, str], int] = self.counts()
        """How many URLs are known, by state and outcome; of queued ones, the outcome is empty. Kept at any time, and
        fit to be read from another thread: a key that comes is put into a new dictionary."""

    def marks(self) -> Generator[int, None, None]:
        """Yield the fingerprints of all."""
        with closing(self._connection.execute("SELECT fingerprint FROM url")) as rows:  # or an error would hold it open
            yield from (mark for (mark,) in rows)

    # changes

    def add(  # noqa: PLR0913, PLR0917  the columns of a row; a record to carry them would cost the hot path
        self, mark: int, host: int, url: str, kind: str, depth: int, via: int, refusal: Outcome | None
    ) -> int:
        """Add a URL, queued or, for a reason, refused; return its row."""
        self.last += 1
        state = State.QUEUED if refusal is None else State.SKIPPED
        outcome = None if refusal is None else str(refusal)  # to SQLite, an enum costs more than all the rest
        self._new.append((self.last, mark, host, url, kind, depth, via, int(state), outcome))
        self._count(state, outcome or "", 1)
        return self.last

    def end(self, source: CrawlURL, outcome: Outcome, standing: Standing, *, page: int, round_: int) -> None:
        """Note how a URL ended, when it is due again, and the row of its page."""
        there = page if standing.there else 0
        self._ended.append(
            (
                int(outcome.state),
                str(outcome),
                source.attempts,
                standing.due,
                round_,
                there,
                standing.interval,
                standing.misses,
                source.id,
            )
        )
        self._count(State.QUEUED, "", -1)
        self._count(outcome.state, str(outcome), 1)

    def postpone(self, source: CrawlURL, outcome: Outcome) -> None:
        """Note that a URL is to be fetched again at ``source.due``, and why."""
        self._postponed.append((str(outcome), source.attempts, source.due, source.id))

    def renew(self, pages: Sequence[Outdated]) -> None:
        """Queue finished pages again; those that were fetched in this round are due in the next."""
        many = self._connection.executemany
        many("UPDATE url SET due = 0 WHERE id = ?", [(page.id,) for page in pages if page.in_this_round])
        again = [page for page in pages if not page.in_this_round]
        many(
            "UPDATE url SET state = 0, outcome = NULL, attempts = 0, due = 0 WHERE id = ?",
            [(page.id,) for page in again],
        )
        for page in again:
            self._count(State(page.state), page.outcome, -1)
            self._count(State.QUEUED, "", 1)

    def judged_anew(self, url: CrawlURL, via: int, host: int, refusal: Outcome | None, before: str) -> int:
        """Note what a refused URL is by now: refused for another reason, or queued, in a row after all others.

        Whoever has read the queued URLs up to some row goes on from there, and must not miss it.

        Args:
            url: as it was found this time; its row is the old one.
            via: the row of the page that led to it.
            host: its row, if it is queued.
            refusal: the new reason; None if nothing speaks against it any more.
            before: the old reason.

        Returns:
            Its row from now on.
        """
        state, row = (State.SKIPPED, url.id) if refusal else (State.QUEUED, self.last + 1)
        self.last = max(self.last, row)
        outcome = str(refusal) if refusal else None
        self._connection.execute(
            "UPDATE url SET id = ?, host = ?, kind = ?, depth = ?, via = ?, state = ?, outcome = ? WHERE id = ?",
            (row, host, str(url.kind), url.depth, via, int(state), outcome, url.id),
        )
        self._count(State.SKIPPED, before, -1)
        self._count(state, outcome or "", 1)
        return row

    def flush(self) -> None:
        """Write what is gathered, before the transaction ends."""
        self.flush_new()
        many = self._connection.executemany
        many(
            "UPDATE url SET state = ?, outcome = ?, attempts = ?, due = ?, round = ?, page = max(page, ?),"
            " interval = ?, misses = ? WHERE id = ?",
            self._ended,
        )
        many("UPDATE url SET outcome = ?, attempts = ?, due = ? WHERE id = ?", self._postponed)
        self._ended.clear()
        self._postponed.clear()

    def flush_new(self) -> None:
        """Write the new rows now, for who is about to read the table."""
        self._connection.executemany(
            "INSERT INTO url (id, fingerprint, host, url, kind, depth, via, state, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._new,
        )
        self._new.clear()

    def _count(self, state: State, outcome: str, change: int) -> None:
        key = (state, outcome)
        if key in self.totals:
            self.totals[key] += change
        else:
            self.totals = {**self.totals, key: change}

    # what there is

    def too_deep(self, mark: int) -> int:
        """Return the row of a URL that was refused for its depth alone; 0 if it was not."""
        self.flush_new()
        row = self._connection.execute(
            "SELECT id FROM url WHERE fingerprint = ? AND outcome = 'too_deep' AND host = 0", (mark,)
        ).fetchone()
        return row[0] if row else 0

    def counts(self) -> dict[tuple[State, str], int]:
        """Count all known URLs by state and outcome, from the table itself."""
        rows: Sequence[tuple[int, str | None, int]] = self._connection.execute(
            "SELECT state, CASE WHEN state = 0 THEN NULL ELSE outcome END, count(*) FROM url GROUP BY 1, 2"
        ).fetchall()
        return {(State(state), outcome or ""): count for state, outcome, count in rows}

    def recount(self) -> None:
        """Take note that URLs were queued again behind our back."""
        self.totals = self.counts()
