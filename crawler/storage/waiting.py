"""URLs on their way back from disk: queued ones to be fetched, and refused ones to be asked about again."""

from __future__ import annotations

import sqlite3
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.core.changes import Earlier
from crawler.core.records import CrawlURL, Kind
from crawler.core.url import host_key
from crawler.core.window import Want
from crawler.storage.page_table import prefix

_LONGEST_CHAIN = 1_000
_CHAINED = ("redirect", "sitemap")
_HAS_PAYLOAD = frozenset({200, 304})
"""Statuses of pages that are asked for on condition; a 304 refers to the payload before it."""
_URL = "SELECT u.id, u.url, u.kind, u.depth, u.via, v.url, u.attempts, u.due"
_FROM = "FROM url u LEFT JOIN url v ON v.id = u.via"
_EARLIER = (
    "SELECT p.status, p.fetched_at, p.digest, p.etag, p.modified, p.location, p.revisit, f.name, p.offset, p.length"
    " FROM page p LEFT JOIN file f ON f.id = p.segment WHERE p.id = ?"
)
_ELSEWHERE = "SELECT url, chain FROM elsewhere WHERE id = ?"
"""Pages of other shards are known by negative numbers."""
_PAYLOAD = (
    "SELECT f.name, p.offset, p.length FROM page p JOIN file f ON f.id = p.segment"
    " WHERE p.prefix = ? AND p.segment > 0 AND p.revisit = 0 AND p.digest = ?"
)


class Refused(Struct, frozen=True):
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
            f"{_URL}, u.round, u.page, u.interval, u.misses {_FROM} WHERE u.state = 0"  # noqa: S608  only constants are put into it
            " AND u.host = (SELECT id FROM host WHERE key = ?) AND u.id > ? ORDER BY u.id LIMIT ?",
            (want.host, want.after, want.limit),
        ).fetchall()
        return tuple(self._known(row[:-4], *row[-4:]) for row in rows)

    def refused(self, after: int, limit: int) -> list[Refused]:
        """Return the next URLs that were refused when they became known, except those cut for their length or moved."""
        rows = self._connection.execute(
            f"{_URL}, u.fingerprint, u.outcome {_FROM}"
            " WHERE u.state = 3 AND u.host = 0 AND u.outcome NOT IN ('url_too_long', 'moved') AND u.id > ?"
            " ORDER BY u.id LIMIT ?",
            (after, limit),
        ).fetchall()
        return [Refused(self._crawl_url(*row[:-2]), row[4], row[-2], row[-1]) for row in rows]

    def hosts(self, besides: AbstractSet[str], limit: int) -> list[str]:
        """Return hosts that have queued URLs and are not among ``besides``, those with most URLs first."""
        rows = self._connection.execute("SELECT key FROM host WHERE queued > 0 ORDER BY queued DESC")
        return list(islice((key for (key,) in rows if key not in besides), limit))

    def _known(self, row: tuple[Any, ...], round_: int, page: int, interval: float, misses: int) -> CrawlURL:
        url = self._crawl_url(*row)
        if not round_:
            return url
        earlier = Earlier(interval, misses)
        return replace(url, earlier=self._page(page, earlier) if page > 0 else earlier)

    def _page(self, page: int, earlier: Earlier) -> Earlier:
        """Add how its page was, and where the archive holds the payload: there, or in the record it refers to."""
        status, at, digest, etag, modified, location, revisit, *payload = self._connection.execute(
            _EARLIER, (page,)
        ).fetchone()
        if status not in _HAS_PAYLOAD:
            payload = [None]
        elif revisit:
            payload = self._connection.execute(_PAYLOAD, (prefix(digest), digest)).fetchone() or [None]
        return replace(
            earlier,
            status=status,
            fetched_at=at,
            digest=digest,
            etag=etag or "",
            modified=modified or "",
            location=location or "",
            payload=tuple(payload) if payload[0] is not None else None,
        )

    def _crawl_url(  # noqa: PLR0913, PLR0917  the columns of a row
        self, id_: int, url: str, kind: str, depth: int, via: int, via_url: str | None, attempts: int, due: float
    ) -> CrawlURL:
        chain = self._chain(kind, via)
        if via < 0:
            via_url, _ = self.origin(via)
        return CrawlURL(id_, url, host_key(url), depth, Kind(kind), via_url, chain, attempts, due)

    def origin(self, row: int) -> tuple[str, tuple[str, ...]]:
        """Return a page that led to others, here or in another shard, and the chain that led to it."""
        if row < 0:
            url, chain = self._connection.execute(_ELSEWHERE, (row,)).fetchone()
            return url, msgspec.json.decode(chain, type=tuple[str, ...])
        url, kind, via = self._connection.execute("SELECT url, kind, via FROM url WHERE id = ?", (row,)).fetchone()
        return url, self._chain(kind, via)

    def _chain(self, kind: str, via: int) -> tuple[str, ...]:
        """Return the URLs that led to one by redirects, or by indexes of sitemaps, oldest first."""
        chain: list[str] = []
        while kind in _CHAINED and via and len(chain) < _LONGEST_CHAIN:
            if via < 0:
                url, before = self.origin(via)
                chain += [url, *reversed(before)]
                break
            url, kind, via = self._connection.execute("SELECT url, kind, via FROM url WHERE id = ?", (via,)).fetchone()
            chain.append(url)
        return tuple(reversed(chain))
