"""The work: a list of tasks. Each is fetched, read and written, or only some of that.

Every execution model is given the same list and must bring back the same pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from crawler.stages.parse_journey import parsed_of
from crawler.stages.parse_worker import ParseOptions, Result
from crawler.stages.parse_worker import Task as ParseTask

OPTIONS = ParseOptions(archive=False)
"""What the crawler's own reader is told: digest, title and outlinks, but no WARC record, for no model writes any."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Task:
    """One page to be worked on."""

    url: str
    body: bytes | None = None
    """At hand; None if it is to be fetched."""
    reads: bool = False
    """Whether it is parsed and hashed."""
    file: str = ""
    """Where it is written; empty if it is not."""


@dataclass(frozen=True, slots=True)
class Work:
    """The tasks, and how many may be worked on at once."""

    tasks: tuple[Task, ...]
    folder: Path
    """Exists and is empty at the start of every run."""
    workers: int
    """Processes; and threads where threads compute."""
    concurrency: int
    """Pages waited for at once on a loop; and threads where threads wait."""

    @property
    def waits(self) -> bool:
        """Whether there is anything to be fetched."""
        return any(task.body is None for task in self.tasks)


class Piece(NamedTuple):
    """What came of one task: by this the models are seen to have done the same work."""

    size: int
    digest: bytes = b""
    links: int = 0


Run: TypeAlias = Callable[[], Iterable[Piece]]
"""Does all of the work, once; the pieces come in any order, and telling them is no part of the work."""
Model: TypeAlias = Callable[[Work], AbstractContextManager[Run]]
"""Gets everything ready, hands out the run, and clears away."""


def parse_task(url: str, body: bytes) -> ParseTask:
    """Make a task for the crawler's own reader."""
    return url, 0, 200, b"", _HEAD, body, "", "", 0.0, None, False, "link"


def piece_of(size: int, result: Result | None) -> Piece:
    """Make a piece of a body's size and of what the reader returned, if it read."""
    if result is None:
        return Piece(size)
    parsed = parsed_of(result)
    return Piece(size, parsed.digest, parsed.links_seen)
