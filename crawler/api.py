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
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from crawler.account import Account
from crawler.config import Config
from crawler.core.ledger import Ledger
from crawler.core.records import CrawlURL, Page
from crawler.errors import UsageError
from crawler.pages import Pages
from crawler.parts import Parts
from crawler.report.jsonfile import encode
from crawler.report.report import Progress, Report
from crawler.stages.commit import Begin
from crawler.storage.folder import PAGE, REPORT

if TYPE_CHECKING:
    from crawler.engine import Engine

Seeds: TypeAlias = Iterable[str] | AsyncIterable[str]
"""URLs, all at hand or as they come."""


async def crawl(
    seeds: Seeds,
    *,
    config: Config | None = None,
    out: Path | str,
    fresh: bool = False,
    rebuild: bool = False,
    recrawl: Literal["all", "due"] | None = None,
) -> Report:
    """Crawl from ``seeds`` and return the report; go on where an earlier crawl into ``out`` stopped.

    Args:
        seeds: URLs; bare host names are completed, what is no URL is counted in the report.
        config: the settings; by default polite, and blind to private addresses.
        out: folder for the archive, the page log, the state and the report.
        fresh: move an earlier run aside first.
        rebuild: if an earlier run's state is damaged, move it aside and make it anew from its archive.
        recrawl: if the earlier crawl has ended, ask once more for all its pages, or for those that are due.

    Raises:
        CrawlerError: the crawl cannot begin or cannot go on; what was committed stands.
    """
    async with Crawler(config, out=out, fresh=fresh, rebuild=rebuild, recrawl=recrawl) as crawler:
        return await crawler.crawl(seeds)


class Crawler:
    """One output folder and everything that works for it, while it is entered.

    Args:
        config: the settings.
        out: the output folder; created if need be.
        fresh: move an earlier run aside first.
        rebuild: if an earlier run's state is damaged, move it aside and make it anew from its archive:
            what is in there is not fetched again. To be given again until the rebuilt run has caught up.
        recrawl: if the earlier crawl has ended, ask once more for ``all`` its pages, or for those that are ``due``;
            one that has not ended is gone on with.

    Raises (on entering):
        UsageError: more than one of these is asked for.
        FolderBusy: another crawl holds the folder.
        FolderDamaged, FolderUnusable: its state is not fit for use, or it cannot be written.
        ConfigError: a setting names a file that cannot be used.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        out: Path | str,
        fresh: bool = False,
        rebuild: bool = False,
        recrawl: Literal["all", "due"] | None = None,
    ) -> None:
        self._begin = _begin(fresh=fresh, rebuild=rebuild, recrawl=recrawl)
        self._out = Path(out)
        self._engine: Engine | None = None
        self._account: Account | None = None
        self._report: Report | None = None
        self._stopped = False
        # Never set back, whatever happens to the wall clock; uvloop's own time stands still for a turn of the loop.
        base = time.time() - time.monotonic()
        self._now: Callable[[], float] = lambda: base + time.monotonic()
        self._started_at = 0.0
        self._parts = Parts(config or Config(), self._out, Ledger(), self._now)

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
            run = asyncio.get_running_loop().create_task(self._run(seeds, deliver))
            self._parts.on_close(partial(_ended, run))
            return run

        return Pages(start)

    def stop(self, reason: str = "asked to stop") -> None:
        """End soon: start no further fetch, give those in flight five seconds, commit, return."""
        self._stopped = True
        if self._engine is not None:
            self._engine.stop(reason)

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
        """Tell how the run ended.

        Raises:
            UsageError: it has not.
        """
        if self._report is None:
            raise UsageError("the run has not ended yet; progress() tells how it stands")
        return self._report

    # inside

    def _queued(self, url: CrawlURL) -> None:
        if self._engine is not None:
            self._engine.queued(url)

    async def _run(self, seeds: Seeds, deliver: Callable[[Page], Awaitable[None]] | None = None) -> Report:
        if self._engine is not None:
            raise UsageError("a Crawler makes one run; enter a new one for the next")
        parts = self._parts
        engine = self._engine = parts.engine(deliver)
        probe = parts.probe(engine)
        if self._stopped:
            engine.stop()
        account = self._account = Account(
            parts, engine, probe, seeds=seeds, folder=str(self._out), started_at=self._started_at
        )
        probe.start()
        try:
            ending = await engine.run(seeds)
        finally:
            probe.stop()
        self._report = await account.final(ending, self._now())
        from crawler.report.page.page import html  # noqa: PLC0415  -- 20 ms, of use at the end only

        await parts.commit.write_reports({REPORT: encode(self._report), PAGE: html(self._report)})
        return self._report


def _begin(*, fresh: bool, rebuild: bool, recrawl: Literal["all", "due"] | None) -> Begin:
    asked = {"fresh": Begin.FRESH} if fresh else {}
    asked |= {"rebuild": Begin.REBUILD} if rebuild else {}
    asked |= {"recrawl": Begin.ALL_AGAIN if recrawl == "all" else Begin.DUE_AGAIN} if recrawl else {}
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} contradict each other")
    return next(iter(asked.values()), Begin.GO_ON)


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
