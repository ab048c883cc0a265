"""Virtual shards change hands: every URL is put into the folder of the shard that owns it. Nobody crawls meanwhile.

What moves is the frontier: URLs, finished ones too, so that they are not fetched again, hosts with their clocks and
robots.txt, and what the seeds stand for. Archive and page log stay as they were written: a finished URL stays known in
the folder of its pages, as *moved*, and there its records count.

A URL is put into its new folder first, and then taken out of the old one. After a kill between the two it is in both,
and the next time it is found there. What belongs where is asked of each URL anew, and not of what was done before,
so it does not matter how far an earlier move came, nor among how many shards it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from crawler.core.outcomes import Outcome
from crawler.core.shards import Assignment, Territory
from crawler.storage import exchange
from crawler.storage.database import Database, open_database
from crawler.storage.lock import FolderLock
from crawler.storage.rounds import Rounds
from crawler.storage.shared_folder import shard_folder, shard_folders
from crawler.storage.waiting import Waiting

_AT_ONCE = 1_000
_MOVED = str(Outcome.MOVED)
_URLS = (
    "SELECT id, fingerprint, host, url, kind, depth, via, state, outcome, attempts, due, round, page, interval, misses"
    " FROM url WHERE outcome IS NOT 'moved' ORDER BY id"
)


def move(folder: Path, assignment: Assignment, key: bytes) -> None:
    """Put every URL into the folder of the shard that owns it.

    Args:
        folder: of the whole crawl, held by the caller.
        assignment: who owns what.
        key: of the fingerprints.

    Raises:
        FolderBusy: a shard is still at work.
        FolderDamaged, FolderUnusable, StorageError: a folder cannot be read or written; the move can be made again.
    """
    shards = max(assignment) + 1
    for source in shard_folders(folder):
        number = int(source.name.removeprefix("shard-"))
        with ExitStack() as opened:
            leaving = _Side(opened, source, key)
            sides = _Sides(opened, folder, key, leaving)
            for owner, rows in leaving.strangers(Territory(assignment, number)):
                sides[owner].take(leaving, rows)
                leaving.let_go(rows)
            if number >= shards and leaving.has_post():
                leaving.hand_over_post(sides[0])


class _Sides(dict[int, "_Side"]):
    """The folders that URLs of one go to, each opened when it is first asked for."""

    def __init__(self, opened: ExitStack, folder: Path, key: bytes, leaving: _Side) -> None:
        super().__init__()
        self._opened = opened
        self._folder = folder
        self._key = key
        self._leaving = leaving

    def __missing__(self, owner: int) -> _Side:
        side = self[owner] = _Side(self._opened, shard_folder(self._folder, owner), self._key)
        side.follow(self._leaving)
        return side


class _Side:
    """The database of one folder, open for a move."""

    def __init__(self, opened: ExitStack, folder: Path, key: bytes) -> None:
        lock = FolderLock(folder, fenced=True)
        opened.callback(lock.release)
        self.database: Database = opened.enter_context(closing(open_database(folder, "full")))
        self.read = self.database.connection.execute
        with self.database.refusing():
            exchange.prepare(self.database, key)
        self.waiting = Waiting(self.database.connection)

    # where URLs are

    def strangers(self, territory: Territory) -> Iterator[tuple[int, list[Any]]]:
        """Yield URLs that belong to others, in parts, each with its owner."""
        by_owner: dict[int, list[Any]] = {}
        with self.database.refusing():
            rows = self.read(_URLS).fetchall()
        for row in rows:
            if territory.elsewhere(row[3]) is not None:
                by_owner.setdefault(territory.owner(row[3]), []).append(row)
        for owner, theirs in by_owner.items():
            rest = iter(theirs)
            while some := list(islice(rest, _AT_ONCE)):
                yield owner, some

    def let_go(self, rows: Iterable[Any]) -> None:
        """Forget URLs that others know by now; those that have pages here stay known as moved."""
        with self.database.transaction() as connection:
            for id_, *_ in rows:
                has_page = self.read("SELECT EXISTS (SELECT 1 FROM page WHERE url = ?)", (id_,)).fetchone()[0]
                if has_page:
                    connection.execute("UPDATE url SET state = 3, outcome = ?, host = 0 WHERE id = ?", (_MOVED, id_))
                else:
                    connection.execute("DELETE FROM url WHERE id = ?", (id_,))
            _recount(connection)

    # where they go

    def follow(self, other: _Side) -> None:
        """Take over what the seeds stand for, and be in the same round."""
        with self.database.transaction() as connection:
            known = {mark for (mark,) in self.read("SELECT fingerprint FROM root")}
            roots = {mark for (mark,) in other.read("SELECT fingerprint FROM root")}
            connection.executemany("INSERT INTO root VALUES (?)", [(mark,) for mark in roots - known])
            rules = "SELECT value FROM setting WHERE name = 'rules'"
            if roots - known or self.read(rules).fetchall() != other.read(rules).fetchall():
                connection.execute("DELETE FROM setting WHERE name = 'rules'")  # so all refused URLs are asked about
            if Rounds(connection).now.number < (round_ := Rounds(other.database.connection).now).number:
                (page,) = self.read("SELECT ifnull(max(id), 0) FROM page").fetchone()
                stored = {"round": round_.number, "round_began": round_.began_at, "round_since": round_.since}
                connection.executemany(
                    "INSERT OR REPLACE INTO setting VALUES (?, ?)", [*stored.items(), ("round_page", page + 1)]
                )

    def take(self, other: _Side, rows: Iterable[Any]) -> None:
        """Make URLs known as they are known there."""
        with self.database.transaction() as connection:
            (last,) = self.read("SELECT ifnull(max(id), 0) FROM url").fetchone()
            known = self._known([row[1] for row in rows])
            pages = _Pages(self, other)
            for row in rows:
                _, mark, host, url, kind, depth, via, *rest, page, interval, misses = row
                was = known.get(mark)
                here = self._host(other, host) if host else 0
                page = -1 if page or (host and rest[0]) else 0  # its pages, if any, are not here
                if was is None:
                    last += 1
                    values = (last, mark, here, url, kind, depth, pages.of(via), *rest, page, interval, misses)
                    connection.execute(f"INSERT INTO url VALUES ({', '.join('?' * 15)})", values)  # noqa: S608  marks
                elif was[1] == _MOVED:
                    # back where its pages are; they are its last ones, unless it was fetched elsewhere meanwhile
                    connection.execute(
                        "UPDATE url SET host = ?, state = ?, outcome = ?, attempts = ?, due = ?, round = ?, page = -1,"
                        " interval = ?, misses = ? WHERE id = ?",
                        (here, *rest, interval, misses, was[0]),
                    )
            _recount(connection)

    def _known(self, marks: list[int]) -> dict[int, tuple[int, str | None]]:
        rows = self.read(
            "SELECT fingerprint, id, outcome FROM url WHERE fingerprint IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(marks).decode(),),
        )
        return {mark: (id_, outcome) for mark, id_, outcome in rows}

    def _host(self, other: _Side, row: int) -> int:
        """Return the row of a host here, with its clock and its robots.txt as they are there."""
        key, shard, known, next_at, *robots = other.read(
            "SELECT key, shard, known, next_at, robots, robots_status, robots_until FROM host WHERE id = ?", (row,)
        ).fetchone()
        self.read(
            "INSERT INTO host (key, shard, known, next_at, robots, robots_status, robots_until)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET known = max(known, excluded.known),"
            " next_at = max(next_at, excluded.next_at), robots = excluded.robots,"
            " robots_status = excluded.robots_status, robots_until = excluded.robots_until",
            (key, shard, known, next_at, *robots),
        )
        (here,) = self.read("SELECT id FROM host WHERE key = ?", (key,)).fetchone()
        return int(here)

    def has_post(self) -> bool:
        """Tell whether something waits in the outbox."""
        return bool(self.read("SELECT EXISTS (SELECT 1 FROM outbox)").fetchone()[0])

    def hand_over_post(self, other: _Side) -> None:
        """Give what waits in the outbox to a shard that goes on; if a kill doubles it, its URLs are known."""
        waiting = self.read("SELECT owner, shard, via, chain, links, urls FROM outbox ORDER BY number").fetchall()
        with other.database.transaction() as connection:
            connection.executemany(
                "INSERT INTO outbox (owner, shard, via, chain, links, urls) VALUES (?, ?, ?, ?, ?, ?)", waiting
            )
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM outbox")


class _Pages:
    """The pages that led to URLs, on their way to another folder."""

    def __init__(self, here: _Side, there: _Side) -> None:
        self._here = here
        self._there = there
        self._rows = {0: 0}
        (self._last,) = here.read("SELECT ifnull(min(id), 0) FROM elsewhere").fetchone()

    def of(self, via: int) -> int:
        """Return the row here for the page of a row there."""
        if via not in self._rows:
            url, chain = self._there.waiting.origin(via)
            self._last -= 1
            insert = "INSERT INTO elsewhere VALUES (?, ?, ?)"
            self._here.read(insert, (self._last, url, msgspec.json.encode(chain).decode()))
            self._rows[via] = self._last
        return self._rows[via]


def _recount(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE host SET queued = (SELECT count(*) FROM url WHERE host = host.id AND state = 0)")
