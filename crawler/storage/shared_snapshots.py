"""Snapshots of a crawl that several shards share: what they have in common, in a place above theirs. Blocking.

Each shard takes snapshots of its own folder, in a place of its own below that of the whole, whenever it likes.
They need not be of one moment: what a shard has for another stays in its outbox until the other's snapshot holds it,
so of all shards together, the newest snapshots lack no link. Earlier ones might, so only the newest are brought back.

The place of the whole holds ``cluster.json`` and the reports of the whole. It is claimed by each driver as the place of
a shard is by each process of the shard.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from crawler.core.manifest import MANIFESTS, SHARED, Manifest, Piece, newest
from crawler.core.shards import MOST_SHARDS
from crawler.errors import SnapshotDamaged, StorageError, StoreUnreachable, UsageError
from crawler.storage.folder import PAGE, REPORT
from crawler.storage.lock import FolderLock
from crawler.storage.manifests import Manifests
from crawler.storage.object_store import ObjectStore
from crawler.storage.restore import has_state, restore
from crawler.storage.shared_folder import Common, is_shared, shard_folder
from crawler.storage.snapshots import Snapshots

_FILES = (REPORT, PAGE, SHARED)
_MOST_SHARED = 1 << 20


def shard_place(url: str, shard: int) -> str:
    """Return the place of a shard's snapshots."""
    return f"{url.rstrip('/')}/shard-{shard:02}"


class SharedSnapshots:
    """The place of a shared crawl's snapshots, for its driver, which holds the folder.

    Args:
        store: the place.
        folder: of the whole.
        keep: snapshots to keep, the newest ones.

    Raises (by every method):
        StoreUnreachable: the store does not answer, or refuses.
        Overtaken: another crawl has gone on from here.
    """

    def __init__(self, store: ObjectStore, folder: Path, *, keep: int) -> None:
        self._store = store
        self._folder = folder
        self._manifests = Manifests(store, folder, keep=keep, shared=True)

    def refuse_if_used(self) -> None:
        """Make sure that a crawl can begin anew here.

        Raises:
            UsageError: there are snapshots.
        """
        if newest(self._store.keys(MANIFESTS)):
            raise UsageError(
                "holds snapshots of an earlier crawl; name another place to begin anew", where=self._store.url
            )

    def begin(self) -> None:
        """Claim the place, and bring back from there what the folder lacks.

        Raises:
            UsageError: the snapshots are of a crawl without a cluster.
            SnapshotDamaged: the newest one cannot be brought back.
        """
        keys, there = self._store.keys(MANIFESTS), is_shared(self._folder)
        self._manifests.take_over(newest(keys), there=there)
        self._manifests.sweep(keys)
        if not there and self._manifests.newest.pieces:
            restore(self._store, self._manifests.newest, self._folder)

    def take(self) -> None:
        """Write what the shards have in common, as it is in the folder now."""
        self._manifests.settle()
        number = self._manifests.newest.number + 1
        self._manifests.publish(
            Manifest(
                number=number,
                claim=self._manifests.claimed,
                writer=self._manifests.writer,
                taken_at=time.time(),
                pieces=tuple(self._pieces(number)),
            )
        )
        with suppress(StoreUnreachable):
            self._manifests.drop()

    def _pieces(self, number: int) -> Iterator[Piece]:
        for name in _FILES:
            try:
                content = (self._folder / name).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError(f"cannot be read ({error.strerror})", where=str(self._folder / name)) from error
            stem, _, ending = name.partition(".")
            key = f"{self._manifests.claimed:010}/{stem}-{number:010}.{ending}"
            self._store.write(key, iter([content]), len(content))
            yield Piece(file=name, length=len(content), key=key, sha256=sha256(content).hexdigest())


def is_shared_place(store: ObjectStore) -> bool:
    """Tell whether a place holds the snapshots of a shared crawl as a whole.

    Raises:
        StoreUnreachable: the store does not answer, or refuses.
        SnapshotDamaged: the newest one cannot be read.
    """
    last = newest(store.keys(MANIFESTS))
    return bool(last) and Manifests(store, Path(), keep=1).load(last)[0].shared


def bring_back(store: ObjectStore, endpoint: str, folder: Path) -> list[Manifest]:
    """Bring an empty folder back as the newest snapshots of all shards have it; return these.

    Raises:
        UsageError: something is in the folder.
        SnapshotDamaged: a snapshot cannot be brought back.
        StoreUnreachable: the store does not answer, or refuses.
    """
    lock = FolderLock(folder)
    try:
        if is_shared(folder) or has_state(folder):
            raise UsageError("holds a crawl already; name an empty folder", where=str(folder))
        manifests = Manifests(store, folder, keep=1, shared=True)
        last = newest(store.keys(MANIFESTS))
        whole, content = manifests.load(last)
        shards = range(_shards(store, whole))
        brought = [_bring_back_shard(store.url, endpoint, folder, shard) for shard in shards]
        restore(store, whole, folder)  # last: without it, nothing else counts
        manifests.note({last: content})
    finally:
        lock.release()
    return [one for one in brought if one is not None]


def _shards(store: ObjectStore, whole: Manifest) -> int:
    """Return how many shards there are."""
    pieces = whole.files()[SHARED]
    try:
        content = b"".join(store.content(piece.key, most=_MOST_SHARED) for piece in pieces)
        found = msgspec.json.decode(content, type=Common)
    except (FileNotFoundError, ValueError) as error:
        where = f"{store.url}/{pieces[0].key}"
        raise SnapshotDamaged(f"is missing, or not what a crawl writes ({error})", where=where) from error
    return min(found.shards, MOST_SHARDS)


def _bring_back_shard(url: str, endpoint: str, folder: Path, shard: int) -> Manifest | None:
    """Bring the folder of a shard back; None if it has no snapshot, since it was lost before its first."""
    store = ObjectStore(shard_place(url, shard), endpoint)
    last = newest(store.keys(MANIFESTS))
    if not last or not Manifests(store, folder, keep=1).load(last)[0].pieces:
        return None
    return Snapshots(store, shard_folder(folder, shard), keep=1).bring_back()
