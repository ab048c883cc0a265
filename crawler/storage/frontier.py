"""The frontier: every URL known, its state, and how it came to be known. On SQLite, owned by the journal thread.

A URL is known once its fingerprint is in :class:`~crawler.core.seen.Seen`; scope and trap rules are asked when it
becomes known, so every URL that is not crawled has its reason in the table.
They are asked once more when the answer may have changed: when a refused URL is found nearer to a seed,
and when a seed or a setting has widened the scope (:meth:`Frontier.reconsider`).

Changes go into the transaction that the caller has open; nothing here commits. They are gathered in
:class:`~crawler.storage.url_table.UrlTable` and written by :meth:`Frontier.flush` at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from crawler.config import UNLIMITED_DEPTH, Scope, Traps
from crawler.core.exchange import Parcel
from crawler.core.fingerprint import fingerprint
from crawler.core.host_queues import Again
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Kind
from crawler.core.schedule import UNDECIDED, Standing
from crawler.core.scope import ScopeRule
from crawler.core.seen import Seen
from crawler.core.traps import trap
from crawler.core.url import host_key, host_name, normalise
from crawler.core.window import Want
from crawler.seams import URLScope
from crawler.storage.callers import theirs
from crawler.storage.database import Database
from crawler.storage.exchange import Exchange
from crawler.storage.hosts import Hosts
from crawler.storage.renewal import Outdating
from crawler.storage.roots import Roots
from crawler.storage.url_table import UrlTable
from crawler.storage.waiting import Waiting

_DAY = 86_400.0
_ASKED_AT_ONCE = 10_000
_SAME_DEPTH = frozenset({Kind.REDIRECT, Kind.SITEMAP})
"""What leads no further away from the seeds."""
_DEEPEST_INDEX = 3
"""Indexes of sitemaps within one another, redirects included; a site that has no end has more."""


class StoredHost(Struct, frozen=True):
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


class Sown(Struct, frozen=True):
    """What became of a batch of seeds."""

    queued: list[CrawlURL]
    known: int
    """Seeds that were known before: given twice, or crawled already."""
    refused: dict[Outcome, int] = field(default_factory=dict)
    """Seeds that the scope's patterns or the traps refuse, by reason."""


