"""What a shard has for others and has had from them: the outbox, the inbox, and the pages of others that led here.

The outbox is written in the transaction of the page whose outlinks are in it, and a parcel leaves it when the shard
that it is for has committed its URLs. So a URL is in a frontier or in an outbox at every instant, whoever is killed.
The inbox holds the number of the last parcel that came from each shard, written with the URLs that were in it:
a parcel that comes again is known.

The counts by which the end is found are those of a run. When a run begins, what lies in the outbox counts as sent in
it, since all of it is still to be received.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from crawler.config import UNLIMITED_DEPTH
from crawler.core.exchange import Link, Parcel
from crawler.core.fingerprint import fingerprint
from crawler.core.records import CrawlURL, Kind
from crawler.core.seen import Seen
from crawler.core.shards import Shard, Territory
from crawler.core.url import host_key
from crawler.errors import FolderDamaged
from crawler.storage.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,             -- the shard that it is for, in this run
    shard INTEGER NOT NULL,             -- the virtual shard that it is for
    via TEXT NOT NULL,
    chain TEXT NOT NULL,                -- JSON, as links
    links TEXT NOT NULL,
    urls INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS outgoing ON outbox (owner, number);
CREATE TABLE IF NOT EXISTS inbox (
    sender INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,              -- the number of the last parcel
    parcels INTEGER NOT NULL            -- that were received in this run
);
CREATE TABLE IF NOT EXISTS elsewhere (  -- pages of other shards; their rows are known by negative numbers
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    chain TEXT NOT NULL
);
"""
_MOST_AT_ONCE = 500
"""Parcels looked at to make up a batch."""
_chain = msgspec.json.Decoder(tuple[str, ...])
_links = msgspec.json.Decoder(tuple[Link, ...])


def is_shard(database: Database) -> bool:
    """Tell whether a database belongs to a shard of a crawl, and not to a crawl of its own."""
    found = database.connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'outbox'")
    return found.fetchone() is not None


def prepare(database: Database, key: bytes) -> None:
    """Make a database one of a shard, if it is not one yet.

    Args:
        database: new, or of this crawl.
        key: of the fingerprints of all shards.

    Raises:
        FolderDamaged: it belongs to another crawl.
    """
    read = database.connection.execute
    ((own,),) = read("SELECT value FROM setting WHERE name = 'key'").fetchall()
    if own != key and read("SELECT EXISTS (SELECT 1 FROM url), EXISTS (SELECT 1 FROM root)").fetchone() != (0, 0):
        raise FolderDamaged("belongs to another crawl than its neighbours", where=str(database.path))
    if not is_shard(database):
        database.connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
    if own != key:
        read("UPDATE setting SET value = ? WHERE name = 'key'", (key,))


@dataclass(frozen=True, slots=True)
class Standing:
    """The counts of the exchange at one moment, of the run that goes on."""

    sent: int
    received: int
    waiting: Counter[int]
    """URLs in the outbox, by the shard that they are for."""


