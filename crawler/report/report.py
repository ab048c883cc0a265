"""What a crawl can say about itself: while it runs (Progress) and when it has ended (Report).

These are records only.
The engine fills them in, and everything that a person or a program reads is rendered from them,
so that the text report and ``report.json`` cannot disagree.
Durations are seconds, sizes are bytes, times named ``*_at`` are Unix seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from crawler.core.tally import Tally

VERSION = 1
"""The form of ``report.json``; it changes when a field changes its meaning, not when one is added."""
BAD_SEEDS_KEPT = 20


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report."""


class Ending(StrEnum):
    """Why a run came to its end."""

    COMPLETE = "complete"
    """Every known URL is finished."""
    NOTHING_FETCHED = "nothing_fetched"
    """Complete as well, but not one URL could be fetched."""
    LIMIT = "limit"
    """A limit of the settings was reached; the next run goes on."""
    INTERRUPTED = "interrupted"
    """It was asked to stop; the next run goes on."""


class Progress(Record, frozen=True, kw_only=True):
    """A crawl at one instant, for the live line."""

    pages: int = 0
    """URLs finished in this run: done or failed."""
    failed: int = 0
    queued: int = 0
    in_flight: int = 0
    bytes_received: int = 0
    hosts_ready: int = 0
    """Hosts that could be asked for a page right now."""
    elapsed: float = 0.0
    stopping: bool = False


class Percentiles(Record, frozen=True, kw_only=True):
    """How a duration is spread."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class Totals(Record, frozen=True, kw_only=True):
    """The whole folder, all its runs together: the two sides of the conservation line."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    queued: int = 0
    by_outcome: dict[str, int] = {}
    """Outcome → URLs, for done, failed and skipped ones."""


class StageReport(Record, frozen=True, kw_only=True):
    """What one stage cost, all pages of the run together."""

    name: str
    place: str
    """``loop``, ``thread`` or ``process``."""
    calls: int = 0
    waiting: float = 0.0
    running: float = 0.0
    cpu: float = 0.0
    p50: float = 0.0
    """Of a call, waiting and running together."""
    p99: float = 0.0


class HostReport(Record, frozen=True, kw_only=True):
    """One host, and the receipt for how it was treated."""

    host: str
    pages: int = 0
    failed: int = 0
    bytes: int = 0
    robots: str = ""
    """``obeyed``, ``none``, ``unreachable`` or ``ignored``."""
    delay_asked: float | None = None
    """What the host's robots.txt asks for, if it asks."""
    delay_kept: float = 0.0
    smallest_gap: float | None = None
    """The shortest time seen from one request to the next; None with fewer than two requests."""
    rate_limited: int = 0
    """Answers 429 and 503."""


class Problem(Record, frozen=True, kw_only=True):
    """URLs of this run that failed for one and the same cause."""

    outcome: str
    status: int
    """HTTP status; 0 where none came."""
    count: int
    example: str
    detail: str = ""
    """What exactly went wrong with the example."""


class SeedReport(Record, frozen=True, kw_only=True):
    """What was made of the seeds."""

    read: int = 0
    """Seeds that were given, good or bad; blank lines and comments are none."""
    accepted: int = 0
    duplicates: int = 0
    """Accepted ones that were known already: twice in the file, or from an earlier run."""
    bad: tuple[str, ...] = ()
    """The first sentences about seeds that are no URLs."""
    bad_count: int = 0


class Report(Record, frozen=True, kw_only=True):
    """A crawl, told when it has ended."""

    version: int = VERSION
    ending: Ending
    reason: str = ""
    """One sentence, for example which limit was reached."""
    folder: str = ""
    started_at: float
    ended_at: float
    seconds: float
    pages: int = 0
    """URLs finished in this run: done or failed."""
    done: int = 0
    failed: int = 0
    bytes_received: int = 0
    pages_per_second: float = 0.0
    bytes_per_second: float = 0.0
    known: int = 0
    """URLs known to the folder, counted on their own, not as the sum of the totals."""
    totals: Totals = Totals()
    conserved: bool = True
    """Whether known = done + failed + skipped + queued."""
    latency: Percentiles = Percentiles()
    """From the request being sent to the last byte of the body."""
    stages: tuple[StageReport, ...] = ()
    hosts: tuple[HostReport, ...] = ()
    """The hosts with the most pages."""
    hosts_total: int = 0
    problems: tuple[Problem, ...] = ()
    connections: dict[str, int | float] = {}
    cpu_main: float = 0.0
    cpu_workers: float = 0.0
    memory_peak: int = 0
    seeds: SeedReport = SeedReport()


@runtime_checkable
class CountsSeeds(Protocol):
    """Seeds that know more about where they come from than the engine can see."""

    def report(self) -> SeedReport:
        """Tell what has been read so far."""
        ...


def seed_report(seeds: object, tally: Tally) -> SeedReport:
    """Join what the engine counted with what the seeds themselves can tell.

    Args:
        seeds: what the caller gave: any iterable, or one that counts its bad lines too.
        tally: what came out of it.
    """
    if isinstance(seeds, CountsSeeds):
        own = seeds.report()
    else:
        read = tally.seeds + tally.seeds_bad
        own = SeedReport(read=read, bad=tuple(tally.bad_seeds), bad_count=tally.seeds_bad)
    return msgspec.structs.replace(own, accepted=tally.seeds, duplicates=tally.seeds_known)