class Frontier:
    """All known URLs.

    Args:
        database: in a thread that owns it.
        scope: what belongs to the crawl.
        traps: when a site that has no end is no longer followed.
        scope_of_caller: asked about what the scope takes in.
        exchange: takes what belongs to other shards of the crawl; None where there are none.

    Raises:
        FolderDamaged: the tables hold what no crawl writes.
    """

    def __init__(
        self,
        database: Database,
        scope: Scope,
        traps: Traps,
        scope_of_caller: URLScope | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self._exchange = exchange
        self._scope_of_caller = scope_of_caller
        self._database = database
        self._connection = database.connection
        self._scope = scope
        self._rule = ScopeRule(scope)
        self._traps = traps
        self._waiting = Waiting(database.connection)
        self._outdating = Outdating(database.connection)
        with database.refusing():
            self.hosts = Hosts(database, traps.pages_per_host)
            self._urls = UrlTable(database.connection)
            self._read()

    def _read(self) -> None:
        ((self._key,),) = self._connection.execute("SELECT value FROM setting WHERE name = 'key'").fetchall()
        self._roots = Roots(self._connection, self._key, msgspec.json.encode((self._scope, self._traps)))
        self._seen, self._late, self._asked_again = Seen(expected=self._urls.last), Seen(), 0
        with closing(self._urls.marks()) as marks:  # or an error would keep the database open
            self._seen.update(marks)

    # becoming known

    def sow(self, urls: Iterable[str]) -> Sown:
        """Make seeds known: normalised URLs, depth 0."""
        queued: list[CrawlURL] = []
        refused: dict[Outcome, int] = {}
        known = 0
        for url in urls:
            self._add_roots(*self._rule.roots(url), _named(url))
            found = self._meet(url, Kind.SEED, None, 0)
            if found is None:
                known += 1
            elif isinstance(found, Outcome):
                refused[found] = refused.get(found, 0) + 1
            else:
                queued.append(found)
        return Sown(queued, known, refused)

    def discover(self, source: CrawlURL, outlinks: Iterable[tuple[Kind, str]]) -> Iterator[CrawlURL]:
        """Make the outlinks of a page known; yield those that are new and to be crawled."""
        for kind, url in outlinks:
            if kind is Kind.REDIRECT and not source.depth and self._rule.alias(source.url, url):
                self._add_roots(*self._rule.roots(url))
            if kind is Kind.SITEMAP and len(source.chain) >= _DEEPEST_INDEX:
                continue
            depth = source.depth if kind in _SAME_DEPTH else source.depth + 1
            if self._exchange is not None and self._exchange.post(kind, url, depth):
                continue
            found = self._meet(url, kind, source, depth, home=source.host)
            if isinstance(found, CrawlURL):
                yield found
        if self._exchange is not None:
            self._exchange.posted(source)

    def receive(self, parcels: Iterable[Parcel], exchange: Exchange) -> list[CrawlURL]:
        """Make known what pages of other shards lead to; return what is new and to be crawled."""
        queued: list[CrawlURL] = []
        for parcel in parcels:
            source = exchange.page(parcel)
            found = [self._meet(url, Kind(kind), source, depth) for kind, depth, url in parcel.links]
            if any(one is not None for one in found):
                exchange.keep(source)
            queued += [one for one in found if isinstance(one, CrawlURL)]
        return queued

    def name_sitemaps(self, host: str, urls: Iterable[str]) -> list[CrawlURL]:
        """Make the sitemaps known that a host's robots.txt names; return those that are new and to be crawled."""
        queued: list[CrawlURL] = []
        for text in urls:
            with suppress(ValueError):
                url = normalise(text)
                if self._exchange is not None and self._exchange.post(Kind.SITEMAP, url, 0):
                    continue
                found = self._meet(url, Kind.SITEMAP, None, 0, home=host)
                if isinstance(found, CrawlURL):
                    queued.append(found)
        if self._exchange is not None:
            self._exchange.posted(None)
        return queued

    def renew(self, dates: Iterable[tuple[str, float]], round_: int, *, now: float) -> list[Again]:
        """Queue pages again that, as a sitemap says, have changed since they were fetched.

        Each is fetched once a round: one that was fetched in this round is due in the next.

        Args:
            dates: URLs, and when each last changed, Unix seconds; more than a day from now is no news.
            round_: the round that goes on; the first has nothing to fetch again.
            now: Unix seconds.
        """
        if round_ <= 1:
            return []
        marks = ((fingerprint(url, self._key), at) for url, at in dates if at <= now + _DAY)
        found = self._outdating.find(marks, round_)
        self._urls.renew(found)
        again = [page for page in found if not page.in_this_round]
        for page in again:
            self.hosts.take_again(page.host)
        return [Again(host, count) for host, count in Counter(page.host for page in again).items()]

    def reconsider(self) -> list[CrawlURL] | None:
        """Take back URLs that were refused and, by the seeds and settings of now, belong to the crawl.

        Returns those among the next ten thousand refused ones; None when all have been asked about.
        """
        if not self._roots.wider:
            return None
        self._urls.flush_new()
        rows = self._waiting.refused(self._asked_again, _ASKED_AT_ONCE)
        if not rows:
            self._roots.settle()
            self._asked_again = 0
            return None
        self._asked_again = rows[-1].url.id
        again: list[CrawlURL | None] = []
        for row in rows:
            if row.mark in self._late:
                again.append(self._take_back(CrawlURL(row.url.id, row.url.url, row.url.host), 0, row.outcome))
            else:
                again.append(self._take_back(row.url, row.via, row.outcome))
        return [url for url in again if url is not None]

    def _meet(
        self, url: str, kind: Kind, source: CrawlURL | None, depth: int, home: str = ""
    ) -> CrawlURL | Outcome | None:
        """Return the URL if it is new and belongs to the crawl, the reason if it is refused, None if it is known.

        A sitemap belongs to it wherever it is on the host that names it, its ``home``: what it lists is judged.
        """
        mark = fingerprint(url, self._key)
        if not self._seen.add(mark):
            return self._nearer(mark, url, kind, source, depth)
        at_home = kind is Kind.SITEMAP and host_key(url) == home
        host, refusal = self._judge(url, depth, self._rule.judge_sitemap if at_home else None)
        via = source.id if source else 0
        row = self._urls.add(mark, host, url[: self._scope.max_url_length], str(kind), depth, via, refusal)
        if refusal is not None:
            return refusal
        return _found(row, url, kind, source, depth)

    def _judge(
        self, url: str, depth: int, rule: Callable[[str], Outcome | None] | None = None
    ) -> tuple[int, Outcome | None]:
        """Return the host's row and None if a URL is to be crawled, else 0 and the reason."""
        found = rule(url) if rule else self._rule.judge(url, depth, self._roots.__contains__)
        refusal = found or trap(url, self._traps)
        if refusal is not None:
            return 0, refusal
        if self._scope_of_caller is not None:
            with theirs("scope"):
                if not self._scope_of_caller.allows(url, depth):
                    return 0, Outcome.OUT_OF_SCOPE
        host = self.hosts.take(host_key(url))
        return host, None if host else Outcome.TRAP_HOST_BUDGET

    def _nearer(self, mark: int, url: str, kind: Kind, source: CrawlURL | None, depth: int) -> CrawlURL | None:
        """Take back a URL that was refused as too deep, now that it is found nearer to a seed."""
        if kind is Kind.SEED and self._roots.wider:
            self._late.add(mark)
        if not self.totals.get(_TOO_DEEP) or not UNLIMITED_DEPTH < depth <= self._scope.max_depth:
            return None
        row = self._urls.too_deep(mark)
        if not row:
            return None
        return self._take_back(_found(row, url, kind, source, depth), source.id if source else 0, _TOO_DEEP[1])

    def _take_back(self, url: CrawlURL, via: int, before: str) -> CrawlURL | None:
        """Judge a refused URL again; if nothing speaks against it any more, queue it."""
        host, refusal = self._judge(url.url, url.depth)
        if refusal == before:
            return None
        row = self._urls.judged_anew(url, via, host, refusal, before)
        return None if refusal else replace(url, id=row)

    def _add_roots(self, *keys: str) -> None:
        if self._roots.add(keys):
            self._asked_again = 0

    # ending

    def finish(
        self, source: CrawlURL, outcome: Outcome, standing: Standing = UNDECIDED, *, page: int = 0, round_: int = 1
    ) -> None:
        """Note how a URL ended, when it is due again, and the row of its page."""
        self.hosts.release(source.host)
        self._urls.end(source, outcome, standing, page=page, round_=round_)

    def postpone(self, source: CrawlURL, outcome: Outcome) -> None:
        """Note that a URL is to be fetched again at ``source.due``, and why."""
        self._urls.postpone(source, outcome)

    def flush(self) -> None:
        """Write what is gathered, before the transaction ends."""
        self._urls.flush()
        self.hosts.flush()
        if self._exchange is not None:
            self._exchange.flush()

    # coming back to memory

    def load(self, want: Want) -> tuple[CrawlURL, ...]:
        """Return the next queued URLs of a host, in the order of discovery."""
        with self._database.refusing():
            return self._waiting.load(want)

    def open(self, want: Want) -> StoredHost:
        """Return a host as it was stored, with the first of its queued URLs."""
        with self._database.refusing():
            id_, queued, next_at, robots, until = self._connection.execute(
                "SELECT id, queued, next_at, robots, robots_until FROM host WHERE key = ?", (want.host,)
            ).fetchone()
            urls = self._waiting.load(want)
        trusted, asked = _named(want.host) in self._roots, self.hosts.is_old(id_)
        if self._exchange is not None and self._exchange.life > 1:
            asked = True  # perhaps by a life of which nothing is remembered
        return StoredHost(want.host, queued, next_at, asked, trusted, robots, until, urls)

    def waiting_hosts(self, besides: AbstractSet[str], limit: int) -> list[str]:
        """Return hosts that have queued URLs and are not among ``besides``, those with most URLs first."""
        with self._database.refusing():
            return self._waiting.hosts(besides, limit)

    # counting

    def left(self, limit: int) -> tuple[list[tuple[str, int]], int]:
        """Return the hosts with most URLs queued, each with their number, and how many hosts have any."""
        with self._database.refusing():
            read = self._connection.execute
            most = read("SELECT key, queued FROM host WHERE queued > 0 ORDER BY queued DESC, key LIMIT ?", (limit,))
            return most.fetchall(), read("SELECT count(*) FROM host WHERE queued > 0").fetchone()[0]

    @property
    def totals(self) -> dict[tuple[State, str], int]:
        """How many URLs are known, by state and outcome; see :attr:`UrlTable.totals`."""
        return self._urls.totals

    def recount(self) -> None:
        """Take note that URLs were queued again behind our back."""
        self._urls.recount()

    def counts(self) -> dict[tuple[State, str], int]:
        """Count all known URLs by state and outcome, from the table itself."""
        with self._database.refusing():
            return self._urls.counts()

    def __len__(self) -> int:
        return len(self._seen)


_TOO_DEEP = (State.SKIPPED, str(Outcome.TOO_DEEP))


def _found(id_: int, url: str, kind: Kind, source: CrawlURL | None, depth: int) -> CrawlURL:
    if source is None:
        return CrawlURL(id_, url, host_key(url), depth, kind)
    chain = (*source.chain, source.url) if kind in _SAME_DEPTH else ()
    return CrawlURL(id_, url, host_key(url), depth, kind, source.url, chain)


def _named(url: str) -> str:
    return f"host {host_name(url)}"
