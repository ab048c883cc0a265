"""THREAD: Fetched + Parsed → Page. Batched, one transaction; what it is worth is written in storage/journal.py.

The one door to the journal: commits, seeds, robots.txt and reading back all pass through its single thread, in order.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from crawler.config import Config
from crawler.core.exchange import Heard, Parcel, Receipt
from crawler.core.host_queues import Again
from crawler.core.ledger import Stage
from crawler.core.manifest import SHARED
from crawler.core.outcomes import State
from crawler.core.records import CrawlURL, Page
from crawler.core.tally import Tally
from crawler.core.window import Want
from crawler.errors import FolderDamaged, UsageError
from crawler.executors import Batches, Threads
from crawler.seams import Seams
from crawler.storage.attempt import Attempt
from crawler.storage.earlier import EarlierArchive
from crawler.storage.exchange import Standing
from crawler.storage.folder import Folder
from crawler.storage.frontier import Sown, StoredHost
from crawler.storage.frozen import Frozen
from crawler.storage.journal import Journal, Robots
from crawler.storage.page_log import MOST_AT_ONCE
from crawler.storage.rounds import Round
from crawler.storage.run_table import RunRow

R = TypeVar("R")

_MOST_BYTES = 32 << 20


class Begin(Enum):
    """How a run begins in a folder where an earlier one may be."""

    GO_ON = "go on where it stopped"
    FRESH = "move it aside"
    REBUILD = "go on; if its state is damaged, make it anew from its archive"
    ALL_AGAIN = "go on; if it has ended, crawl all of it once more"
    DUE_AGAIN = "go on; if it has ended, crawl once more what is due"


class Commit:
    """The journal's thread, seen from the loop.

    Args:
        folder: held by this crawl; None if it writes nothing.
        journal: opened in ``thread``.
        thread: the one thread that owns it.
        stage: where the costs are counted.
        queued: told, on the loop, of each URL that has become known and is to be crawled.
    """

    def __init__(
        self,
        folder: Folder | None,
        journal: Journal,
        thread: Threads,
        stage: Stage,
        queued: Callable[[CrawlURL | Again], None],
    ) -> None:
        self._folder = folder
        self._journal = journal
        self._thread = thread
        self._stage = stage
        self._queued = queued
        self.committed: list[Callable[[int], None]] = []
        """Told, on the loop, after each commit, how many URLs are finished."""
        self._batches: Batches[Attempt, tuple[Page | None, float, float]] = Batches(
            self._run, runners=1, most=MOST_AT_ONCE, most_bytes=_MOST_BYTES
        )

    @classmethod
    async def open(
        cls,
        out: Path | None,
        config: Config,
        stage: Stage,
        queued: Callable[[CrawlURL | Again], None],
        *,
        begin: Begin,
        seams: Seams,
    ) -> Commit:
        """Take a folder, and open its journal in a thread of its own."""
        thread = Threads("journal", 1)
        try:
            shared = seams.shard is not None
            folder = None if out is None else await thread(_take_folder, out, begin, shared)
            try:
                journal = await thread(_open_journal, folder, config, begin, seams)
            except BaseException:
                if folder is not None:
                    folder.release()
                raise
        except BaseException:
            thread.close()
            raise
        return cls(folder, journal, thread, stage, queued)

    async def __call__(self, attempt: Attempt, size: int) -> Page | None:
        """Make an attempt durable; return its page, or None if the URL is to be tried again."""
        self._stage.enter()
        (page, ran, cpu), queued = await self._batches(attempt, size)
        self._stage.leave(queued / 1e9, ran, cpu)
        return page

    @property
    def bytes_waiting(self) -> int:
        """Bytes of the attempts that wait for the journal."""
        return self._batches.bytes_waiting

    @property
    def synced(self) -> float:
        """Seconds that the journal has waited for the disk."""
        return self._journal.synced

    @property
    def known(self) -> int:
        """URLs that are known; the thread may be adding some at this moment."""
        return len(self._journal.frontier)

    @property
    def finished(self) -> int:
        """URLs that are finished, in all runs and rounds of the folder: the lines of the page log."""
        return self._journal.finished

    @property
    def transactions(self) -> int:
        """How often something became durable in this run."""
        return self._journal.transactions

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[tuple[Frozen, int]]:
        """Have the database's file left alone within; yield the folder as it stands, and how often it had changed."""
        frozen = await self._other(lambda: (self._journal.freeze(), self._journal.transactions))
        try:
            yield frozen
        finally:
            await self._thread(self._journal.thaw)

    async def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known, and let the new ones be crawled."""
        sown = await self._other(self._journal.sow, urls)
        for url in sown.queued:
            self._queued(url)
        return sown

    async def reconsider(self) -> None:
        """Let refused URLs be crawled that now belong to the crawl: a seed or a greater depth may have made them."""
        while (found := await self._thread(self._journal.reconsider)) is not None:
            for url in found:
                self._queued(url)

    async def keep_robots(self, robots: Robots) -> None:
        """Store a host's robots.txt."""
        for url in await self._other(self._journal.keep_robots, robots):
            self._queued(url)

    async def load(self, wants: Sequence[Want]) -> list[tuple[CrawlURL, ...] | StoredHost]:
        """Bring queued URLs back from disk."""
        return await self._other(self._journal.load, wants)

    async def waiting_hosts(self, besides: AbstractSet[str], limit: int) -> list[str]:
        """Return hosts on disk that have queued URLs."""
        return await self._other(self._journal.frontier.waiting_hosts, besides, limit)

    @property
    def standing(self) -> Standing | None:
        """The counts of the exchange with other shards, as of the last commit; None where there are none."""
        return self._journal.exchange.standing if self._journal.exchange else None

    @property
    def life(self) -> int:
        """Which of its lives a shard is in; 0 where its folder cannot be lost."""
        return self._journal.exchange.life if self._journal.exchange else 0

    async def receive(self, sender: int, life: int, after: int, parcels: Sequence[Parcel]) -> Receipt:
        """Take parcels of another shard, and let what is new be crawled; see :meth:`Journal.receive`."""
        receipt, queued = await self._other(self._journal.receive, sender, life, after, parcels)
        for url in queued:
            self._queued(url)
        return receipt

    async def parcels(self, owner: int) -> tuple[int, tuple[Parcel, ...]]:
        """Return what another shard has not heard yet: a batch, or somewhat more, and what it comes after."""
        return await self._other(self._journal.parcels, owner)

    async def told(self, owner: int, receipt: Receipt) -> None:
        """Let go of the parcels that another shard has for good."""
        await self._other(self._journal.told, owner, receipt)

    async def heard(self) -> Mapping[int, Heard]:
        """Return how far this shard has heard each other one."""
        return await self._thread(self._journal.heard)

    async def recall(self, tally: Tally) -> None:
        """Count what was finished in this run of a shared crawl before this process began."""
        await self._thread(self._journal.recall, tally)

    async def counts(self) -> tuple[int, dict[tuple[State, str], int]]:
        """Return how many URLs are known, and, counted on their own, how many by state and outcome."""
        return await self._thread(lambda: (len(self._journal.frontier), self._journal.counts()))

    @property
    def totals(self) -> dict[tuple[State, str], int]:
        """How many URLs are known at this moment, by state and outcome."""
        return self._journal.frontier.totals

    async def round(self) -> tuple[Round, Mapping[str, int]]:
        """Return the round that goes on, and what became of its pages so far."""
        return await self._thread(self._journal.round)

    async def left(self, limit: int) -> tuple[list[tuple[str, int]], int]:
        """Return the hosts with most URLs still queued, each with their number, and how many hosts there are."""
        return await self._thread(self._journal.frontier.left, limit)

    @property
    def disk_used(self) -> int:
        """Bytes that the folder takes, if a limit asks for that."""
        return self._journal.disk_used

    async def earlier_runs(self, most: int) -> list[RunRow]:
        """Return the last runs in this folder before this one, oldest first."""
        return await self._thread(self._journal.earlier_runs, most)

    async def end_run(self, told: bytes) -> None:
        """Keep what this run tells of itself, for the reports of later ones."""
        await self._thread(self._journal.end_run, told)

    async def earlier(self) -> EarlierArchive:
        """Survey the archives of runs whose state was lost."""
        folder = self._folder
        return await self._thread(lambda: EarlierArchive(folder.lost_runs() if folder else ()))

    async def write_reports(self, reports: Callable[[], Mapping[str, bytes]]) -> None:
        """Put reports, made by a function in the journal's thread, beside the archive by their names."""
        folder = self._folder
        if folder is not None:
            await self._thread(lambda: folder.write_reports(reports()))

    async def close(self) -> None:
        """Finish the batch that runs, close the archive's segment, let go of the folder, and end the thread."""
        await self._batches.close()
        try:
            await self._thread(self._journal.close)
        finally:
            if self._folder is not None:
                self._folder.release()
            self._thread.close()

    async def _other(self, call: Callable[..., R], *arguments: Any) -> R:
        """Do what is no commit, which keeps the thread busy all the same."""
        result, cost = await self._thread.measured(call, *arguments)
        self._stage.other += cost.ran / 1e9
        return result

    async def _run(self, attempts: list[Attempt]) -> list[tuple[Page | None, float, float]]:
        committed, cost = await self._thread.measured(self._journal.commit, attempts)
        self._stage.batches += 1
        for url in committed.queued:
            self._queued(url)
        for urls in committed.again:
            self._queued(urls)
        for told in self.committed:
            told(self.finished)
        share = 1e9 * len(attempts)
        return [(page, cost.ran / share, cost.cpu / share) for page in committed.pages]


def _take_folder(out: Path, begin: Begin, shared: bool) -> Folder:  # noqa: FBT001  passed on by a thread
    folder = Folder(out, fresh=begin is Begin.FRESH, now=time.time(), fenced=shared)
    if (out / SHARED).exists():
        folder.release()
        raise UsageError("the crawl in this folder is shared by several shards; go on with --cluster", where=str(out))
    return folder


def _open_journal(folder: Folder | None, config: Config, begin: Begin, seams: Seams) -> Journal:
    if folder is None:
        return Journal(None, config, seams)
    try:
        journal = Journal(folder.path, config, seams, fence=folder.fence)
    except FolderDamaged:
        if begin is not Begin.REBUILD:
            raise
        folder.give_up_state(time.time())
        journal = Journal(folder.path, config, seams, fence=folder.fence)
    if begin in (Begin.ALL_AGAIN, Begin.DUE_AGAIN):
        try:
            journal.begin_round(time.time(), all_pages=begin is Begin.ALL_AGAIN)
        except BaseException:
            journal.close()
            raise
    return journal
