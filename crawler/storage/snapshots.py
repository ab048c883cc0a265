"""Snapshots of an output folder in an object store, so that a crawl goes on elsewhere when its machine is lost.

Blocking; one thread at a time. What makes a snapshot whole is written in :mod:`crawler.core.manifest`:
first the segments and the pieces of the logs that are new, then the database, and last the manifest.
So whenever the kill comes, the newest manifest names objects that are all there, and each page of its archive once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from crawler.core.manifest import DATABASE, MANIFESTS, Manifest, Piece, newest
from crawler.errors import StorageError, StoreUnreachable, UsageError
from crawler.storage.folder import LOST, move_aside
from crawler.storage.frozen import ARCHIVE, Frozen
from crawler.storage.lock import FolderLock
from crawler.storage.manifests import Manifests
from crawler.storage.object_store import ObjectStore
from crawler.storage.restore import has_state, restore

COPY = "snapshot.db"
"""The database on its way to the store."""
_CHUNK = 1 << 20


class Abandoned(Exception):
    """Say that a snapshot was given up because the crawl ends."""


class Snapshots:
    """The snapshots of one folder in one place.

    Args:
        store: the place.
        folder: the output folder.
        keep: snapshots to keep, the newest ones.
        shard: whether the folder is that of a shard, and no more than a working copy: it is numbered by its holders,
            and moved aside if the store has gone on without it.

    Raises (by every method):
        StoreUnreachable: the store does not answer, or refuses; a later call may succeed.
        Overtaken: another crawl has gone on from here.
    """

    def __init__(self, store: ObjectStore, folder: Path, *, keep: int, shard: bool = False) -> None:
        self._store = store
        self._folder = folder
        self._shard = shard
        self._manifests = Manifests(store, folder, keep=keep)
        self._written: dict[tuple[str, int, int], Piece] = {}
        self.sent = 0
        """Bytes written to the store so far."""
        self.abandoned = False
        """Whether what is being written is to be given up; may be set from any thread."""

    @property
    def url(self) -> str:
        """The place, as it may be shown."""
        return self._store.url

    @property
    def newest(self) -> Manifest:
        """The newest snapshot; may be asked from any thread."""
        return self._manifests.newest

    @property
    def claimed(self) -> int:
        """The number with which the place was claimed: no other process that ever claims it has the same."""
        return self._manifests.claimed

    def begin(self, *, fresh: bool = False) -> bool:
        """Claim the place, and bring the folder back from there if it is empty; tell whether it was.

        Args:
            fresh: whether a crawl is to begin anew, which needs a place without snapshots.

        Raises:
            UsageError: there are snapshots, and the crawl is to begin anew.
            SnapshotDamaged: the newest one cannot be brought back.
        """
        lock = FolderLock(self._folder, fenced=self._shard)
        try:
            (self._folder / COPY).unlink(missing_ok=True)
            keys = self._store.keys()
            if fresh and newest(keys):
                raise UsageError(
                    "holds snapshots of an earlier crawl; name another place to begin anew", where=self._store.url
                )
            there = has_state(self._folder)
            if there and self._shard and not self._manifests.is_ours(newest(keys)):
                move_aside(self._folder, LOST, int(time.time()))
                there = False
            self._manifests.take_over(newest(keys), there=there)
            self._manifests.sweep(keys)
            if there or not self.newest.pieces:
                return False
            restore(self._store, self.newest, self._folder)
            return True
        finally:
            lock.release()

    def bring_back(self, number: int | None = None) -> Manifest:
        """Bring an empty folder back as a snapshot has it, the newest one or an earlier one; claim nothing.

        A crawl of the folder then goes on from there.

        Raises:
            UsageError: there is no such snapshot, or something is in the folder.
            SnapshotDamaged: it cannot be brought back.
        """
        lock = FolderLock(self._folder)
        try:
            if has_state(self._folder):
                raise UsageError("holds a crawl already; name an empty folder", where=str(self._folder))
            last = newest(self._store.keys(MANIFESTS))
            if not last:
                raise UsageError("holds no snapshot", where=self._store.url)
            chosen, content = self._manifests.load(number or last)
            if not chosen.pieces:
                raise UsageError("holds nothing but the beginning of a crawl", where=self._store.url)
            restore(self._store, chosen, self._folder)
            overruled = content if chosen.number == last else self._manifests.load(last)[1]
            self._manifests.note({last: overruled}, base=0 if chosen.number == last else chosen.number)
            return chosen
        finally:
            lock.release()

    def copy(self, frozen: Frozen) -> Path:
        """Copy the database aside while it is frozen."""
        path = self._folder / COPY
        try:
            with path.open("wb") as file:
                for offset in range(0, frozen.size, _CHUNK):
                    file.write(frozen.read(offset, min(_CHUNK, frozen.size - offset)))
        except OSError as error:
            raise StorageError(f"cannot be written ({error.strerror})", where=str(path)) from error
        return path

    def take(self, frozen: Frozen, database: Path) -> Manifest:
        """Write what the store lacks, and the manifest that makes it count; return it.

        Args:
            frozen: the folder at that moment.
            database: a copy of its database.

        Raises:
            Abandoned: this was given up, because the crawl ends.
        """
        self._manifests.settle()
        number = self.newest.number + 1
        pieces = [piece for name, length in frozen.files for piece in self._pieces(frozen, name, length)]
        key = f"{self._manifests.claimed:010}/crawl-{number:010}-{int(frozen.at * 1000)}.db"
        pieces.append(self._write(Piece(file=DATABASE, length=frozen.size, key=key, sha256=""), database))
        manifest = Manifest(
            number=number,
            claim=self._manifests.claimed,
            writer=self._manifests.writer,
            lineage=frozen.lineage,
            taken_at=frozen.at,
            pages=frozen.pages,
            pieces=tuple(pieces),
        )
        self._manifests.publish(manifest)
        self._written.clear()
        with suppress(StoreUnreachable):
            self._manifests.drop()
        return manifest

    # the pieces

    def _pieces(self, frozen: Frozen, name: str, length: int) -> Iterator[Piece]:
        """Yield the pieces of a file; what the store lacks of it is written."""
        base = self.newest
        known = base.files().get(name, []) if base.lineage == frozen.lineage else []
        yield from known
        start = sum(piece.length for piece in known)
        if start > length:
            raise StorageError(
                f"has {length} bytes, but the last snapshot has {start}; empty the folder to go on from there",
                where=str(self._folder / name),
            )
        if start == length:
            return
        earlier = self._written.get((name, start, length))
        if earlier is None:
            key = name if name.startswith(ARCHIVE) else _part_name(name, start, length)
            piece = Piece(
                file=name, offset=start, length=length - start, key=f"{self._manifests.claimed:010}/{key}", sha256=""
            )
            earlier = self._written[name, start, length] = self._write(piece, self._folder / name)
        yield earlier

    def _write(self, piece: Piece, path: Path) -> Piece:
        """Write a piece from where it stands on the disk; return it with its digest."""
        digest = sha256()
        self._store.write(piece.key, self._chunks(path, piece.offset, piece.length, digest.update), piece.length)
        self.sent += piece.length
        return msgspec.structs.replace(piece, sha256=digest.hexdigest())

    def _chunks(self, path: Path, offset: int, length: int, seen: Callable[[bytes], None]) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                file.seek(offset)
                while length:
                    if self.abandoned:
                        raise Abandoned
                    chunk = file.read(min(_CHUNK, length))
                    if not chunk:
                        raise StorageError(f"is shorter than committed by {length} bytes", where=str(path))
                    length -= len(chunk)
                    seen(chunk)
                    yield chunk
        except OSError as error:
            raise StorageError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _part_name(name: str, start: int, end: int) -> str:
    stem, dot, ending = name.partition(".")
    return f"{stem}-{start:015}-{end:015}{dot}{ending}"
