"""URLs on their way back from disk: queued ones to be fetched, and refused ones to be asked about again."""

from __future__ import annotations

import sqlite3
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from crawler.core.host_queues import Want
from crawler.core.records import CrawlURL, Kind
from crawler.core.url import host_key

_LONGEST_CHAIN = 1_000
_URL = "SELECT u.id, u.url, u.kind, u.depth, u.via, v.url, u.attempts, u.due"
_FROM = "FROM url u LEFT JOIN url v ON v.id = u.via"


@dataclass(frozen=True, slots=True)
class Refused:
    """A URL that was refused when it became known."""

    url: CrawlURL
    via: int
    mark: int
    """Its fingerprint."""
    outcome: str


class Waiting:
    """Reads the url table; changes nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def load(self, want: Want) -> tuple[CrawlURL, ...]:
        """Return the next queued URLs of a host, in the order of discovery."""
        rows = self._connection.execute(
            f"{_URL} {_FROM} WHERE u.state = 0"  # noqa: S608  only constants are put into it
            " AND u.host = (SELECT id FROM host WHERE key = ?) AND u.id > ? ORDER BY u.id LIMIT ?",
            (want.host, want.after, want.limit),
        ).fetchall()
        return tuple(self._crawl_url(*row) for row in rows)

    def refused(self, after: int, limit: int) -> list[Refused]:
        """Return the next URLs that were refused when they became known, except those cut for their length."""
        rows = self._connection.execute(
            f"{_URL}, u.fingerprint, u.outcome {_FROM}"
            " WHERE u.state = 3 AND u.host = 0 AND u.outcome != 'url_too_long' AND u.id > ? ORDER BY u.id LIMIT ?",
            (after, limit),
        ).fetchall()
        return [Refused(self._crawl_url(*row[:-2]), row[4], row[-2], row[-1]) for row in rows]

    def hosts(self, besides: AbstractSet[str], limit: int) -> list[str]:
        """Return hosts that have queued URLs and are not among ``besides``, those with most URLs first."""
        rows = self._connection.execute("SELECT key FROM host WHERE queued > 0 ORDER BY queued DESC")
        return list(islice((key for (key,) in rows if key not in besides), limit))

    def _crawl_url(  # noqa: PLR0913, PLR0917  the columns of a row
        self, id_: int, url: str, kind: str, depth: int, via: int, via_url: str | None, attempts: int, due: float
    ) -> CrawlURL:
        chain = self._chain(kind, via)
        return CrawlURL(id_, url, host_key(url), depth, Kind(kind), via_url, chain, attempts, due)

    def _chain(self, kind: str, via: int) -> tuple[str, ...]:
        """Return the URLs that redirected to one that ``via`` redirected to, oldest first."""
        chain: list[str] = []
        while kind == Kind.REDIRECT and via and len(chain) < _LONGEST_CHAIN:
            url, kind, via = self._connection.execute("SELECT url, kind, via FROM url WHERE id = ?", (via,)).fetchone()
            chain.append(url)
        return tuple(reversed(chain))
