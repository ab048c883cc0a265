"""The parts of a crawl, opened in the right order and put together.

What computes starts first and gets ready while the HTTP client is imported; aiohttp takes 200 ms.
What is opened last is closed first, and the journal last of all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.config import UNLIMITED_DEPTH, Config
from crawler.core.concurrency import Concurrency
from crawler.core.evidence import Rules
from crawler.core.host_queues import Again, HostQueues
from crawler.core.ledger import Ledger
from crawler.core.records import CrawlURL, Page
from crawler.executors import Processes, Threads
from crawler.net.room import Room
from crawler.probe import Probe, Sources
from crawler.seams import Seams
from crawler.stages.bodies import Bodies
from crawler.stages.client import Client, fetcher, new_client
from crawler.stages.commit import Begin, Commit
from crawler.stages.extract import chosen, packed
from crawler.stages.mirror import WriteMirror
from crawler.stages.parse import Parse
from crawler.stages.parse_worker import ParseOptions, Result, Task, parse, prepare
from crawler.stages.quarantine import KeepSample
from crawler.stages.replay import Replay
from crawler.stages.snapshot import TakeSnapshots
from crawler.storage import quarantine
from crawler.storage.mirror import Mirror
from crawler.tuning import Tuning, most_slots
from crawler.worker import WorkerRules

if TYPE_CHECKING:
    from crawler.engine import Engine
    from crawler.pipeline import Locator
    from crawler.stages.fetch import Fetcher

_TAKE_LONG = ("crawler.engine", "crawler.stages.fetch_by")
"""What is imported beside the HTTP client, because it needs what a client needs."""
_MOST_WORKERS = 8
"""More parse workers than one loop can feed."""
_MIRROR_THREADS = 4


class Parts:
    """Everything that works for one output folder, from :meth:`open` to :meth:`close`.

    Args:
        config: the settings.
        out: the output folder; None if nothing is to be written.
        ledger: where costs are counted.
        now: Unix seconds, by a clock that is never set back.
        seams: what the caller puts in the place of parts of ours.

    Raises:
        UsageError, ConfigError: the function to extract with cannot be had, or not be given to a worker.
    """

    def __init__(
        self, config: Config, out: Path | None, ledger: Ledger, now: Callable[[], float], *, seams: Seams
    ) -> None:
        extract = chosen(seams.extract, config.parse)
        self._extract = packed(extract) if extract else b""
        self._seams = seams
        self._config = config
        self._out = out
        self.ledger = ledger
        self._now = now
        self._stack = AsyncExitStack()
        polite, fetch = config.politeness, config.fetch
        self.queues = HostQueues(
            delay=polite.delay,
            per_host=polite.per_host,
            per_address=polite.per_address if polite.per_address < fetch.concurrency else 0,
            robots=polite.robots == "obey",
            fair=bool(config.limits.max_pages or config.limits.max_bytes or config.limits.max_disk),
            longest=max(polite.delay, polite.max_crawl_delay, polite.max_retry_after, 2 * fetch.max_backoff),
        )
        archive = out / "archive" if out and config.store.archive == "warc" else None
        self.bodies = Bodies(archive, max_decoded=config.parse.max_decoded, max_ratio=config.parse.max_ratio)
        self._keep_sample: KeepSample | None = None
        self._mirror: WriteMirror | None = None
        self._replay: Replay | None = None
        self.snapshots: TakeSnapshots | None = None
        """What copies the folder to an object store; None if nothing does."""
        self.tuning: Tuning | None = None
        """What changes settings while the crawl runs; None if they are fixed."""
        self.client: Client
        self._fetch: Fetcher
        self._room = Room(fetch.memory, fetch.max_body)

    async def open(self, queued: Callable[[CrawlURL | Again], None], begin: Begin) -> None:
        """Open everything; ``queued`` is told of each URL that becomes known and is to be crawled.

        Raises:
            FolderError, ConfigError: as :class:`crawler.Crawler` says.
        """
        config, stack = self._config, self._stack
        if config.snapshot.to and self._out is not None:
            thread = self._threads("snapshot", 1)
            shard = self._seams.shard
            self.snapshots = TakeSnapshots(config.snapshot, self._out, thread, self._now, shard=shard is not None)
            await self.snapshots.begin(begin)
            if shard is not None:
                self._seams = replace(self._seams, shard=replace(shard, life=self.snapshots.claimed))
        self.commit = await Commit.open(self._out, config, self.ledger.commit, queued, begin=begin, seams=self._seams)
        stack.push_async_callback(self.commit.close)
        if self.snapshots:
            stack.push_async_callback(self.snapshots.close)
        rules = _worker_rules(
            config,
            extract=self._extract,
            archived_in=None if self._out is None else self._out.absolute() / "archive",
            keep_decoded=config.store.mirror or self._seams.store is not None,
        )
        self.processes: Processes[Task, Result] = Processes(rules, config.parse.workers or _workers())
        self.processes.start()
        stack.push_async_callback(self.processes.close)
        await self._open_client()
        if self._extract:
            await self.processes.ready()
        self.bodies.open(lambda: Threads("bodies", 1))
        stack.callback(self.bodies.close)
        if self._out is not None:
            self._open_files(self._out)
        if begin is Begin.REBUILD and len(earlier := await self.commit.earlier()):
            self._replay = Replay(earlier, self._threads("replay", 1), redirects=config.fetch.redirects)

    async def _open_client(self) -> None:
        """Import and open the HTTP client beside the loop, which goes on, while the workers get ready."""
        config, beside = self._config, self._threads("imports", 1)
        client = await beside(new_client, config.fetch, config.access)
        for module in (f"crawler.stages.fetch_{config.fetch.client}", *_TAKE_LONG):
            await beside(import_module, module)
        self.client = await self._stack.enter_async_context(client)
        longest = config.politeness.max_retry_after
        self._fetch = fetcher(self.client, config.fetch, self._room, max_retry_after=longest)

    def _open_files(self, out: Path) -> None:
        config = self._config
        samples = quarantine.Quarantine(out / quarantine.NAME, most_bytes=config.fetch.max_body)
        self._keep_sample = KeepSample(samples, self._threads("quarantine", 1), archive=config.store.archive == "warc")
        if config.store.mirror:
            mirror = Mirror(out / "mirror")
            self._stack.callback(mirror.close)
            self._mirror = WriteMirror(mirror, self._threads("mirror", _writers(config)), self.ledger.mirror)

    async def close(self) -> None:
        """Let go of everything that was opened, however far that went."""
        await self._stack.aclose()

    def on_close(self, last: Callable[[], Awaitable[None]]) -> None:
        """See to it that ``last`` is awaited before anything is closed."""
        self._stack.push_async_callback(last)

    def engine(self, deliver: Callable[[Page], Awaitable[None]] | None) -> Engine:
        """Put the stages together; ``deliver`` takes each finished page."""
        from crawler.engine import Engine  # noqa: PLC0415  -- these need the client, see open
        from crawler.pipeline import Pipeline  # noqa: PLC0415
        from crawler.stages.admit import Admit  # noqa: PLC0415
        from crawler.stages.compare import Compare  # noqa: PLC0415
        from crawler.stages.fetch_by import FetchBy  # noqa: PLC0415

        config, polite = self._config, self._config.politeness
        fetch = self._fetch
        if self._seams.fetcher is not None:
            fetch = FetchBy(self._seams.fetcher, fetch, config.fetch)
        pipeline = Pipeline(
            admit=Admit(
                self.queues, polite, config.fetch, now=self._now, jitter=random.random, sitemaps=config.scope.sitemaps
            ),
            fetch=fetch,
            parse=Parse(self.processes, self._keep_sample, self.ledger, extracts=bool(self._extract)),
            mirror=self._mirror,
            compare=Compare(config.recrawl),
            commit=self.commit,
            ledger=self.ledger,
            room=self._room,
            locate=self._locator(),
            replay=self._replay,
        )
        return Engine(config, queues=self.queues, pipeline=pipeline, commit=self.commit, now=self._now, deliver=deliver)

    def _locator(self) -> Locator | None:
        # With a fetcher of the caller's own there may be no such name at all.
        return self.client.locate if self.queues.addresses.most and self._seams.fetcher is None else None

    def probe(self, engine: Engine) -> Probe:
        """Return what reads the meters of a crawl while it runs."""
        config = self._config
        rules = Rules(
            concurrency=engine.slots,
            per_host=config.politeness.per_host,
            per_address=self.queues.addresses.most,
            workers=self.processes.count,
            cores=_cores(),
            most_pages=engine.most_pages,
            mirror_threads=_writers(config),
            leaner=config.fetch.client == "aiohttp" and not config.access.proxy and self._seams.fetcher is None,
        )
        sources = Sources(
            tally=engine.tally,
            queues=self.queues,
            now=self._now,
            carried=lambda: engine.bytes_waiting,
            synced=lambda: self.commit.synced,
            lookups=lambda: self.client.lookups,
            taken=self.processes.taken,
            slots=lambda: engine.slots,
        )
        if not config.fetch.concurrency:
            self.tuning = Tuning(Concurrency(rules, most_slots(config.fetch.max_body)), engine.resize)
        return Probe(self.ledger, rules, sources, self.tuning.see if self.tuning else None)

    def _threads(self, name: str, count: int) -> Threads:
        threads = Threads(name, count)
        self._stack.callback(threads.close)
        return threads


def _worker_rules(config: Config, *, extract: bytes, archived_in: Path | None, keep_decoded: bool) -> WorkerRules:
    settings = config.parse
    options = ParseOptions(
        assets=settings.assets,
        max_links=settings.max_links,
        max_decoded=settings.max_decoded,
        max_ratio=settings.max_ratio,
        archive=config.store.archive == "warc" and archived_in is not None,
        archived_in=str(archived_in or ""),
        keep_decoded=keep_decoded,
        depth_matters=config.scope.max_depth != UNLIMITED_DEPTH,
        product=config.fetch.user_agent.partition("/")[0],
        extract=extract,
    )
    return WorkerRules(call=parse, prepare=prepare, options=options, timeout=settings.timeout, memory=settings.memory)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _workers() -> int:
    return min(_MOST_WORKERS, _cores())


def _writers(config: Config) -> int:
    return config.store.write_threads or _MIRROR_THREADS
