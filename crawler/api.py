"""The library: ``await crawl(...)``, or ``async with Crawler(...)`` and ``async for page in crawler.run(...)``.

Works in any running loop, touches no signal, logger, loop policy, environment, working directory or default executor,
and leaves no task, thread, process, socket or lock behind, however it ends.
(Python itself keeps one resource-tracker process for all of ``multiprocessing``, until the program ends.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypedDict, Unpack

from msgspec.structs import replace

from crawler.account import Account
from crawler.config import Config
from crawler.core.document import Document
from crawler.core.host_queues import Again
from crawler.core.ledger import Ledger
from crawler.core.records import CrawlURL, Page
from crawler.core.shards import Shard
from crawler.errors import UsageError
from crawler.pages import Pages
from crawler.parts import Parts
from crawler.report.jsonfile import encode
from crawler.report.report import Ending, Progress, Report
from crawler.seams import PageFetcher, PageStore, Seams, URLScope
from crawler.stages.commit import Begin, Commit
from crawler.storage.folder import PAGE, REPORT

if TYPE_CHECKING:
    from crawler.engine import Engine, Share
    from crawler.stages.snapshot import TakeSnapshots

Seeds: TypeAlias = str | Iterable[str] | AsyncIterable[str]
"""One URL, or several, all at hand or as they come."""


class TheirParts(TypedDict, total=False):
    """What a caller may put in, see :mod:`crawler.seams`."""

    extract: Callable[[Document], Any] | None
    fetcher: PageFetcher | None
    store: PageStore | None
    scope: URLScope | None
    shard: Shard | None


async def crawl(  # noqa: PLR0913  all by name, and none needed
    seeds: Seeds,
    *,
    config: Config | None = None,
    out: Path | str | None,
    fresh: bool = False,
    rebuild: bool = False,
    recrawl: Literal["all", "due"] | None = None,
    cluster: str | None = None,
    shards: int | None = None,
    **seams: Unpack[TheirParts],
) -> Report:
    """Crawl from ``seeds`` and return the report; go on where an earlier crawl into ``out`` stopped.

    Args:
        seeds: URLs; bare host names are completed, what is no URL is counted in the report.
        config: the settings; by default polite, and blind to private addresses.
        out: folder for the archive, the page log, the state and the report; None to write no file at all.
        fresh: move an earlier run aside first.
        rebuild: if an earlier run's state is damaged, move it aside and make it anew from its archive.
        recrawl: if the earlier crawl has ended, ask once more for all its pages, or for those that are due.
        cluster: have several shards share the crawl, on Ray: ``local``, ``auto`` or ``ray://HOST:PORT``.
        shards: how many; None is as many as there were before, or as suit the cluster.
        **seams: ``extract``, ``fetcher``, ``store`` and ``scope``, see :mod:`crawler.seams`; on a cluster each must be
            fit to be pickled, and each shard has its own.

    Raises:
        CrawlerError: the crawl cannot begin or cannot go on; what was committed stands.
    """
    how: dict[str, Any] = {"out": out, "fresh": fresh, "rebuild": rebuild, "recrawl": recrawl, **seams}
    if cluster is not None:
        # by its name: it stands above this module, and who has no cluster need not have Ray
        shared = import_module("crawler.cluster").shared_crawler(cluster, config=config, shards=shards, **how)
        async with shared as crawler:
            report: Report = await crawler.crawl(seeds)
            return report
    if shards is not None:
        raise UsageError("shards need a cluster")
    async with Crawler(config, **how) as crawler:
        return await crawler.crawl(seeds)


class Crawler:
    """One output folder and everything that works for it, while it is entered.

    Args:
        config: the settings.
        out: the output folder, created if need be; None to write no file at all: then the state is in memory,
            which ``store.memory`` bounds, and nothing of the crawl is left when it is over.
        fresh: move an earlier run aside first.
        rebuild: if an earlier run's state is damaged, move it aside and make it anew from its archive:
            what is in there is not fetched again. To be given again until the rebuilt run has caught up.
        recrawl: if the earlier crawl has ended, ask once more for ``all`` its pages, or for those that are ``due``;
            one that has not ended is gone on with.
        **seams: ``extract``, a function that is run over each page in a worker process, and is to be at the top level
            of its module or script; ``fetcher``, ``store`` and ``scope``: see :mod:`crawler.seams`.

    Raises:
        UsageError: what is asked for contradicts itself, or ``extract`` cannot be given to a worker process.
        FolderBusy: on entering: another crawl holds the folder.
        FolderDamaged: on entering: its state is not fit for use.
        FolderUnusable: on entering: it cannot be written.
        ConfigError: on entering: a setting names a file that cannot be used.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        out: Path | str | None,
        fresh: bool = False,
        rebuild: bool = False,
        recrawl: Literal["all", "due"] | None = None,
        **seams: Unpack[TheirParts],
    ) -> None:
        config = config or Config()
        self._begin = _begin(fresh=fresh, rebuild=rebuild, recrawl=recrawl)
        self._out = None if out is None else Path(out)
        if config.snapshot.to and config.store.mirror:
            raise UsageError("snapshot.to and store.mirror contradict each other: a snapshot holds no mirror")
        if out is None and (asked := _needs_folder(config, self._begin)):
            raise UsageError(f"{asked} needs an output folder")
        self._engine: Engine | None = None
        self._account: Account | None = None
        self._ending = Ending.RUNNING
        self._report: Report | None = None
        self._share: Share | None = None
        self._stopped = False
        # Never set back, whatever happens to the wall clock; uvloop's own time stands still for a turn of the loop.
        base = time.time() - time.monotonic()
        self._now: Callable[[], float] = lambda: base + time.monotonic()
        self._started_at = self._now()
        self._parts = Parts(config, self._out, Ledger(), self._now, seams=Seams(**seams))

    async def __aenter__(self) -> Self:
        self._started_at = self._now()
        try:
            # What a cancelled opening had just taken, nobody would let go of.
            await _to_the_end(self._parts.open(self._queued, self._begin))
        except BaseException:
            await _to_the_end(self._parts.close())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _to_the_end(self._parts.close())

    # using it

    async def crawl(self, seeds: Seeds) -> Report:
        """Crawl from ``seeds`` to the end; return the report, which is also in ``report.json``."""
        return await self._run(seeds)

    def run(self, seeds: Seeds) -> Pages:
        """Crawl from ``seeds``, and iterate over the finished pages, each after its commit.

        A caller that takes its time slows the crawl; one that leaves early stops it when the crawler is left.
        """

        def start(deliver: Callable[[Page], Awaitable[None]]) -> asyncio.Task[Report]:
            async def opened(page: Page) -> None:
                page.opened_by(self._parts.bodies)
                await deliver(page)

            run = asyncio.get_running_loop().create_task(self._run(seeds, opened))
            self._parts.on_close(partial(_ended, run))
            return run

        return Pages(start)

    def stop(self, reason: str = "asked to stop") -> None:
        """End soon: start no further fetch, give those in flight five seconds, commit, return."""
        self._stopped = True
        if self._engine is not None:
            self._engine.stop(reason)

    def share(self, share: Share) -> None:
        """Take part in a crawl that several share, by this share from now on; to be called before the run, too."""
        self._share = share
        if self._engine is not None:
            self._engine.shared(share)

    @property
    def engine(self) -> Engine | None:
        """What runs the crawl; None before the run."""
        return self._engine

    @property
    def commit(self) -> Commit:
        """The door to the journal, while the crawler is entered."""
        return self._parts.commit

    @property
    def snapshots(self) -> TakeSnapshots | None:
        """What copies the folder to an object store, while the crawler is entered; None if nothing does."""
        return self._parts.snapshots

    def progress(self) -> Progress:
        """Tell how the crawl stands at this moment."""
        now = self._now()
        if self._account is None:
            return Progress(elapsed=now - self._started_at, stopping=self._stopped)
        return self._account.progress(now)

    def so_far(self) -> Report | None:
        """Tell the run as it stands at this moment, as a report; None while it has not begun.

        It takes a few milliseconds of the loop, so not to be asked for more than a few times a second.
        What the folder held before is not counted: only :meth:`report` tells that.
        """
        return self._account.so_far(self._now()) if self._account is not None else None

    def report(self) -> Report:
        """Tell how the run ended, or, while it goes on, how it and the folder stand at this moment."""
        if self._report is not None:
            return self._report
        now = self._now()
        if self._account is not None:
            return self._account.standing(self._ending, now)
        return Report(ending=self._ending, started_at=self._started_at, ended_at=now, seconds=now - self._started_at)

    # inside

    def _queued(self, url: CrawlURL | Again) -> None:
        if self._engine is not None:
            self._engine.queued(url)

    async def _run(self, seeds: Seeds, deliver: Callable[[Page], Awaitable[None]] | None = None) -> Report:
        if self._engine is not None:
            raise UsageError("a Crawler makes one run; enter a new one for the next")
        parts = self._parts
        engine = parts.engine(deliver)
        if self._share is not None:
            engine.shared(self._share)
            await parts.commit.recall(engine.tally)
        self._engine = engine
        probe = parts.probe(engine)
        if self._stopped:
            engine.stop()
        seeds = (seeds,) if isinstance(seeds, str) else seeds
        folder = "" if self._out is None else str(self._out)
        account = self._account = Account(parts, engine, probe, seeds=seeds, folder=folder, started_at=self._started_at)
        await account.look_back()
        if parts.snapshots:
            parts.snapshots.start(parts.commit, engine.fail)
        probe.start()
        try:
            ending = await engine.run(seeds)
        except BaseException:
            self._ending = Ending.INTERRUPTED
            raise
        finally:
            probe.stop()
        self._report = report = await account.final(ending, self._now())
        if parts.snapshots:
            await parts.snapshots.last(patient=ending is not Ending.INTERRUPTED)
            self._report = report = replace(report, snapshot=parts.snapshots.told())
        if self._out is not None:
            await parts.commit.write_reports(partial(_reports, report))
        return report


