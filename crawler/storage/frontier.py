"""The frontier: every URL known, its state, and how it came to be known. On SQLite, owned by the journal thread.

A URL is known once its fingerprint is in :class:`~crawler.core.seen.Seen`; scope and trap rules are asked once,
when it becomes known, so every URL that is not crawled has its reason in the table.
Changes go into the transaction that the journal has open; nothing here commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from crawler.config import UNLIMITED_DEPTH, Scope, Traps
from crawler.core.fingerprint import fingerprint
from crawler.core.host_queues import Want
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Kind
from crawler.core.scope import ScopeRule
from crawler.core.seen import Seen
from crawler.core.traps import trap
from crawler.core.url import host_key, host_name, virtual_shard

_MOST_CACHED_HOSTS = 100_000


@dataclass(frozen=True, slots=True)
class StoredHost:
    """A host as it was stored, with the first of its queued URLs."""

    key: str
    queued: int
    next_at: float
    asked: bool
    """Whether an earlier run may have sent it requests."""
    trusted: bool
    """Whether a seed names it."""
    robots: bytes | None
    robots_until: float
    urls: tuple[CrawlURL, ...]


@dataclass(slots=True, eq=False)
class _Host:
    id: int
    known: int
    queued: int = 0
    """Change since it was last written."""


@dataclass(frozen=True, slots=True)
class Sown:
    """What became of a batch of seeds."""

    queued: list[CrawlURL]
    known: int
    """Seeds that were known before: given twice, or crawled already."""
    refused: dict[Outcome, int] = field(default_factory=dict)
    """Seeds that the scope's patterns or the traps refuse, by reason."""


