"""What a shard has for others and has had from them: the outbox, the inbox, and the pages of others that led here.

The outbox is written in the transaction of the page whose outlinks are in it, and a parcel leaves it when the shard
that it is for has its URLs for good (see :mod:`crawler.core.exchange`). So a URL is in a frontier or in an outbox at
every instant, whoever is killed.
The inbox holds the number of the last parcel that came from each shard, written with the URLs that were in it:
a parcel that comes again is known.

Parcels are counted by run. When a run begins, what lies in the outbox counts as sent in it, since all of it is still
to be received.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from crawler.config import UNLIMITED_DEPTH
from crawler.core.exchange import Heard, Link, Parcel, Receipt, Way
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
CREATE TABLE IF NOT EXISTS elsewhere (  -- pages of other shards; their rows are known by negative numbers
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    chain TEXT NOT NULL
);
"""
_INBOX = """
CREATE TABLE inbox (                    -- of one run
    sender INTEGER PRIMARY KEY,
    life INTEGER NOT NULL,              -- the last one of the sender that was heard of
    last INTEGER NOT NULL,              -- the number of its last parcel
    parcels INTEGER NOT NULL            -- that were received
)
"""
_MOST_AT_ONCE = 500
"""Parcels looked at to make up a batch."""
_UNKNOWN = Way()
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
    """URLs in the outbox that have not been heard, by the shard that they are for."""
    heard: int
    """URLs in the outbox that have been heard, but are not kept."""


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
        self._ways: dict[int, Way] = {}
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
        execute("DROP TABLE IF EXISTS inbox")
        execute(_INBOX)
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
        self._unkept = 0
        self._note()

    def _note(self) -> None:
        self.standing = Standing(self._last - self._unsent, self._received, self._waiting.copy(), self._unkept)
        """As of the last commit; may be read from any thread."""

    @property
    def life(self) -> int:
        """Which of its lives the shard is in; 0 where what is committed cannot be lost."""
        return self._shard.life

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

    def parcels(self, owner: int) -> tuple[int, tuple[Parcel, ...]]:
        """Return what a shard has not heard yet, in the order of its numbers: a batch, or somewhat more.

        Before it, the number of the parcel that it comes after.
        """
        after = self._way(owner).heard
        rows = self._connection.execute(
            "SELECT number, shard, via, chain, links FROM outbox"
            " WHERE owner = ? AND number > ? ORDER BY number LIMIT ?",
            (owner, after, _MOST_AT_ONCE),
        )
        return after, tuple(
            Parcel(number, virtual, via, _chain.decode(chain), _links.decode(links))
            for number, virtual, via, chain, links in rows
        )

    def told(self, owner: int, receipt: Receipt) -> bool:
        """Take note of what a shard has; tell whether some of it may be let go of."""
        before = self._way(owner)
        now = self._ways[owner] = before.told(receipt)
        low, high = sorted((before.heard, now.heard))
        if low < high:
            urls = self._urls(owner, low, high) if before.heard < now.heard else -self._urls(owner, low, high)
            self._waiting[owner] -= urls
            self._unkept += urls
            self._note()
        return now.kept > before.kept

    def let_go(self, owner: int) -> None:
        """Let go of what a shard has for good."""
        kept = self._way(owner).kept
        self._unkept -= self._urls(owner, 0, kept)
        self._connection.execute("DELETE FROM outbox WHERE owner = ? AND number <= ?", (owner, kept))

    def _way(self, owner: int) -> Way:
        return self._ways.get(owner, _UNKNOWN)

    def _urls(self, owner: int, above: int, upto: int) -> int:
        """Count the URLs in some parcels for a shard."""
        total = "SELECT ifnull(sum(urls), 0) FROM outbox WHERE owner = ? AND number > ? AND number <= ?"
        (urls,) = self._connection.execute(total, (owner, above, upto)).fetchone()
        return int(urls)

    # coming in

    def heard(self) -> Mapping[int, Heard]:
        """Return what is remembered of each sender in this run."""
        rows = self._connection.execute("SELECT sender, life, last FROM inbox")
        return {sender: Heard(life, last) for sender, life, last in rows}

    def heard_of(self, sender: int) -> Heard:
        """Return what is remembered of a sender in this run."""
        row = self._connection.execute("SELECT life, last FROM inbox WHERE sender = ?", (sender,)).fetchone()
        return Heard(*row) if row else Heard()

    def remember(self, sender: int, heard: Heard, parcels: int) -> Receipt:
        """Note how far a sender has been heard, and that so many new parcels have come; return the receipt for it."""
        self._connection.execute(
            "INSERT INTO inbox VALUES (?, ?, ?, ?) ON CONFLICT (sender) DO UPDATE"
            " SET life = excluded.life, last = excluded.last, parcels = parcels + excluded.parcels",
            (sender, heard.life, heard.last, parcels),
        )
        self._received += parcels
        return Receipt(self.life, heard.last, 0 if self.life else heard.last)

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
