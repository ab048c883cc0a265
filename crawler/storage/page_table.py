"""The finished URLs, round by round: where the record of each stands, and which payloads the archive holds already."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator

import msgspec

from crawler.core import cdxj
from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Place
from crawler.core.tally import Finished, Tally
from crawler.storage.attempt import Attempt

_INSERT = "INSERT INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
Origin = tuple[str, float, Place | None]
"""The URL whose record holds a payload, when its fetch began, and where the record stands, once it does."""


def may_be_referred_to(fetched: Fetched) -> bool:
    """Whether a later record with the same payload may point to this one instead of holding it."""
    return fetched.status == 200 and not fetched.truncated and bool(fetched.body)


def prefix(digest: bytes) -> int:
    """Return the first eight bytes of a digest, by which it is looked up."""
    return int.from_bytes(digest[:8], "big", signed=True)


class PageTable:
    """Rows are gathered and written by :meth:`flush`, within the transaction that is open then."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[object, ...]] = []
        self.last: int = connection.execute("SELECT ifnull(max(id), 0) FROM page").fetchone()[0]
        """The newest row."""
        self._segments: dict[str, int] = {
            name: id_ for id_, name in connection.execute("SELECT id, name FROM file").fetchall()
        }

    def origins(self, digests: Collection[bytes]) -> dict[bytes, Origin]:
        """Return which of the payloads are in the archive, and where they come from."""
        if not digests:
            return {}
        rows = self._connection.execute(
            "SELECT p.digest, u.url, p.fetched_at, f.name, p.offset, p.length FROM json_each(?) wanted"
            " CROSS JOIN page p ON p.prefix = wanted.value JOIN url u ON u.id = p.url JOIN file f ON f.id = p.segment"
            " WHERE p.segment > 0 AND p.revisit = 0",
            (msgspec.json.encode([prefix(digest) for digest in digests]).decode(),),
        )
        return {digest: (url, at, Place(*place)) for digest, url, at, *place in rows}

    def add(self, attempt: Attempt, place: Place | None, round_: int) -> int:
        """Note a finished URL, and return its row."""
        fetched, parsed = attempt.fetched, attempt.parsed
        digest = parsed.digest if parsed else b""
        segment, offset, length, revisit = 0, 0, 0, False
        if place is not None:
            segment, offset, length, revisit = self._segment(place.segment), place.offset, place.length, place.revisit
        self.last += 1
        self._rows.append(
            (
                self.last,
                fetched.source.id,
                round_,
                str(attempt.outcome),
                None if attempt.change is None else str(attempt.change),
                fetched.began_at,
                fetched.status,
                parsed.mime if parsed else "",
                digest,
                prefix(digest) if may_be_referred_to(fetched) else 0,
                len(fetched.body),
                segment,
                offset,
                length,
                revisit,
                (parsed.etag or None) if parsed else None,
                (parsed.modified or None) if parsed else None,
                fetched.location or None,
            )
        )
        return self.last

    def recall(self, first: int, tally: Tally) -> None:
        """Count the pages from a row on, as they were counted when they were finished."""
        rows = self._connection.execute(
            "SELECT p.outcome, p.status, ifnull(h.key, ''), count(*), sum(p.size), min(u.url) FROM page p"
            " JOIN url u ON u.id = p.url LEFT JOIN host h ON h.id = u.host WHERE p.id >= ? GROUP BY 1, 2, 3",
            (first,),
        )
        for outcome, status, host, count, size, example in rows:
            tally.recall(_OUTCOMES[outcome], status, host, Finished(count, size, example))

    def flush(self) -> None:
        """Write what is gathered."""
        self._connection.executemany(_INSERT, self._rows)
        self._rows.clear()

    def index(self, segment: str) -> Iterator[str]:
        """Yield the CDXJ lines of a segment."""
        rows = self._connection.execute(
            "SELECT u.url, p.fetched_at, p.mime, p.status, p.digest, p.length, p.offset, p.revisit"
            " FROM page p JOIN url u ON u.id = p.url WHERE p.segment = (SELECT id FROM file WHERE name = ?)",
            (segment,),
        )
        for url, at, mime, status, digest, length, offset, revisit in rows:
            kind = "warc/revisit" if revisit else mime
            yield cdxj.line(
                url, at, mime=kind, status=status, digest=digest, length=length, offset=offset, filename=segment
            )

    def _segment(self, name: str) -> int:
        """Return the row of a segment, whose length is stored by whoever commits it."""
        if name not in self._segments:
            cursor = self._connection.execute("INSERT INTO file (name, length, closed) VALUES (?, 0, 0)", (name,))
            self._segments[name] = cursor.lastrowid or 0
        return self._segments[name]
