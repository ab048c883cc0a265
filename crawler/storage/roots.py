"""What the seeds stand for, and whether that, or a setting, has widened the scope since refused URLs were judged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

from crawler.core.fingerprint import fingerprint
from crawler.core.seen import Seen

_MOST_ANSWERS = 4_096


class Roots:
    """The scope keys of the seeds, and the host names they name, as fingerprints.

    Args:
        connection: the database, in a thread that owns it.
        key: of the crawl's fingerprints.
        rules: the settings by which URLs are judged, as bytes that differ when they do.
    """

    def __init__(self, connection: sqlite3.Connection, key: bytes, rules: bytes) -> None:
        self._connection = connection
        self._key = key
        self._rules = rules
        self._marks = Seen()
        self._answers: dict[str, bool] = {}
        """To keys asked about lately: most outlinks stay on a few hosts, and a fingerprint costs a microsecond."""
        with closing(connection.execute("SELECT fingerprint FROM root")) as rows:
            self._marks.update(mark for (mark,) in rows)
        judged_by = connection.execute("SELECT value FROM setting WHERE name = 'rules'").fetchall()
        self.wider = judged_by != [(rules,)]
        """Whether URLs that were refused may belong to the crawl by now. A kill does not make it forget that."""

    def add(self, keys: Iterable[str]) -> bool:
        """Add what a seed stands for, within the transaction that is open; tell whether any of it is new."""
        new = [(mark,) for mark in (fingerprint(key, self._key) for key in keys) if self._marks.add(mark)]
        if new:
            self._answers.clear()
            self._connection.executemany("INSERT INTO root VALUES (?)", new)
            if not self.wider:
                self._connection.execute("DELETE FROM setting WHERE name = 'rules'")
                self.wider = True
        return bool(new)

    def settle(self) -> None:
        """Note that all refused URLs were judged by the roots and rules of now."""
        self._connection.execute("INSERT OR REPLACE INTO setting VALUES ('rules', ?)", (self._rules,))
        self.wider = False

    def __contains__(self, key: str) -> bool:
        known = self._answers.get(key)
        if known is None:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            known = self._answers[key] = fingerprint(key, self._key) in self._marks
        return known
