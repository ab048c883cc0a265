"""An output folder brought back from a snapshot.

Everything is fetched into ``restoring/`` first and checked there, then moved to its place, the database last.
So a folder that has a database is whole; as long as it has none and ``restoring/`` is there, what else is in it
came from a restoring that was cut short, and is fetched again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from crawler.core.manifest import Manifest, Piece
from crawler.errors import FolderUnusable, SnapshotDamaged, StorageError
from crawler.storage.database import CHANGE_LOG, NAME, PAGE_LOG, WAL, sync_folder
from crawler.storage.object_store import ObjectStore

DRAFT = "restoring"
_AMENDS = "an earlier snapshot can be asked for with restore --snapshot"
_PARTS = ("archive", PAGE_LOG, CHANGE_LOG)


def has_state(folder: Path) -> bool:
    """Tell whether a crawl is in the folder; what a restoring that was cut short has left is none.

    Raises:
        FolderUnusable: there are parts of a crawl, but no database.
    """
    draft = folder / DRAFT
    if (folder / NAME).exists():
        shutil.rmtree(draft, ignore_errors=True)
        return True
    if there := [name for name in (*_PARTS, WAL) if (folder / name).exists()]:
        if not draft.exists():
            raise FolderUnusable(f"has {there[0]}, but no {NAME}; name an empty folder", where=str(folder))
        _clear(folder)
    return False


def restore(store: ObjectStore, manifest: Manifest, folder: Path) -> None:
    """Bring the files of a snapshot into a folder that has no crawl.

    Raises:
        SnapshotDamaged: an object is missing, or is not what the manifest says; the folder is as it was.
        StoreUnreachable: the store does not answer, or refuses.
        StorageError: the disk is full or failing.
    """
    draft, files = folder / DRAFT, manifest.files()
    try:
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "archive").mkdir(parents=True)
        sync_folder(folder)
        for name, pieces in files.items():
            _fetch(store, pieces, draft / name)
        sync_folder(draft / "archive")
        for name in dict.fromkeys(("archive", *(name.partition("/")[0] for name in files))):
            if (draft / name).exists():
                (draft / name).rename(folder / name)
        sync_folder(folder)
        shutil.rmtree(draft)
    except OSError as error:
        raise StorageError(f"cannot be brought back ({error.strerror})", where=str(folder)) from error


def _fetch(store: ObjectStore, pieces: Sequence[Piece], path: Path) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            _fetch_piece(store, piece, file.write)
        file.flush()
        os.fsync(file.fileno())


def _fetch_piece(store: ObjectStore, piece: Piece, write: Callable[[bytes], object]) -> None:
    digest, length, where = sha256(), 0, f"{store.url}/{piece.key}"
    try:
        for chunk in store.read(piece.key):
            length += len(chunk)
            if length > piece.length:
                break
            digest.update(chunk)
            write(chunk)
    except FileNotFoundError as error:
        raise SnapshotDamaged(f"is missing, but holds {_part(piece)}; {_AMENDS}", where=where) from error
    if length != piece.length:
        size = f"more than {piece.length}" if length > piece.length else str(length)
        raise SnapshotDamaged(f"has {size} bytes, not the {piece.length} of {_part(piece)}; {_AMENDS}", where=where)
    if digest.hexdigest() != piece.sha256:
        raise SnapshotDamaged(f"is not what was written (SHA-256 of {_part(piece)} differs); {_AMENDS}", where=where)


def _part(piece: Piece) -> str:
    return f"{piece.file} from byte {piece.offset} on" if piece.offset else piece.file


def _clear(folder: Path) -> None:
    for name in _PARTS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
