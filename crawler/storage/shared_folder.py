"""The output folder of a crawl that several shards share: a folder for each shard, and what they have in common.

``cluster.json`` holds how many shards there are, what belongs to which, the number of the last run, and the key of the
fingerprints. Reports of the whole lie beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from crawler.core.manifest import SHARED
from crawler.core.shards import MOST_SHARDS, Assignment, Shard, assign
from crawler.core.url import SHARDS
from crawler.errors import FolderDamaged, FolderUnusable, UsageError
from crawler.storage import database
from crawler.storage.exchange import is_shard
from crawler.storage.folder import Folder
from crawler.storage.rounds import Rounds
from crawler.storage.whole_file import write_whole

if TYPE_CHECKING:
    from crawler.storage.shared_snapshots import SharedSnapshots

VERSION = 1


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What the shards have in common, as it is stored."""

    version: int = VERSION
    shards: int
    run: int
    """The last one that was begun."""
    key: str
    """Of the fingerprints, hexadecimal."""
    assignment: tuple[int, ...]
    """The owner of each virtual shard."""


def shard_folder(folder: Path, shard: int) -> Path:
    """Return the folder of a shard."""
    return folder / f"shard-{shard:02}"


def shard_folders(folder: Path) -> list[Path]:
    """Return the folders of all shards there ever were, by their numbers."""
    found = (path for path in folder.glob("shard-[0-9]*") if path.name.removeprefix("shard-").isdigit())
    return sorted(found, key=lambda path: int(path.name.removeprefix("shard-")))


def is_shared(folder: Path) -> bool:
    """Tell whether a folder is that of a shared crawl."""
    return (folder / SHARED).exists()


def common(folder: Path) -> Common:
    """Read what the shards have in common.

    Raises:
        FolderDamaged: it is not what a crawl writes, or another version has written it.
        FolderUnusable: it cannot be read.
    """
    path = folder / SHARED
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Common)
        bytes.fromhex(found.key)
    except OSError as error:
        raise FolderUnusable(f"cannot be read ({error.strerror})", where=str(path)) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise FolderDamaged(f"is not what a crawl writes ({error})", where=str(path)) from error
    if found.version != VERSION:
        raise FolderDamaged(f"has form {found.version}, known is {VERSION}", where=str(path))
    owners = set(found.assignment)
    if len(found.assignment) != SHARDS or not owners <= set(range(found.shards)):
        raise FolderDamaged("does not say who owns what", where=str(path))
    return found


def next_round(folder: Path, shared: Common) -> int:
    """Return the number of the next round, if the last one has ended: nothing is queued, nor on its way; else 0."""
    last, pages = 0, False
    for shard in range(shared.shards):
        if not (shard_folder(folder, shard) / database.NAME).exists():
            continue
        with closing(database.open_for_reading(shard_folder(folder, shard))) as opened, opened.refusing():
            read = opened.connection.execute
            (waits,) = read("SELECT EXISTS (SELECT 1 FROM url WHERE state = 0)").fetchone()
            sends = is_shard(opened) and read("SELECT EXISTS (SELECT 1 FROM outbox)").fetchone()[0]
            if waits or sends:
                return 0
            pages = pages or read("SELECT EXISTS (SELECT 1 FROM page)").fetchone()[0] == 1
            last = max(last, Rounds(opened.connection).now.number)
    return last + 1 if pages else 0


class SharedFolder:
    """The folder of a shared crawl, held by its driver until :meth:`release`. Blocking.

    Args:
        path: created if need be.
        fresh: whether an earlier run is moved aside.
        now: Unix seconds.
        snapshots: if the folder may be lost, with those of the shards.

    Raises:
        FolderBusy: another crawl holds it.
        FolderUnusable: it cannot be created or written.
        FolderDamaged: it is not what a crawl has written.
        UsageError: a crawl of one machine is in it.
    """

    def __init__(self, path: Path, *, fresh: bool, now: float, snapshots: SharedSnapshots | None = None) -> None:
        self.path = path
        self._snapshots = snapshots
        if snapshots is not None and fresh:
            snapshots.refuse_if_used()
        self._folder = Folder(path, fresh=fresh, now=now)
        try:
            _refuse_single(path)
            if snapshots is not None:
                snapshots.begin()
            self._last = common(path) if is_shared(path) else None
        except BaseException:
            self._folder.release()
            raise

    @property
    def before(self) -> Common | None:
        """What the last run had in common; None if there was none."""
        return self._last

    def begin(self, shards: int) -> tuple[Shard, ...]:
        """Begin a run with so many shards; whoever moved has to be where he belongs by then.

        Raises:
            UsageError: that number of shards cannot be.
            StorageError: it cannot be written.
        """
        before = self._last
        key = os.urandom(32).hex() if before is None else before.key
        now = Common(shards=shards, run=before.run + 1 if before else 1, key=key, assignment=self.assignment(shards))
        write_whole(self.path / SHARED, msgspec.json.encode(now) + b"\n")
        self._last = now
        if self._snapshots is not None:
            self._snapshots.take()
        return tuple(Shard(number, now.assignment, now.run, bytes.fromhex(key)) for number in range(shards))

    def assignment(self, shards: int) -> Assignment:
        """Return who owns what among so many shards: as it is stored, if they are as many as before.

        Raises:
            UsageError: that number of shards cannot be.
        """
        if self._last is not None and self._last.shards == shards:
            return self._last.assignment
        if not 1 <= shards <= MOST_SHARDS:
            raise UsageError(f"{shards} shards cannot be: at least 1, at most {MOST_SHARDS:,}")
        return assign(shards)

    def write_reports(self, reports: Mapping[str, bytes]) -> None:
        """Replace each report by a new one, whole."""
        self._folder.write_reports(reports)

    def snapshot(self) -> None:
        """Put what all have in common into the place of snapshots, if there is one.

        Raises:
            StoreUnreachable: it does not answer, or refuses.
            Overtaken: another crawl has gone on from there.
        """
        if self._snapshots is not None:
            self._snapshots.take()

    def release(self) -> None:
        """Let other crawls in."""
        self._folder.release()


def _refuse_single(path: Path) -> None:
    if (path / database.NAME).exists():
        raise UsageError("a crawl without a cluster is in this folder; name another, or --fresh", where=str(path))
