"""The journal: what makes a page's record, outcome and outlinks durable together. Blocking; one thread owns it.

Theory of operation
-------------------
A commit takes a batch of finished attempts and does three things in this order:

1. appends their WARC records and their lines of the page log;
2. syncs those files;
3. stores, in one transaction, each page's outcome, its new outlinks, and the length of every file that now counts.

The start cuts every file back to the length that counts. So whenever the kill comes, a page is either
in the archive, in the log and done, or it is in none of them and still queued:
fetched at least once, archived exactly once.

After a write that failed nothing more is written: what memory holds and what the disk holds may differ by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from msgspec import Struct

from crawler.config import Config
from crawler.core.exchange import Heard, Parcel, Receipt
from crawler.core.host_queues import Again
from crawler.core.outcomes import State
from crawler.core.records import CrawlURL, Held, Kind, Page, Place
from crawler.core.tally import Tally
from crawler.core.window import Want
from crawler.errors import Overtaken, StorageError, UsageError
from crawler.seams import Seams
from crawler.storage.answers import NOWHERE, Stands
from crawler.storage.attempt import Attempt
from crawler.storage.callers import theirs
from crawler.storage.database import NAME, memory_database, open_database, open_for_reading
from crawler.storage.exchange import Exchange, is_shard
from crawler.storage.files import Files, NoFiles
from crawler.storage.frontier import Frontier, Sown, StoredHost
from crawler.storage.frozen import Frozen
from crawler.storage.page_log import MOST_AT_ONCE, cut_page_log, page_of, refuse_older
from crawler.storage.page_table import PageTable
from crawler.storage.rounds import Round, Rounds
from crawler.storage.run_table import RunRow, RunTable


class Robots(Struct, frozen=True):
    """A host's robots.txt as it was fetched."""

    host: str
    body: bytes | None
    status: int
    until: float
    sitemaps: tuple[str, ...] = ()
    """Those it names, if they are to be followed."""


class Committed(Struct, frozen=True):
    """What a commit brought about."""

    pages: list[Page | None]
    """One per attempt, in order; None where the URL is to be tried again."""
    queued: list[CrawlURL]
    """New URLs to be crawled."""
    again: list[Again]
    """Those that are to be crawled again, by host."""