def _reports(report: Report) -> dict[str, bytes]:
    """Write a report in its forms, which takes some 50 ms: in a thread."""
    from crawler.report.page.page import html  # noqa: PLC0415  -- of use at the end only

    return {REPORT: encode(report), PAGE: html(report)}


def _begin(*, fresh: bool, rebuild: bool, recrawl: Literal["all", "due"] | None) -> Begin:
    asked = {"fresh": Begin.FRESH} if fresh else {}
    asked |= {"rebuild": Begin.REBUILD} if rebuild else {}
    asked |= {"recrawl": Begin.ALL_AGAIN if recrawl == "all" else Begin.DUE_AGAIN} if recrawl else {}
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} contradict each other")
    return next(iter(asked.values()), Begin.GO_ON)


def _needs_folder(config: Config, begin: Begin) -> str:
    """Name what is asked for and cannot be without a folder; empty if there is nothing."""
    if begin not in (Begin.GO_ON, Begin.FRESH):
        return "rebuild" if begin is Begin.REBUILD else "recrawl"
    if config.store.mirror:
        return "store.mirror"
    if config.snapshot.to:
        return "snapshot.to"
    return "limits.max_disk" if config.limits.max_disk else ""


async def _ended(run: asyncio.Task[Report]) -> None:
    """See a run gone that its caller may have left."""
    run.cancel()
    await asyncio.wait([run])


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work`` to its end, even if cancelled meanwhile; what was cancelled is so after it."""
    task = asyncio.get_running_loop().create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
