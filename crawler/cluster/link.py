"""What the driver and the members of a shared crawl say to each other.

Any call may be lost, with its answer or without, and may be made again: each does no harm when it comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from crawler.core.exchange import Receipt
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
    process: str
    """A name of the process that is looked at, which no other has."""
    commits: int
    """How often something became durable in this process."""
    kept: int
    """How many of these would not be undone if its folder were lost: all, where folders are not lost."""
    failing: int = 0
    """How many times in succession it could not be made so."""
    pages: int
    """Finished in this run, by this process and those before it."""
    in_flight: int
    bytes: int
    sent: int
    """Parcels, in this run."""
    received: int
    waiting: int
    """URLs in the outbox that the others have not got."""
    heard: int
    """URLs in the outbox that the others have, though not for good."""
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
    process: str = ""
    """Which has made them known."""
    commits: int = 0
    """The count of its commits with them; they are known for good when as many are kept, see :class:`Look`."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Parcels on their way."""

    life: int
    """Of the sender."""
    after: int
    """The number of the parcel before the first of them."""
    parcels: bytes
    """A tuple of :class:`~crawler.core.exchange.Parcel`, as msgpack."""


class Peer(Protocol):
    """A shard, as another shard sees it."""

    async def receive(self, sender: int, run: int, batch: Batch) -> Receipt:
        """Commit what a shard has for this one, and tell how much it has of that.

        Args:
            sender: its number.
            run: in which it is.
            batch: what it sends.

        Raises:
            Unreachable: it did not answer.
            Overtaken: the sender lives on elsewhere, and is to end.
        """

    async def told(self, owner: int, run: int, life: int, receipt: Receipt) -> None:
        """Take note of how much a shard has of what this one had for it.

        Args:
            owner: its number.
            run: in which it is.
            life: of this one, of which it tells; in any other, nothing has been heard.
            receipt: how much it has.

        Raises:
            Unreachable: it did not answer.
        """


class Part(Peer, Protocol):
    """A shard, as the driver sees it. Every call may raise Unreachable."""

    async def run(self, bounds: Bounds, *, sown: bool, again: bool) -> Report:
        """Crawl until :meth:`finish` or :meth:`stop` is called, and return the report.

        Args:
            bounds: how far it may go.
            sown: whether all seeds have been dealt out already.
            again: whether this has been called before in this run, perhaps of a process that has died since.

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

    async def keep(self) -> None:
        """See to it that what has become durable is not undone if the folder is lost, and that soon."""

    async def finish(self) -> None:
        """Take note that the whole crawl has ended."""

    async def stop(self, reason: str) -> None:
        """Start no further fetch, and end soon."""