class Exchange:
    """Rows are gathered and written by :meth:`flush`, within the transaction that is open then.

    Args:
        database: in a thread that owns it.
        shard: which one this is.
        max_depth: of the crawl; if there is one, a URL is sent once for each depth at which it is found.

    Raises:
        FolderDamaged: the folder belongs to another crawl.
    """

    def __init__(self, database: Database, shard: Shard, max_depth: int = UNLIMITED_DEPTH) -> None:
        self._connection = database.connection
        self._shard = shard
        self._territory = Territory(shard.assignment, shard.number)
        self._depth_matters = max_depth != UNLIMITED_DEPTH
        self._posted = Seen()
        """What has been sent since this process began: most outlinks lead where others have led."""
        self._open: dict[int, list[Link]] = {}
        self._rows: list[tuple[object, ...]] = []
        self._pages: list[tuple[object, ...]] = []
        prepare(database, shard.key)
        with database.transaction():
            self._begin_run()
        self._read()

    def _begin_run(self) -> None:
        """Count from here on, and address what waits anew, if this is another run than the last one."""
        run, execute = self._shard.run, self._connection.execute
        if execute("SELECT value FROM setting WHERE name = 'run'").fetchall() == [(run,)]:
            return
        (last,) = execute("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        (waiting,) = execute("SELECT count(*) FROM outbox").fetchone()
        (page,) = execute("SELECT ifnull(max(id), 0) FROM page").fetchone()
        for (virtual,) in execute("SELECT DISTINCT shard FROM outbox").fetchall():
            execute("UPDATE outbox SET owner = ? WHERE shard = ?", (self._territory.owner_of(virtual), virtual))
        execute("DELETE FROM inbox")
        self._connection.executemany(
            "INSERT OR REPLACE INTO setting VALUES (?, ?)",
            [("run", run), ("run_unsent", last - waiting), ("run_page", page)],
        )

    def _read(self) -> None:
        read = self._connection.execute
        settings = dict(read("SELECT name, value FROM setting WHERE name LIKE 'run%'").fetchall())
        self._unsent: int = settings["run_unsent"]
        self.first_page: int = settings["run_page"] + 1
        """The first row of the page table that may belong to the run."""
        (self._last,) = read("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        (self._received,) = read("SELECT ifnull(sum(parcels), 0) FROM inbox").fetchone()
        (self._page,) = read("SELECT ifnull(min(id), 0) FROM elsewhere").fetchone()
        self._waiting = Counter[int](dict(read("SELECT owner, sum(urls) FROM outbox GROUP BY owner").fetchall()))
        self._note()

    def _note(self) -> None:
        self.standing = Standing(self._last - self._unsent, self._received, self._waiting.copy())
        """As of the last commit; may be read from any thread."""

    # going out

    def post(self, kind: Kind, url: str, depth: int) -> bool:
        """Take an outlink for another shard, to be closed by :meth:`posted`; False if it belongs here."""
        virtual = self._territory.elsewhere(url)
        if virtual is None:
            return False
        text = f"{depth} {url}" if self._depth_matters else url
        if self._posted.add(fingerprint(text, self._shard.key)):
            self._open.setdefault(virtual, []).append((str(kind), depth, url))
        return True

    def posted(self, source: CrawlURL | None) -> None:
        """Close the parcels of a page, whose outlinks have all been seen; None for those of a robots.txt."""
        if not self._open:
            return
        via, chain = (source.url, source.chain) if source else ("", ())
        for virtual, links in self._open.items():
            self._last += 1
            owner = self._territory.owner_of(virtual)
            self._waiting[owner] += len(links)
            encode = msgspec.json.encode
            row = (self._last, owner, virtual, via, encode(chain).decode(), encode(links).decode(), len(links))
            self._rows.append(row)
        self._open.clear()

    def parcels(self, owner: int) -> tuple[Parcel, ...]:
        """Return what waits longest for a shard, in the order of its numbers: a batch, or somewhat more."""
        rows = self._connection.execute(
            "SELECT number, shard, via, chain, links FROM outbox WHERE owner = ? ORDER BY number LIMIT ?",
            (owner, _MOST_AT_ONCE),
        )
        return tuple(
            Parcel(number, virtual, via, _chain.decode(chain), _links.decode(links))
            for number, virtual, via, chain, links in rows
        )

    def delivered(self, owner: int, last: int) -> None:
        """Let go of what a shard has committed: all up to a number."""
        gone = "FROM outbox WHERE owner = ? AND number <= ?"
        (urls,) = self._connection.execute(f"SELECT ifnull(sum(urls), 0) {gone}", (owner, last)).fetchone()
        self._connection.execute(f"DELETE {gone}", (owner, last))
        self._waiting[owner] -= urls

    # coming in

    def last_of(self, sender: int) -> int:
        """Return the number of the last parcel that came from a shard in this run."""
        row = self._connection.execute("SELECT last FROM inbox WHERE sender = ?", (sender,)).fetchone()
        return row[0] if row else 0

    def heard(self, sender: int, parcels: Sequence[Parcel]) -> None:
        """Note that parcels have come; not one of them again."""
        self._connection.execute(
            "INSERT INTO inbox VALUES (?, ?, ?) ON CONFLICT (sender) DO UPDATE"
            " SET last = excluded.last, parcels = parcels + excluded.parcels",
            (sender, parcels[-1].number, len(parcels)),
        )
        self._received += len(parcels)

    def page(self, parcel: Parcel) -> CrawlURL | None:
        """Return the page that a parcel comes from, as a source; None if it comes from a robots.txt."""
        if not parcel.via:
            return None
        return CrawlURL(self._page - 1, parcel.via, host_key(parcel.via), chain=parcel.chain)

    def keep(self, page: CrawlURL | None) -> None:
        """Keep the page that was returned last: it has led to something new."""
        if page is not None:
            self._page = page.id
            self._pages.append((page.id, page.url, msgspec.json.encode(page.chain).decode()))

    # writing

    def flush(self) -> None:
        """Write what is gathered, before the transaction ends."""
        many = self._connection.executemany
        many("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)", self._rows)
        many("INSERT INTO elsewhere VALUES (?, ?, ?)", self._pages)
        self._rows.clear()
        self._pages.clear()

    def committed(self) -> None:
        """Take note that the transaction stands."""
        self._note()
