"""THREAD: the output folder → an object store, again and again while the crawl goes on, and once more at its end.

The journal is held up for a moment only: it closes its segment and leaves the database's file alone,
which is copied, and then sent with all else, by a thread of its own.
A store that does not answer does not stop the crawl: the snapshot is tried again, and the report says how old the last
one is. A crawl that finds itself overtaken by another one ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crawler.config import Snapshot
from crawler.errors import StoreUnreachable
from crawler.executors import Threads
from crawler.report.report import SnapshotReport
from crawler.stages.commit import Begin, Commit
from crawler.storage.frozen import Frozen
from crawler.storage.object_store import ObjectStore
from crawler.storage.snapshots import Abandoned, Snapshots

_log = logging.getLogger(__name__)
_PAUSES = (5.0, 15.0, 60.0)
"""Seconds after a failure; from the last one on always so many."""
_LAST_TRIES = 3
_LAST_PAUSE = 1.0


class TakeSnapshots:
    """Takes snapshots of one folder.

    Args:
        settings: where to, and how often.
        folder: the output folder.
        thread: one thread of its own.
        now: Unix seconds, by a clock that is never set back.
        shard: whether the folder is that of a shard, see :class:`Snapshots`.

    Raises:
        ConfigError, UsageError: the place is none, or the extra is not installed.
    """

    def __init__(
        self, settings: Snapshot, folder: Path, thread: Threads, now: Callable[[], float], *, shard: bool = False
    ) -> None:
        self._settings = settings
        store = ObjectStore(settings.to, settings.endpoint)
        self._snapshots = Snapshots(store, folder, keep=settings.keep, shard=shard)
        self._thread = thread
        self._now = now
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._commit: Commit | None = None
        self._stopping = False
        self.taken: list[Callable[[Frozen], None]] = []
        """Told, on the loop, what the store has by now, each time that it has more."""
        self._seen = -1
        self._complete = False
        self._taken = self._failed = self._failed_now = 0
        self._trouble = ""

    async def begin(self, begin: Begin) -> None:
        """Claim the place, and bring the folder back from there if it is empty.

        Raises:
            FolderError, StorageError, UsageError: as :meth:`Snapshots.begin` says.
        """
        await self._thread(lambda: self._snapshots.begin(fresh=begin is Begin.FRESH))

    @property
    def url(self) -> str:
        """The place, as it may be shown."""
        return self._snapshots.url

    @property
    def claimed(self) -> int:
        """The number with which the place was claimed, higher each time."""
        return self._snapshots.claimed

    @property
    def kept(self) -> int:
        """How often something had become durable in this run when the last snapshot was taken; -1 if none was."""
        return self._seen

    @property
    def failing(self) -> int:
        """How many attempts have failed since the last snapshot."""
        return self._failed_now

    def start(self, commit: Commit, fail: Callable[[BaseException], None]) -> None:
        """Take snapshots from now on; ``fail`` is told why the crawl cannot go on, if that comes about."""
        self._commit = commit
        if commit.known and not self._snapshots.newest.pieces:
            self._again.set()  # what an earlier run left is nowhere else yet
        commit.committed.append(self._committed)
        self._task = asyncio.get_running_loop().create_task(self._keep_up())

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                fail(error)

        self._task.add_done_callback(ended)

    def soon(self) -> None:
        """Take one now if there is anything new, unless the store has failed: then in its turn."""
        if not self._failed_now:
            self._again.set()

    async def last(self, *, patient: bool = True) -> None:
        """Take the last one, of all there is; ``patient`` if a store that does not answer is asked again."""
        await self._stop()
        for left in reversed(range(_LAST_TRIES if patient else 1)):
            # what other shards send meanwhile is none of it: they have it still
            self._complete = await self._take()
            if self._complete or not left:
                return
            await asyncio.sleep(_LAST_PAUSE)

    async def close(self) -> None:
        """Give up what is being written, and end."""
        self._snapshots.abandoned = True
        await self._stop()

    def told(self) -> SnapshotReport:
        """Tell how the snapshots stand."""
        newest, commit = self._snapshots.newest, self._commit
        assert commit is not None  # noqa: S101  -- it was started
        return SnapshotReport(
            place=self.url,
            number=newest.number,
            taken_at=newest.taken_at or None,
            pages=newest.pages,
            behind=max(0, commit.finished - newest.pages),
            complete=self._complete,
            taken=self._taken,
            failed=self._failed,
            sent=self._snapshots.sent,
            trouble=self._trouble,
        )

    # inside

    async def _keep_up(self) -> None:
        while not self._stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), self._pause())
            self._again.clear()
            if not self._stopping:
                await self._take()

    def _pause(self) -> float | None:
        """Return the seconds until the next one is taken, whatever happens; None if only pages count."""
        if self._failed_now:
            return _PAUSES[min(self._failed_now, len(_PAUSES)) - 1]
        return self._settings.every or None

    def _committed(self, finished: int) -> None:
        most = self._settings.pages
        if most and not self._failed_now and finished - self._snapshots.newest.pages >= most:
            self._again.set()

    async def _take(self) -> bool:
        """Take a snapshot if there is anything new; tell whether the store then has all of that moment."""
        commit = self._commit
        assert commit is not None  # noqa: S101  -- it was started
        if self._seen == commit.transactions:
            return True
        try:
            await self._take_now(commit)
        except StoreUnreachable as error:
            _log.warning("a snapshot failed: %s", error)
            self._failed, self._failed_now, self._trouble = self._failed + 1, self._failed_now + 1, str(error)
            return False
        except Abandoned:
            return False
        self._taken, self._failed_now, self._trouble = self._taken + 1, 0, ""
        return True

    async def _take_now(self, commit: Commit) -> None:
        async with commit.frozen() as (frozen, transactions):
            copy = await self._thread(self._snapshots.copy, frozen)
        await self._thread(self._snapshots.take, frozen, copy)
        self._seen = transactions
        for told in self.taken:
            told(frozen)

    async def _stop(self) -> None:
        """End the taking in the background; what is under way comes to its end."""
        self._stopping = True
        self._again.set()
        if self._task is not None:
            await asyncio.wait([self._task])
