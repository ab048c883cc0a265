"""The manifests of snapshots: which objects of a store make up which files of an output folder. Pure.

Theory of operation
-------------------
A snapshot is a manifest, ``manifests/0000000012.json``, and the objects that it names; what no manifest names does
not count. A manifest is the last object that a snapshot writes, in one piece, and only if there is none of that number,
so of two writers one fails, and learns that it was overtaken.

Whoever goes on with a crawl first *claims* the place: it writes the newest manifest once more under the next number.
From then on the writer before it cannot write. The number of the claim begins the names of all objects that are
written after it, so two writers never write the same object, and what stood there before a claim and no manifest names
is litter for ever.

An append-only file is made of pieces, one for each snapshot that found it longer. Files that are closed, and the
database, are one piece each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

VERSION = 1
DATABASE = "crawl.db"
SHARED = "cluster.json"
"""What the shards of a crawl have in common, in the folder above theirs."""
_STATES = (DATABASE, SHARED)
_FILE = re.compile(
    r"crawl\.db|cluster\.json|pages\.jsonl|changes\.jsonl|report\.(?:json|html)|archive/crawl-[0-9-]{1,64}\.(?:warc\.gz|cdxj)"
)
_KEY = re.compile(r"[0-9]{10}/[A-Za-z0-9._-]{1,128}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127})?")
_MANIFEST = re.compile(r"manifests/([0-9]{10})\.json")
MANIFESTS = "manifests/"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a file, or all of it, and the object in which it stands."""

    file: str
    """Within the folder."""
    offset: int = 0
    length: int
    """Bytes."""
    key: str
    """Of the object, within the place."""
    sha256: str
    """Of the object, in hexadecimal."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot: the folder as it was at one moment, between two commits."""

    version: int = VERSION
    number: int
    claim: int
    """The number with which its writer took the place over."""
    writer: str = ""
    """A random word of its own, so that no two writers write the same manifest."""
    lineage: str = ""
    """Of the database; another one means other files, whatever their names."""
    taken_at: float = 0.0
    """Unix seconds; 0.0 if nothing has been taken yet."""
    pages: int = 0
    """Lines of the page log."""
    pieces: tuple[Piece, ...] = ()

    def files(self) -> dict[str, list[Piece]]:
        """Return the pieces of each file, in order, and last the one without which the others do not count."""
        found: dict[str, list[Piece]] = {}
        for piece in sorted(self.pieces, key=lambda one: (one.file in _STATES, one.file, one.offset)):
            found.setdefault(piece.file, []).append(piece)
        return found

    @property
    def state(self) -> str:
        """What tells two snapshots apart: the object of the database; empty if there is none."""
        return next((piece.key for piece in self.pieces if piece.file in _STATES), "")

    @property
    def shared(self) -> bool:
        """Whether it is one of a crawl that several shards share, as a whole."""
        return any(piece.file == SHARED for piece in self.pieces)


def manifest_key(number: int) -> str:
    """Return the name of a manifest's object."""
    return f"{MANIFESTS}{number:010}.json"


def manifest_number(key: str) -> int | None:
    """Return the number of the manifest that an object is, or None if it is none."""
    found = _MANIFEST.fullmatch(key)
    return int(found[1]) if found else None


def newest(keys: Iterable[str]) -> int:
    """Return the highest number of a manifest among these objects; 0 if there is none."""
    return max((number for key in keys if (number := manifest_number(key))), default=0)


def read_manifest(content: bytes, number: int) -> Manifest:
    """Read a manifest, and trust nothing in it.

    Raises:
        ValueError: it is damaged, of a newer version, or names what no snapshot holds.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is no manifest ({error})") from error
    if manifest.version != VERSION:
        raise ValueError(f"is of version {manifest.version}, known is {VERSION}")
    if manifest.number != number:
        raise ValueError(f"says that it is number {manifest.number}")
    for file, pieces in manifest.files().items():
        _check(file, pieces)
    return manifest


def _check(file: str, pieces: Sequence[Piece]) -> None:
    if not _FILE.fullmatch(file):
        raise ValueError(f"names {file!r}, which no snapshot holds")
    end = 0
    for piece in pieces:
        if not _KEY.fullmatch(piece.key) or not re.fullmatch("[0-9a-f]{64}", piece.sha256):
            raise ValueError(f"names the object {piece.key!r} of {file}, which no snapshot writes")
        if piece.offset != end or piece.length < 0:
            raise ValueError(f"leaves a gap in {file} at byte {end}")
        end += piece.length


def superseded(manifests: Mapping[int, str], keep: int) -> list[int]:
    """Return the manifests that are needed no more, oldest first.

    Args:
        manifests: number → state, of all that are there.
        keep: different states to keep, the newest ones; of equal states the newest manifest stays.
    """
    kept: dict[str, int] = {}
    for number in sorted(manifests, reverse=True):
        if manifests[number] not in kept and len(kept) < keep:
            kept[manifests[number]] = number
    return sorted(set(manifests) - set(kept.values()))


def litter(keys: Iterable[str], manifests: Iterable[Manifest]) -> list[str]:
    """Return the objects of snapshots, other than manifests, that none of the manifests names."""
    named = {piece.key for manifest in manifests for piece in manifest.pieces}
    return [key for key in keys if _KEY.fullmatch(key) and key not in named]
