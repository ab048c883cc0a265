"""The library: ``await crawl(...)``, or ``async with Crawler(...)`` and ``async for page in crawler.run(...)``.

Works in any running loop, touches no signal, logger, loop policy, environment, working directory or default executor,
and leaves no task, thread, process, socket or lock behind, however it ends.
(Python itself keeps one resource-tracker process for all of ``multiprocessing``, until the program ends.)
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from crawler.config import UNLIMITED_DEPTH, Config
from crawler.core.evidence import Rules
from crawler.core.host_queues import HostQueues
from crawler.core.ledger import Ledger
from crawler.core.records import CrawlURL, Page
from crawler.core.verdict import judge
from crawler.errors import UsageError
from crawler.executors import Processes, Threads
from crawler.probe import Probe, Sources
from crawler.report.compose import Run, compose, totals
from crawler.report.jsonfile import encode
from crawler.report.meters import ledger_report, verdict_report
from crawler.report.report import Progress, Report, seed_report
from crawler.stages.commit import Begin, Commit
from crawler.stages.mirror import WriteMirror
from crawler.stages.parse import Parse
from crawler.stages.parse_worker import ParseOptions, Result, Task, parse, prepare
from crawler.stages.quarantine import KeepSample
from crawler.stages.replay import Replay
from crawler.storage import quarantine
from crawler.storage.mirror import Mirror
from crawler.worker import WorkerRules

if TYPE_CHECKING:
    from crawler.engine import Engine

_MOST_WORKERS = 8
"""More parse workers than one loop can feed."""
_MIRROR_THREADS = 4
_MOST_UNDELIVERED = 64


Seeds: TypeAlias = Iterable[str] | AsyncIterable[str]
"""URLs, all at hand or as they come."""


async def crawl(
    seeds: Seeds, *, config: Config | None = None, out: Path | str, fresh: bool = False, rebuild: bool = False
) -> Report:
    """Crawl from ``seeds`` and return the report; go on where an earlier crawl into ``out`` stopped.

    Args:
        seeds: URLs; bare host names are completed, what is no URL is counted in the report.
        config: the settings; by default polite, and blind to private addresses.
        out: folder for the archive, the page log, the state and the report.
        fresh: move an earlier run aside first.
        rebuild: if an earlier run's state is damaged, move it aside and make it anew from its archive.

    Raises:
        CrawlerError: the crawl cannot begin or cannot go on; what was committed stands.
    """
    async with Crawler(config, out=out, fresh=fresh, rebuild=rebuild) as crawler:
        return await crawler.crawl(seeds)


class Crawler:
    """One output folder and everything that works for it, while it is entered.

    Args:
        config: the settings.
        out: the output folder; created if need be.
        fresh: move an earlier run aside first.
        rebuild: if an earlier run's state is damaged, move it aside and make it anew from its archive:
            what is in there is not fetched again. To be given again until the rebuilt run has caught up.

    Raises (on entering):
        UsageError: both are asked for.
        FolderBusy: another crawl holds the folder.
        FolderDamaged, FolderUnusable: its state is not fit for use, or it cannot be written.
        ConfigError: a setting names a file that cannot be used.
    """

    def __init__(
        self, config: Config | None = None, *, out: Path | str, fresh: bool = False, rebuild: bool = False
    ) -> None:
        if fresh and rebuild:
            raise UsageError("fresh and rebuild contradict each other")
        self._begin = Begin.FRESH if fresh else Begin.REBUILD if rebuild else Begin.GO_ON
        self._config = config or Config()
        self._out = Path(out)
        self._stack = AsyncExitStack()
        self._engine: Engine | None = None
        self._report: Report | None = None
        self._now: Callable[[], float] = time.time
        self._stopped = False
        self._ledger = Ledger()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

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
            self._stack.push_async_callback(_ended, run)
            return run

        return Pages(start)

    def stop(self, reason: str = "asked to stop") -> None:
        """End soon: start no further fetch, give those in flight five seconds, commit, return."""
        self._stopped = True
        if self._engine is not None:
            self._engine.stop(reason)

    def progress(self) -> Progress:
        """Tell how the crawl stands at this moment."""
        engine, elapsed = self._engine, self._now() - self._started_at
        if engine is None:
            return Progress(elapsed=elapsed, stopping=self._stopped)
        tally = engine.tally
        return Progress(
            pages=tally.pages,
            failed=tally.failed,
            queued=len(self._queues),
            in_flight=engine.in_flight,
            bytes_received=tally.bytes,
            hosts_ready=self._queues.ready_hosts(self._now()),
            elapsed=elapsed,
            stopping=self._stopped,
            bottleneck=judge(self._probe.evidence(recent=True)).short,
        )

    def report(self) -> Report:
        """Tell how the run ended.

        Raises:
            UsageError: it has not.
        """
        if self._report is None:
            raise UsageError("the run has not ended yet; progress() tells how it stands")
        return self._report

    # inside

    async def _open(self) -> None:
        """Take the folder first, start the workers next, and import the client while they get ready."""
        # never set back, whatever happens to the wall clock; uvloop's own time stands still for a turn of the loop
        base = time.time() - time.monotonic()
        self._now = lambda: base + time.monotonic()
        self._started_at = self._now()
        config, stages = self._config, self._ledger
        self._commit = await Commit.open(self._out, config, stages.commit, self._queued, begin=self._begin)
        self._stack.push_async_callback(self._commit.close)
        self._processes: Processes[Task, Result] = Processes(_worker_rules(config), config.parse.workers or _cores())
        self._processes.start()
        self._stack.push_async_callback(self._processes.close)
        from crawler.net.session import Session  # noqa: PLC0415  -- 200 ms in which the workers get ready

        self._session = await self._stack.enter_async_context(Session(config.fetch))
        self._keep_sample = self._sampling()
        self._replay = await self._replaying() if self._begin is Begin.REBUILD else None
        self._mirror: WriteMirror | None = None
        if config.store.mirror:
            threads = Threads("mirror", config.store.write_threads or _MIRROR_THREADS)
            self._stack.callback(threads.close)
            self._mirror = WriteMirror(Mirror(self._out / "mirror"), threads, stages.mirror)

    def _sampling(self) -> KeepSample:
        thread, store = Threads("quarantine", 1), self._config.store
        self._stack.callback(thread.close)
        samples = quarantine.Quarantine(self._out / quarantine.NAME, most_bytes=self._config.fetch.max_body)
        return KeepSample(samples, thread, archive=store.archive == "warc")

    async def _replaying(self) -> Replay | None:
        earlier = await self._commit.earlier()
        if not len(earlier):
            return None
        thread = Threads("replay", 1)
        self._stack.callback(thread.close)
        return Replay(earlier, thread, redirects=self._config.fetch.redirects)

    async def _close(self) -> None:
        """Let go of everything, even if cancelled meanwhile."""
        closing = asyncio.ensure_future(self._stack.aclose())
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.wait([closing])
            except asyncio.CancelledError as error:
                cancelled = error
        closing.result()
        if cancelled is not None:
            raise cancelled

    def _queued(self, url: CrawlURL) -> None:
        if self._engine is not None:
            self._engine.queued(url)

    async def _run(self, seeds: Seeds, deliver: Callable[[Page], Awaitable[None]] | None = None) -> Report:
        if self._engine is not None:
            raise UsageError("a Crawler makes one run; enter a new one for the next")
        engine = self._engine = self._build(deliver)
        if self._stopped:
            engine.stop()
        cpu = time.process_time()
        self._probe.start()
        try:
            ending = await engine.run(seeds)
        finally:
            self._probe.stop()
        evidence = self._probe.evidence()
        known, counts = await self._commit.counts()
        run = Run(
            started_at=self._started_at,
            ended_at=self._now(),
            ending=ending,
            reason=engine.stop_reason or engine.limit,
            folder=str(self._out),
            cpu_main=time.process_time() - cpu,
            cpu_workers=self._processes.cpu,
            connections={"opened": self._session.connections, "workers_replaced": self._processes.replaced},
            seeds=seed_report(seeds, engine.tally),
            known=known,
            totals=totals(counts),
            verdict=verdict_report(judge(evidence)),
            measured=ledger_report(
                evidence, self._probe.lag, most_waiting=self._probe.most_carried, looked=self._probe.looked
            ),
        )
        self._report = compose(run, engine.tally, self._ledger, self._queues)
        await self._commit.write_report(encode(self._report))
        return self._report

    def _build(self, deliver: Callable[[Page], Awaitable[None]] | None) -> Engine:
        from crawler.engine import Engine  # noqa: PLC0415  -- these need the client, see _open
        from crawler.pipeline import Pipeline  # noqa: PLC0415
        from crawler.stages.admit import Admit  # noqa: PLC0415
        from crawler.stages.fetch import HttpFetcher  # noqa: PLC0415

        config, commit, polite = self._config, self._commit, self._config.politeness
        self._queues = HostQueues(
            delay=polite.delay,
            per_host=polite.per_host,
            robots=polite.robots == "obey",
            longest=max(polite.delay, polite.max_crawl_delay, polite.max_retry_after, 2 * config.fetch.max_backoff),
        )
        pipeline = Pipeline(
            admit=Admit(self._queues, polite, config.fetch, now=self._now, jitter=random.random),
            fetch=HttpFetcher(self._session, config.fetch, max_retry_after=polite.max_retry_after),
            parse=Parse(self._processes, self._keep_sample, self._ledger.parse),
            mirror=self._mirror,
            commit=commit,
            ledger=self._ledger,
            replay=self._replay,
        )
        engine = Engine(
            config,
            queues=self._queues,
            pipeline=pipeline,
            commit=commit,
            now=self._now,
            deliver=deliver,
        )
        self._probe = self._probing(engine, lambda: pipeline.bytes_waiting)
        return engine

    def _probing(self, engine: Engine, carried: Callable[[], int]) -> Probe:
        config, session = self._config, self._session
        rules = Rules(
            concurrency=config.fetch.concurrency,
            per_host=config.politeness.per_host,
            workers=self._processes.count,
            cores=len(os.sched_getaffinity(0)),
            most_pages=engine.most_pages,
            mirror_threads=config.store.write_threads or _MIRROR_THREADS,
        )
        sources = Sources(
            tally=engine.tally,
            queues=self._queues,
            now=self._now,
            carried=carried,
            synced=lambda: self._commit.synced,
            lookups=lambda: session.lookups,
        )
        return Probe(self._ledger, rules, sources)


class Pages:
    """The finished pages of a run, in the order of their commits: ``async for page in pages``."""

    def __init__(self, run: Callable[[Callable[[Page], Awaitable[None]]], asyncio.Task[Report]]) -> None:
        self._start = run
        self._run: asyncio.Task[Report] | None = None
        self._pages: deque[Page] = deque()
        self._room = asyncio.Semaphore(_MOST_UNDELIVERED)
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Pages:
        return self

    async def __anext__(self) -> Page:
        if self._run is None:
            self._run = self._start(self._deliver)
            self._run.add_done_callback(lambda _: self._arrived.set())
        while not self._pages:
            if self._run.done():
                self._run.result()
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._room.release()
        return self._pages.popleft()

    async def aclose(self) -> None:
        """End the run; what was fetched and not yet taken is in the archive all the same."""
        if self._run is not None and not self._run.done():
            self._run.cancel()
            await asyncio.wait([self._run])

    async def _deliver(self, page: Page) -> None:
        await self._room.acquire()
        self._pages.append(page)
        self._arrived.set()


async def _ended(run: asyncio.Task[Report]) -> None:
    """See a run gone that its caller may have left."""
    run.cancel()
    await asyncio.wait([run])


def _worker_rules(config: Config) -> WorkerRules:
    settings = config.parse
    options = ParseOptions(
        assets=settings.assets,
        max_links=settings.max_links,
        max_decoded=settings.max_decoded,
        max_ratio=settings.max_ratio,
        archive=config.store.archive == "warc",
        keep_decoded=config.store.mirror,
        depth_matters=config.scope.max_depth != UNLIMITED_DEPTH,
        product=config.fetch.user_agent.partition("/")[0],
    )
    return WorkerRules(call=parse, prepare=prepare, options=options, timeout=settings.timeout, memory=settings.memory)


def _cores() -> int:
    return min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
