"""What the driver and the members of a shared crawl say to each other.

Any call may be lost, with its answer or without, and may be made again: each does no harm when it comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from crawler.report.report import Progress, Report


class Unreachable(Exception):
    """Say that a shard did not answer: it is dead, or being started. It may have heard the call."""


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """How a run begins, see :class:`crawler.Crawler`; the same at each start of a shard, however often it is killed."""

    rebuild: bool = False
    recrawl: Literal["all", "due"] | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A shard at one moment."""

    idle: bool
    """Whether it has nothing to do until it is sent something."""
    starved: bool
    """Whether there is something to do that its share does not allow."""
    sown: bool = True
    """Whether it knows that no more seeds will come."""
    pages: int
    """Finished in this run, by this process and those before it."""
    in_flight: int
    bytes: int
    sent: int
    """Parcels, in this run."""
    received: int
    waiting: int
    """URLs in the outbox."""
    exchanged: int = 0
    """Bytes of parcels sent by this process."""
    progress: Progress


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How far a shard may go in this run; None is no limit."""

    pages: int | None = None
    bytes: int | None = None


class Sown(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some seeds."""

    known: int = 0
    refused: dict[str, int] = {}


class Peer(Protocol):
    """A shard, as another shard sees it."""

    async def receive(self, sender: int, run: int, parcels: bytes) -> None:
        """Commit what a shard has for this one. When this returns, the sender may forget it.

        Args:
            sender: its number.
            run: in which it is.
            parcels: tuple of :class:`~crawler.core.exchange.Parcel`, as msgpack.

        Raises:
            Unreachable: it did not answer.
        """


class Part(Peer, Protocol):
    """A shard, as the driver sees it. Every call may raise Unreachable."""

    async def run(self, bounds: Bounds, *, sown: bool) -> Report:
        """Crawl until :meth:`finish` or :meth:`stop` is called, and return the report.

        Args:
            bounds: how far it may go.
            sown: whether all seeds have been dealt out already.

        Raises:
            CrawlerError: it cannot begin, or cannot go on.
        """

    async def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known that belong to it."""

    async def all_sown(self) -> None:
        """Take note that no more seeds will come."""

    async def look(self) -> Look:
        """Tell how it stands."""

    async def allow(self, bounds: Bounds) -> Bounds:
        """Set new bounds; return them as they are now: what is under way is not taken back."""

    async def so_far(self) -> Report | None:
        """Tell its run as it stands, as a report."""

    async def finish(self) -> None:
        """Take note that the whole crawl has ended."""

    async def stop(self, reason: str) -> None:
        """Start no further fetch, and end soon."""
