"""The output folder as a whole: held by one crawl, and an earlier run moved aside if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from crawler.core.manifest import SHARED
from crawler.errors import FolderUnusable
from crawler.storage import database
from crawler.storage.database import CHANGE_LOG, PAGE_LOG, sync_folder
from crawler.storage.lock import FolderLock
from crawler.storage.whole_file import write_whole

REPORT = "report.json"
PAGE = "report.html"
_OURS = (
    database.NAME,
    f"{database.NAME}-wal",
    f"{database.NAME}-shm",
    "archive",
    PAGE_LOG,
    CHANGE_LOG,
    "mirror",
    "quarantine",
    SHARED,
    REPORT,
    PAGE,
)
LOST = "lost"
"""Begins the name of a folder to which a run was moved whose state is of no use any more."""
_BEFORE = "before"


class Folder:
    """An output folder, held until :meth:`release`. Blocking.

    Args:
        path: created if need be.
        fresh: whether an earlier run is moved aside.
        now: Unix seconds.
        fenced: whether :meth:`fence` is to find out if another has come to hold it.

    Raises:
        FolderUnusable: it cannot be created or written.
        FolderBusy: another crawl holds it.
    """

    def __init__(self, path: Path, *, fresh: bool, now: float, fenced: bool = False) -> None:
        self.path = path
        self._lock = FolderLock(path, fenced=fenced)
        if fresh:
            try:
                move_aside(path, _BEFORE, int(now))
            except BaseException:
                self._lock.release()
                raise

    def give_up_state(self, now: float) -> None:
        """Move a run aside whose state is of no use any more, to ``lost-STAMP/``; its archive may still be read."""
        move_aside(self.path, LOST, int(now))

    def lost_runs(self) -> list[Path]:
        """Return the folders of such runs, oldest first."""
        return sorted(self.path.glob(f"{LOST}-[0-9]*"))

    def write_reports(self, reports: Mapping[str, bytes]) -> None:
        """Replace each report by a new one, whole.

        Raises:
            StorageError: one cannot be written.
        """
        for name, content in reports.items():
            write_whole(self.path / name, content)

    @property
    def fence(self) -> Callable[[], None] | None:
        """What is to be called before each write, and raises FolderBusy if another holds the folder by now; or None."""
        return self._lock.fence if self._lock.number else None

    def release(self) -> None:
        """Let other crawls in."""
        self._lock.release()


def move_aside(folder: Path, why: str, stamp: int) -> None:
    """Move what an earlier run wrote to ``WHY-STAMP/``, its database first: without it, nothing else counts.

    Args:
        folder: held by the caller.
        why: begins the name of the folder that it is moved to.
        stamp: Unix seconds.

    Raises:
        FolderUnusable: it cannot be moved.
    """
    old = [folder / name for name in _OURS if (folder / name).exists()]
    old += folder.glob("shard-[0-9]*")
    if not old:
        return
    try:
        while (aside := folder / f"{why}-{stamp}").exists():
            stamp += 1
        aside.mkdir()
        for one in old:
            one.rename(aside / one.name)
        sync_folder(folder)
    except OSError as error:
        raise FolderUnusable(f"the earlier run cannot be moved aside ({error.strerror})", where=str(folder)) from error
