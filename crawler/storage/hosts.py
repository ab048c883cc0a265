"""The hosts of a frontier: how many of their URLs were ever queued, how many are now, and what is known of each."""

from __future__ import annotations

from msgspec import Struct

from crawler.core.url import host_name, virtual_shard
from crawler.storage.database import Database

_MOST_CACHED = 100_000


class _Host(Struct, eq=False):
    id: int
    known: int
    queued: int = 0
    """Change since it was last written."""


class Hosts:
    """The host table. Counts are gathered and written by :meth:`flush`, within the transaction that is open then.

    Args:
        database: in a thread that owns it.
        budget: URLs queued per host, at most; 0 is no limit.
    """

    def __init__(self, database: Database, budget: int) -> None:
        self._connection = database.connection
        self._budget = budget
        self._cached: dict[str, _Host] = {}
        self._changed: set[_Host] = set()
        (self._last,) = self._connection.execute("SELECT ifnull(max(id), 0) FROM host").fetchone()
        self._earlier: int = self._last

    def take(self, key: str) -> int:
        """Count one more URL as queued, and return the host's row; 0 if its budget is used up."""
        host = self._host(key)
        if self._budget and host.known >= self._budget:
            return 0
        host.known += 1
        host.queued += 1
        self._changed.add(host)
        return host.id

    def take_again(self, key: str) -> None:
        """Count one URL more as queued, which was counted when it first was."""
        host = self._host(key)
        host.queued += 1
        self._changed.add(host)

    def release(self, key: str) -> None:
        """Count one URL less as queued: it has ended."""
        host = self._host(key)
        host.queued -= 1
        self._changed.add(host)

    def hold(self, key: str, until: float) -> None:
        """Store that a host is to be left alone until then."""
        self._connection.execute("UPDATE host SET next_at = max(next_at, ?) WHERE key = ?", (until, key))

    def keep_robots(self, key: str, body: bytes | None, status: int, until: float) -> None:
        """Store a host's robots.txt, or that it has none."""
        self._connection.execute(
            "UPDATE host SET robots = ?, robots_status = ?, robots_until = ? WHERE key = ?",
            (body, status, until, key),
        )

    def is_old(self, row: int) -> bool:
        """Tell whether an earlier run made the row."""
        return row <= self._earlier

    def flush(self) -> None:
        """Write the counts."""
        changes = [(host.queued, host.known, host.id) for host in self._changed]
        self._connection.executemany("UPDATE host SET queued = queued + ?, known = ? WHERE id = ?", changes)
        for host in self._changed:
            host.queued = 0
        self._changed.clear()
        if len(self._cached) > _MOST_CACHED:
            self._cached.clear()

    def _host(self, key: str) -> _Host:
        host = self._cached.get(key)
        if host is None:
            row = self._connection.execute("SELECT id, known FROM host WHERE key = ?", (key,)).fetchone()
            if row is None:
                self._last += 1
                row = (self._last, 0)
                shard = virtual_shard(host_name(key))
                self._connection.execute("INSERT INTO host (id, key, shard) VALUES (?, ?, ?)", (row[0], key, shard))
            host = self._cached[key] = _Host(*row)
        return host
