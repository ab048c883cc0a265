"""An output folder at one moment between two commits, while the crawl goes on: what counts, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crawler.core.exchange import Heard
from crawler.storage.database import CHANGE_LOG, PAGE_LOG

ARCHIVE = "archive/"
_SEGMENT_END = ".warc.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What a snapshot is made of. Its files only grow, and never change within these lengths."""

    lineage: str
    """What tells its database, and the copies of it, from all others."""
    at: float
    """Unix seconds."""
    pages: int
    """Lines of the page log."""
    files: tuple[tuple[str, int], ...]
    """Name within the folder, and length, of each file but the database."""
    size: int
    """Bytes of the database."""
    read: Callable[[int, int], bytes]
    """Offset and length → bytes of the database; to be called until it is thawed, from any thread."""
    heard: Mapping[int, Heard] = field(default_factory=dict)
    """Of a shard: how far it has heard each other one."""


def path_of(name: str) -> str:
    """Return where a file stands within the folder, by its name in the database."""
    return name if name in (PAGE_LOG, CHANGE_LOG) else ARCHIVE + name


def index_of(folder: Path, segment: str) -> tuple[str, int]:
    """Return name and length of the index of a closed segment; both names are within the folder."""
    name = f"{segment.removesuffix(_SEGMENT_END)}.cdxj"
    return name, (folder / name).stat().st_size