class Frontier:
    """All known URLs.

    Args:
        connection: the database, in a thread that owns it.
        scope: what belongs to the crawl.
        traps: when a site that has no end is no longer followed.
    """

    def __init__(self, connection: sqlite3.Connection, scope: Scope, traps: Traps) -> None:
        self._connection = connection
        self._scope = scope
        self._rule = ScopeRule(scope)
        self._traps = traps
        (self._key,) = connection.execute("SELECT value FROM setting WHERE name = 'key'").fetchone()
        self._seen = Seen()
        self._roots = Seen()
        self._hosts: dict[str, _Host] = {}
        self._changed: set[_Host] = set()
        self._rows: list[tuple[object, ...]] = []
        for (one,) in connection.execute("SELECT fingerprint FROM url"):
            self._seen.add(one)
        for (one,) in connection.execute("SELECT fingerprint FROM root"):
            self._roots.add(one)
        (self._last,) = connection.execute("SELECT ifnull(max(id), 0) FROM url").fetchone()
        (self._last_host,) = connection.execute("SELECT ifnull(max(id), 0) FROM host").fetchone()
        self._hosts_before = self._last_host

    # becoming known

    def sow(self, urls: Iterable[str]) -> Sown:
        """Make seeds known: normalised URLs, depth 0."""
        queued: list[CrawlURL] = []
        refused: dict[Outcome, int] = {}
        known = 0
        for url in urls:
            self._root(url)
            found = self._meet(url, Kind.SEED, None, 0)
            if found is None:
                known += 1
            elif isinstance(found, Outcome):
                refused[found] = refused.get(found, 0) + 1
            else:
                queued.append(found)
        self._write()
        return Sown(queued, known, refused)

    def discover(self, source: CrawlURL, outlinks: Iterable[tuple[Kind, str]]) -> Iterator[CrawlURL]:
        """Make the outlinks of a page known; yield those that are new and to be crawled."""
        for kind, url in outlinks:
            if kind is Kind.REDIRECT and not source.depth and self._rule.alias(source.url, url):
                self._add_roots(self._rule.roots(url))
            depth = source.depth if kind is Kind.REDIRECT else source.depth + 1
            found = self._meet(url, kind, source, depth)
            if isinstance(found, CrawlURL):
                yield found

    def _meet(self, url: str, kind: Kind, source: CrawlURL | None, depth: int) -> CrawlURL | Outcome | None:
        """Return the URL if it is new and belongs to the crawl, the reason if it is refused, None if it is known."""
        mark = fingerprint(url, self._key)
        if not self._seen.add(mark):
            return self._nearer(mark, url, kind, source, depth)
        self._last += 1
        refusal = self._rule.judge(url, depth, self._is_root) or trap(url, self._traps)
        host = 0
        if refusal is None:
            host, refusal = self._host_with_room(url)
        via = source.id if source else 0
        state = State.QUEUED if refusal is None else State.SKIPPED
        text = url[: self._scope.max_url_length]
        self._rows.append((self._last, mark, host, text, kind.value, depth, via, state, refusal))
        if refusal is not None:
            return refusal
        return _crawl_url(self._last, url, kind, source, depth)

    def _nearer(self, mark: int, url: str, kind: Kind, source: CrawlURL | None, depth: int) -> CrawlURL | None:
        """Take back a URL that was refused as too deep, now that it is found nearer to a seed."""
        if self._scope.max_depth == UNLIMITED_DEPTH or depth > self._scope.max_depth:
            return None
        self._write()
        row = self._connection.execute(
            "SELECT id FROM url WHERE fingerprint = ? AND outcome = 'too_deep'", (mark,)
        ).fetchone()
        if row is None or self._rule.judge(url, depth, self._is_root) is not None:
            return None
        host, refusal = self._host_with_room(url)
        if refusal is not None:
            return None
        self._connection.execute(
            "UPDATE url SET host = ?, kind = ?, depth = ?, via = ?, state = 0, outcome = NULL WHERE id = ?",
            (host, kind.value, depth, source.id if source else 0, row[0]),
        )
        return _crawl_url(row[0], url, kind, source, depth)

    def _root(self, seed: str) -> None:
        self._add_roots((*self._rule.roots(seed), _named(seed)))

    def _add_roots(self, keys: Iterable[str]) -> None:
        for key in keys:
            mark = fingerprint(key, self._key)
            if self._roots.add(mark):
                self._connection.execute("INSERT INTO root VALUES (?)", (mark,))

    def _is_root(self, key: str) -> bool:
        return fingerprint(key, self._key) in self._roots

    def _host_with_room(self, url: str) -> tuple[int, Outcome | None]:
        host = self._host(host_key(url))
        if self._traps.pages_per_host and host.known >= self._traps.pages_per_host:
            return 0, Outcome.TRAP_HOST_BUDGET
        host.known += 1
        host.queued += 1
        self._changed.add(host)
        return host.id, None

    def _host(self, key: str) -> _Host:
        host = self._hosts.get(key)
        if host is None:
            row = self._connection.execute("SELECT id, known FROM host WHERE key = ?", (key,)).fetchone()
            if row is None:
                self._last_host += 1
                row = (self._last_host, 0)
                shard = virtual_shard(host_name(key))
                self._connection.execute("INSERT INTO host (id, key, shard) VALUES (?, ?, ?)", (row[0], key, shard))
            host = self._hosts[key] = _Host(*row)
        return host

    # ending

    def finish(self, source: CrawlURL, outcome: Outcome) -> None:
        """Store how a URL ended."""
        self._write()
        host = self._host(source.host)
        host.queued -= 1
        self._changed.add(host)
        self._connection.execute(
            "UPDATE url SET state = ?, outcome = ?, attempts = ? WHERE id = ?",
            (outcome.state, outcome, source.attempts, source.id),
        )

    def postpone(self, source: CrawlURL, outcome: Outcome) -> None:
        """Store that a URL is to be fetched again at ``source.due``, and why."""
        self._write()
        self._connection.execute(
            "UPDATE url SET outcome = ?, attempts = ?, due = ? WHERE id = ?",
            (outcome, source.attempts, source.due, source.id),
        )

    def hold(self, host: str, until: float) -> None:
        """Store that a host is to be left alone until then."""
        self._connection.execute("UPDATE host SET next_at = max(next_at, ?) WHERE key = ?", (until, host))

    def keep_robots(self, host: str, body: bytes | None, status: int, until: float) -> None:
        """Store a host's robots.txt, or that it has none."""
        self._connection.execute(
            "UPDATE host SET robots = ?, robots_status = ?, robots_until = ? WHERE key = ?",
            (body, status, until, host),
        )

    def flush(self) -> None:
        """Write what is gathered, before the transaction ends."""
        self._write()
        changes = [(host.queued, host.known, host.id) for host in self._changed]
        self._connection.executemany("UPDATE host SET queued = queued + ?, known = ? WHERE id = ?", changes)
        for host in self._changed:
            host.queued = 0
        self._changed.clear()
        if len(self._hosts) > _MOST_CACHED_HOSTS:
            self._hosts.clear()

    def _write(self) -> None:
        if self._rows:
            self._connection.executemany(
                "INSERT INTO url (id, fingerprint, host, url, kind, depth, via, state, outcome)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._rows,
            )
            self._rows.clear()

    # coming back to memory

    def load(self, want: Want) -> tuple[CrawlURL, ...]:
        """Return the next queued URLs of a host, in the order of discovery."""
        rows = self._connection.execute(
            "SELECT u.id, u.url, u.kind, u.depth, u.via, v.url, u.attempts, u.due FROM url u"
            " LEFT JOIN url v ON v.id = u.via"
            " WHERE u.state = 0 AND u.host = (SELECT id FROM host WHERE key = ?) AND u.id > ?"
            " ORDER BY u.id LIMIT ?",
            (want.host, want.after, want.limit),
        ).fetchall()
        return tuple(
            CrawlURL(id_, url, want.host, depth, Kind(kind), via_url, self._chain(kind, via), attempts, due)
            for id_, url, kind, depth, via, via_url, attempts, due in rows
        )

    def open(self, want: Want) -> StoredHost:
        """Return a host as it was stored, with the first of its queued URLs."""
        id_, queued, next_at, robots, until = self._connection.execute(
            "SELECT id, queued, next_at, robots, robots_until FROM host WHERE key = ?", (want.host,)
        ).fetchone()
        trusted = self._is_root(_named(want.host))
        asked = id_ <= self._hosts_before
        return StoredHost(want.host, queued, next_at, asked, trusted, robots, until, self.load(want))

    def waiting_hosts(self, besides: Set[str], limit: int) -> list[str]:
        """Return hosts that have queued URLs and are not among ``besides``, those with most URLs first."""
        rows = self._connection.execute("SELECT key FROM host WHERE queued > 0 ORDER BY queued DESC")
        found: list[str] = []
        for (key,) in rows:
            if key not in besides:
                found.append(key)
                if len(found) == limit:
                    break
        return found

    def _chain(self, kind: str, via: int) -> tuple[str, ...]:
        """Return the URLs that redirected to one that ``via`` redirected to, oldest first."""
        chain: list[str] = []
        while kind == Kind.REDIRECT and via and len(chain) < 1_000:
            url, kind, via = self._connection.execute("SELECT url, kind, via FROM url WHERE id = ?", (via,)).fetchone()
            chain.append(url)
        return tuple(reversed(chain))

    # counting

    def counts(self) -> dict[tuple[State, str], int]:
        """Count all known URLs by state and outcome, from the table itself."""
        rows: Sequence[tuple[int, str | None, int]] = self._connection.execute(
            "SELECT state, CASE WHEN state = 0 THEN NULL ELSE outcome END, count(*) FROM url GROUP BY 1, 2"
        ).fetchall()
        return {(State(state), outcome or ""): count for state, outcome, count in rows}

    def __len__(self) -> int:
        return len(self._seen)


def _crawl_url(id_: int, url: str, kind: Kind, source: CrawlURL | None, depth: int) -> CrawlURL:
    if source is None:
        return CrawlURL(id_, url, host_key(url), depth, kind)
    chain = (*source.chain, source.url) if kind is Kind.REDIRECT else ()
    return CrawlURL(id_, url, host_key(url), depth, kind, source.url, chain)


def _named(url: str) -> str:
    return f"host {host_name(url)}"