class Journal:
    """The only writer of an output folder, or of nothing at all: then its state is in memory.

    Args:
        folder: None where nothing is to be written.
        config: the settings.
        seams: a store that is given all pages, and a scope that is asked too, if the caller has any.
        fence: raises if somebody else has come to hold the folder; None if the lock alone is trusted.

    Raises (when made, and by every method):
        FolderDamaged, FolderUnusable: the folder's state is not fit for use.
        StorageError: a write failed; what was committed before stands, and the crawl cannot go on.
    """

    def __init__(
        self,
        folder: Path | None,
        config: Config,
        seams: Seams = Seams(),  # noqa: B008  frozen
        *,
        fence: Callable[[], None] | None = None,
    ) -> None:
        self._fence = fence
        self._lost = False
        """Whether another has come to hold the folder."""
        self._store_of_caller = seams.store
        self._scope_of_caller = seams.scope
        self._shard = seams.shard
        self._folder = folder
        self._sound = True
        self.transactions = 0
        """Since it was opened; may be asked from any thread."""
        self._frozen_at, self._lineage = -1, ""
        if folder is not None:
            _refuse_older(folder, config)
        with ExitStack() as opened:
            self._database = (
                open_database(folder, config.store.durability) if folder else memory_database(config.store.memory)
            )
            opened.callback(self._database.close)
            with self._database.refusing():
                self._open(opened, config)
            opened.pop_all()
        self._database.started = True

    def _open(self, opened: ExitStack, config: Config) -> None:
        """Make the files agree with the database; what is open by then is closed if that fails."""
        self._pages = PageTable(self._database.connection)
        self.exchange = self._open_exchange(config)
        """With other shards of the crawl; None where there are none."""
        self.frontier = Frontier(
            self._database, config.scope, config.traps, self._scope_of_caller, exchange=self.exchange
        )
        self._rounds = Rounds(self._database.connection)
        self._runs = RunTable(self._database.connection, time.time())
        self._files: Files | NoFiles = NoFiles()
        if self._folder is not None:
            self._files = Files(self._folder, config, self._database, self._pages)
            opened.callback(self._files.close)

    def _open_exchange(self, config: Config) -> Exchange | None:
        if self._shard is not None:
            return Exchange(self._database, self._shard, config.scope.max_depth)
        if is_shard(self._database):
            raise UsageError(
                "this is one shard of a crawl, which goes on from the folder above", where=str(self._folder)
            )
        return None

    # writing

    def commit(self, attempts: Sequence[Attempt]) -> Committed:
        """Make a batch of attempts durable; see the head of this file."""
        with self._writing():
            last = [attempt for attempt in attempts if attempt.again is None]
            stand, round_ = self._files.append(last), self._rounds.now.number
            pages = [_page(attempt, where, round_) for attempt, where in zip(last, stand, strict=True)]
            if pages:
                self._files.log(pages, last)
                self._files.sync()
                self._give(pages, last)
            finished = iter(zip(pages, stand, strict=True))
            result = Committed([], [], [])
            with self._transaction():
                for attempt in attempts:
                    page, where = next(finished) if attempt.again is None else (None, NOWHERE)
                    self._store(attempt, where.record, result)
                    result.pages.append(page)
                self._files.store_lengths()
            self._files.committed(last)
        return result

    def begin_round(self, at: float, *, all_pages: bool) -> int | None:
        """Queue again what is due, if nothing is queued any more; see :meth:`Rounds.begin`."""
        with self._writing(), self._transaction():
            number = self._shard.round if self._shard else 0
            queued = self._rounds.begin(at, all_pages=all_pages, last_page=self._pages.last, number=number)
            if queued:
                self.frontier.recount()
            return queued

    def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known."""
        with self._writing(), self._transaction():
            return self.frontier.sow(urls)

    def receive(self, sender: int, life: int, after: int, parcels: Sequence[Parcel]) -> tuple[Receipt, list[CrawlURL]]:
        """Take parcels of another shard, those that have come before not again; return what is to be crawled, too.

        Raises:
            Overtaken: the sender lives on elsewhere.
        """
        exchange = self._shared()
        with self._database.refusing():
            try:
                heard, new = exchange.heard_of(sender).next(life, after, parcels)
            except ValueError as error:
                raise Overtaken(f"life {life} of shard {sender} {error}") from error
        with self._writing(), self._transaction():
            receipt = exchange.remember(sender, heard, len(new))
            return receipt, self.frontier.receive(new, exchange)

    def told(self, owner: int, receipt: Receipt) -> None:
        """Let go of the parcels that another shard has for good."""
        exchange = self._shared()
        with self._database.refusing():
            over = exchange.told(owner, receipt)
        if over:
            with self._writing(), self._transaction():
                exchange.let_go(owner)

    def reconsider(self) -> list[CrawlURL] | None:
        """Take back refused URLs that now belong to the crawl, a part at a time; None when there is no more to ask.

        To be called until then, once all seeds are sown.
        """
        with self._writing(), self._transaction():
            return self.frontier.reconsider()

    def keep_robots(self, robots: Robots) -> list[CrawlURL]:
        """Store a host's robots.txt; return the sitemaps it names that are new and to be crawled."""
        with self._writing(), self._transaction():
            self.frontier.hosts.keep_robots(robots.host, robots.body, robots.status, robots.until)
            return self.frontier.name_sitemaps(robots.host, robots.sitemaps)

    def end_run(self, told: bytes) -> None:
        """Keep what this run tells of itself at its end."""
        with self._writing(), self._transaction():
            self._runs.end(time.time(), told)

    def load(self, wants: Iterable[Want]) -> list[tuple[CrawlURL, ...] | StoredHost]:
        """Bring queued URLs back to memory; the whole host where a want begins at row 0."""
        return [self.frontier.load(want) if want.after else self.frontier.open(want) for want in wants]

    def freeze(self) -> Frozen:
        """Close the archive's segment, and leave the database's file unchanged until :meth:`thaw`.

        What stands in the folder's files now, as far as it counts, is the crawl as of this moment.
        """
        with self._writing():
            if self._frozen_at != self.transactions:  # else nothing has changed since the last time
                if not self._lineage:
                    with self._transaction():
                        self._lineage = self._database.lineage()
                self._end_segment()
                self._frozen_at = self.transactions
            size = self._database.freeze()
        return Frozen(
            lineage=self._lineage,
            at=time.time(),
            pages=self._pages.last,
            files=self._files.frozen(),
            size=size,
            read=self._database.read,
            heard=self.heard(),
        )

    def thaw(self) -> None:
        """Let the database's file be changed again."""
        self._database.thaw()

    def close(self) -> None:
        """End the archive's segment, and let go of all files.

        After a write that failed they are left as they are; the next start cuts off what does not count.
        """
        with ExitStack() as closing:
            if not self._sound and self._folder is not None and not self._lost:
                closing.callback(cut_page_log, self._folder)
            closing.callback(self._database.close)
            closing.callback(self._files.close)
            if self._sound:
                with self._writing():
                    self._end_segment()

    # reading

    @property
    def finished(self) -> int:
        """URLs that are finished, in all runs and rounds; may be asked from any thread."""
        return self._pages.last

    @property
    def synced(self) -> float:
        """Seconds spent so far in waiting for the disk; may be asked from any thread."""
        return self._files.synced + self._database.synced

    @property
    def disk_used(self) -> int:
        """Bytes that the folder takes, if a limit asks for that; may be asked from any thread."""
        return self._files.disk_used

    def parcels(self, owner: int) -> tuple[int, tuple[Parcel, ...]]:
        """Return what another shard has not heard yet: a batch, or somewhat more; see :meth:`Exchange.parcels`."""
        with self._database.refusing():
            return self._shared().parcels(owner)

    def heard(self) -> Mapping[int, Heard]:
        """Return what is remembered of each shard that has sent something; nothing where there are none."""
        if self.exchange is None:
            return {}
        with self._database.refusing():
            return self.exchange.heard()

    def recall(self, tally: Tally) -> None:
        """Count what was finished in this run of a shared crawl before this process began."""
        if self.exchange is not None:
            with self._database.refusing():
                self._pages.recall(self.exchange.first_page, tally)

    def round(self) -> tuple[Round, Mapping[str, int]]:
        """Return the round that goes on, and what became of its pages so far."""
        with self._database.refusing():
            return self._rounds.now, self._rounds.counts()

    def earlier_runs(self, most: int) -> list[RunRow]:
        """Return the last runs before this one, oldest first."""
        with self._database.refusing():
            return self._runs.earlier(most)

    def counts(self) -> dict[tuple[State, str], int]:
        """Count all known URLs by state and outcome."""
        return self.frontier.counts()

    # inside

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._sound:
            raise StorageError("takes no more after a write that failed", where=str(self._folder or "memory"))
        self._sound = False
        if self._fence is not None:
            self._lost = True
            self._fence()
            self._lost = False
        yield
        self._sound = True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._database.transaction():
            self.transactions += 1
            yield
            self.frontier.flush()
            self._pages.flush()
            self._runs.flush()
        if self.exchange is not None:
            self.exchange.committed()

    def _shared(self) -> Exchange:
        if self.exchange is None:
            raise UsageError("no other shard shares this crawl", where=str(self._folder or "memory"))
        return self.exchange

    def _end_segment(self) -> None:
        self._files.close_segment()
        with self._transaction():
            self._files.store_lengths()
        self._files.committed()

    def _give(self, pages: Sequence[Page], attempts: Sequence[Attempt]) -> None:
        """Give the caller's store what is about to count."""
        if self._store_of_caller is None:
            return
        with theirs("store"):
            self._store_of_caller.write(
                [(page, _decoded(attempt)) for page, attempt in zip(pages, attempts, strict=True)]
            )

    def _store(self, attempt: Attempt, place: Place | None, result: Committed) -> None:
        fetched, parsed = attempt.fetched, attempt.parsed
        source = fetched.source
        if attempt.hold_until:
            self.frontier.hosts.hold(source.host, attempt.hold_until)
        if attempt.again is not None:
            self.frontier.postpone(attempt.again, attempt.outcome)
            return
        outlinks = parsed.outlinks if parsed else ()
        if fetched.location:
            outlinks = (*outlinks, (Kind.REDIRECT, fetched.location))
        result.queued.extend(self.frontier.discover(source, outlinks))
        if parsed and parsed.dates:
            result.again.extend(self.frontier.renew(parsed.dates, self._rounds.now.number, now=fetched.began_at))
        page = self._pages.add(attempt, place, self._rounds.now.number)
        self.frontier.finish(source, attempt.outcome, attempt.standing, page=page, round_=self._rounds.now.number)


def _refuse_older(folder: Path, config: Config) -> None:
    """Look before anything is changed: opening a database for writing may remove its log."""
    if not (folder / NAME).exists():
        return
    most_lost = MOST_AT_ONCE if config.store.durability == "full" else None  # else by a power cut, any number
    with closing(open_for_reading(folder)) as database, database.refusing():
        refuse_older(database, most_lost=most_lost)


def _decoded(attempt: Attempt) -> bytes:
    parsed = attempt.parsed
    return attempt.fetched.body if parsed is None or parsed.decoded is None else parsed.decoded


def _page(attempt: Attempt, stands: Stands, round_: int) -> Page:
    fetched = attempt.fetched
    page = page_of(attempt, stands.record, round_)
    held = None if stands.payload or not fetched.answered else Held(fetched.head, fetched.body)
    weight = attempt.parsed.extract_size if attempt.parsed else 0
    page.know(stands.payload or held, weight=weight + (len(held.head) + len(held.body) if held else 0))
    return page
