"""A shared crawl from outside: it is used as a :class:`crawler.Crawler` is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, Unpack

import msgspec

from crawler.api import Seeds, TheirParts
from crawler.cluster.driver import Driver
from crawler.cluster.link import Beginning, Part, Unreachable
from crawler.cluster.outlook import Outlook
from crawler.config import Config
from crawler.core.sharing import share_out
from crawler.errors import StoreUnreachable, UsageError
from crawler.executors import Threads
from crawler.report.history import SHOWN, past_run
from crawler.report.jsonfile import decode, encode
from crawler.report.merge import merge
from crawler.report.report import Ending, PastRun, Progress, Report
from crawler.report.seeds import seed_report
from crawler.seams import Seams
from crawler.storage.folder import PAGE, REPORT
from crawler.storage.moving import move
from crawler.storage.object_store import ObjectStore
from crawler.storage.shared_folder import Common, SharedFolder, next_round, shard_folder
from crawler.storage.shared_snapshots import SharedSnapshots, shard_place

_log = logging.getLogger(__name__)

STORY_EVERY = 2.0
"""Seconds from one report of a running crawl to the next, while somebody looks."""
LOOKED_AT = 30.0
"""Seconds after which nobody looks any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a shard is to do, wherever it is put."""

    config: Config
    folder: Path
    seams: Seams
    begin: Beginning


class Place(Protocol):
    """Where shards run."""

    async def suits(self) -> int:
        """Return how many shards suit it, if nobody says."""

    def put(self, posts: Sequence[Post]) -> AbstractAsyncContextManager[Sequence[Part]]:
        """Put shards there, for as long as the context is entered."""


class SharedCrawler:
    """One output folder and the shards that work for it, while it is entered.

    Args:
        config: the settings, of all shards together.
        out: the output folder, which all of them can reach under this name.
        place: where they run.
        shards: how many; None is as many as there were before, or as suit the place.
        fresh, rebuild, recrawl, seams: see :class:`crawler.Crawler`.

    Raises:
        UsageError: what is asked for contradicts itself, or cannot be had.
        FolderBusy, FolderDamaged, FolderUnusable: on entering: the folder is not fit for use.
    """

    def __init__(  # noqa: PLR0913  as a Crawler has them, and the two that make it a shared one
        self,
        config: Config | None = None,
        *,
        out: Path | str | None,
        place: Place,
        shards: int | None = None,
        fresh: bool = False,
        rebuild: bool = False,
        recrawl: Literal["all", "due"] | None = None,
        **seams: Unpack[TheirParts],
    ) -> None:
        if out is None:
            raise UsageError("a cluster needs an output folder")
        self._config = config or Config()
        if self._config.snapshot.to and self._config.store.mirror:
            raise UsageError("snapshot.to and store.mirror contradict each other: a snapshot holds no mirror")
        self._out = Path(out)
        self._place = place
        self._shards = shards
        self._fresh = fresh
        self._begin = Beginning(rebuild=rebuild, recrawl=recrawl)
        self._seams = Seams(**seams)
        self._started_at = time.time()
        self._since = time.monotonic()
        self._stack = AsyncExitStack()
        self._driver: Driver | None = None
        self._stopped = ""
        self._ending = Ending.RUNNING
        self._seeds: object = ()
        self._report: Report | None = None
        self._story: Report | None = None
        self._asked_at = -LOOKED_AT
        self._history: tuple[PastRun, ...] = ()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            self._thread = Threads("shared folder", 1)
            opened.callback(self._thread.close)
            self._folder = await self._thread(self._take_folder)
            opened.callback(self._folder.release)
            posts = await self._posts()
            self._parts = await opened.enter_async_context(self._place.put(posts))
            self._outlook = Outlook(len(posts))
            self._assignment = posts[0].seams.shard.assignment if posts[0].seams.shard else ()
            self._stack = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _take_folder(self) -> SharedFolder:
        settings, snapshots = self._config.snapshot, None
        if settings.to:
            store = ObjectStore(settings.to, settings.endpoint)
            snapshots = SharedSnapshots(store, self._out, keep=settings.keep)
        return SharedFolder(self._out, fresh=self._fresh, now=time.time(), snapshots=snapshots)

    async def _posts(self) -> list[Post]:
        """Put everything where it belongs, and say what each shard is to do."""
        before = self._folder.before
        count = self._shards or (before.shards if before else await self._place.suits())
        assignment = self._folder.assignment(count)
        if before is not None and self._config.snapshot.to:
            self._refuse_what_needs_all_folders(before, count)
        if before is not None and before.assignment != assignment:
            await self._thread(move, self._out, assignment, bytes.fromhex(before.key))
        begin = self._begin
        round_ = await self._thread(next_round, self._out, before) if begin.recrawl and before else 0
        if begin.recrawl and not round_:
            begin = msgspec.structs.replace(begin, recrawl=None)  # the round that is there has not ended
        shards = await self._thread(self._folder.begin, count)
        self._history = await self._thread(_history, self._out)
        return [
            Post(
                config=_placed(config, shard.number),
                folder=shard_folder(self._out.absolute(), shard.number),
                seams=replace(self._seams, shard=replace(shard, round=round_)),
                begin=begin,
            )
            for config, shard in zip(share_out(self._config, count), shards, strict=True)
        ]

    def _refuse_what_needs_all_folders(self, before: Common, shards: int) -> None:
        """Refuse what is done before shards are put anywhere, where their folders may be on disks of their own."""
        if before.shards != shards:
            raise UsageError(
                f"with snapshot.to the number of shards stays what it was: {before.shards};"
                " to change it, bring the folder back with restore, and go on without, or with another place"
            )
        missing = [shard for shard in range(shards) if not shard_folder(self._out, shard).exists()]
        if missing and self._begin.recrawl:
            raise UsageError("recrawl needs the folders of all shards; bring them back with restore first")

    # using it

    async def crawl(self, seeds: Seeds) -> Report:
        """Crawl from ``seeds`` to the end; return the report, which is also in ``report.json``."""
        if self._driver is not None:
            raise UsageError("a crawler makes one run; enter a new one for the next")
        self._seeds = seeds
        driver = self._driver = Driver(self._parts, self._assignment, self._config.limits, self._outlook)
        if self._stopped:
            driver.stop(self._stopped)
        telling = asyncio.create_task(self._tell())
        try:
            ending = await driver.run((seeds,) if isinstance(seeds, str) else seeds)
        except BaseException:
            self._ending = Ending.INTERRUPTED
            raise
        finally:
            telling.cancel()
            await asyncio.wait([telling])
        self._report = await self._thread(self._write, self._merged(driver.reports, ending))
        return self._report

    def stop(self, reason: str = "asked to stop") -> None:
        """End soon: start no further fetch, give those in flight five seconds, commit, return."""
        self._stopped = reason
        if self._driver is not None:
            self._driver.stop(reason)

    def progress(self) -> Progress:
        """Tell how the crawl stands."""
        elapsed, stopping = time.monotonic() - self._since, bool(self._stopped)
        if self._driver is None:
            return Progress(elapsed=elapsed, stopping=stopping)
        return self._outlook.progress(elapsed, stopping=stopping)

    def so_far(self) -> Report | None:
        """Tell the run as it stood a moment ago, as a report; None while it has not begun."""
        self._asked_at = time.monotonic()
        return self._story

    def report(self) -> Report:
        """Tell how the run ended, or, while it goes on, how it stood a moment ago."""
        return self._report or self._story or self._whole(self._ending)

    # inside

    async def _tell(self) -> None:
        """Ask the shards for their stories now and then, as long as somebody looks."""
        while True:
            if time.monotonic() - self._asked_at < LOOKED_AT:
                stories = await asyncio.gather(*(_story(part) for part in self._parts))
                if any(stories):
                    self._story = self._merged(stories, Ending.RUNNING)
            await asyncio.sleep(STORY_EVERY)

    def _merged(self, reports: Sequence[Report | None], ending: Ending) -> Report:
        return merge([one for one in reports if one], self._outlook.rows(reports), self._whole(ending))

    def _whole(self, ending: Ending) -> Report:
        now, driver = time.time(), self._driver
        return Report(
            ending=ending,
            reason=driver.reason if driver else "",
            folder=str(self._out),
            started_at=self._started_at,
            ended_at=now,
            seconds=now - self._started_at,
            seeds=seed_report(self._seeds, driver.tally) if driver else Report.seeds,
            history=self._history,
        )

    def _write(self, report: Report) -> Report:
        """Put the report into the folder, and both where they cannot be lost; return it as it is then."""
        self._write_forms(report)
        try:
            self._folder.snapshot()
        except StoreUnreachable as error:
            _log.warning("the last snapshot of the whole failed: %s", error)
            if report.snapshot is not None:
                told = msgspec.structs.replace(report.snapshot, complete=False, trouble=str(error))
                report = msgspec.structs.replace(report, snapshot=told)
                self._write_forms(report)
        return report

    def _write_forms(self, report: Report) -> None:
        from crawler.report.page.page import html  # noqa: PLC0415  -- 20 ms, of use at the end only

        self._folder.write_reports({REPORT: encode(report), PAGE: html(report)})


def _placed(config: Config, shard: int) -> Config:
    """Give a shard a place of its own for its snapshots."""
    if not config.snapshot.to:
        return config
    place = msgspec.structs.replace(config.snapshot, to=shard_place(config.snapshot.to, shard))
    return msgspec.structs.replace(config, snapshot=place)


async def _story(part: Part) -> Report | None:
    try:
        return await part.so_far()
    except Unreachable:
        return None


def _history(folder: Path) -> tuple[PastRun, ...]:
    """Return the last runs before this one, as the last report tells them."""
    try:
        last = decode((folder / REPORT).read_bytes())
    except (OSError, msgspec.DecodeError):
        return ()
    return (*last.history, past_run(last))[-SHOWN:]
