"""What a crawl can say about itself: while it runs (Progress) and when it has ended (Report).

These are records only.
The engine fills them in, and everything that a person or a program reads is rendered from them,
so that the text report and ``report.json`` cannot disagree.
Durations are seconds, sizes are bytes, times named ``*_at`` are Unix seconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from crawler.report.measured import Bucket, LedgerReport, Percentiles, Record, Slot, StageReport, Tuned, VerdictReport

VERSION = 1
"""The form of ``report.json``; it changes when a field changes its meaning, not when one is added."""
HOSTS_LEFT = 50
"""Hosts that the report names as having URLs left, at most."""


class Ending(StrEnum):
    """Why a run came to its end."""

    RUNNING = "running"
    """It has not: the report tells it as it stands."""

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
    bottleneck: str = ""
    """What held it back in the last seconds, in a few words; empty while that cannot be told."""


class Totals(Record, frozen=True, kw_only=True):
    """The whole folder, all its runs together: the two sides of the conservation line."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    queued: int = 0
    by_outcome: dict[str, int] = msgspec.field(default_factory=dict)
    """Outcome → URLs, for done, failed and skipped ones."""


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
    eased: int = 0
    """The fewest requests at a time that it was brought down to, for it slowed down under them; 0 if it never did."""
    waited_delay: float = 0.0
    """Seconds it had URLs and could have taken a request, but its delay had not passed."""
    waited_slot: float = 0.0
    """Seconds it was due, but all requests in flight were elsewhere."""


class ChangesReport(Record, frozen=True, kw_only=True):
    """What became of the pages since they were last seen; ``changes.jsonl`` names those that are not the same.

    A round may take several runs, if the first ones are cut short; these are the counts of all of it so far.
    """

    round: int = 1
    """How many times the folder has been crawled; in the first round there is nothing to compare with."""
    since: float | None = None
    """When the round before this one began; None in the first."""
    new: int = 0
    changed: int = 0
    boilerplate: int = 0
    """Other bytes, but the same main text."""
    unchanged: int = 0
    """304, or the same bytes."""
    moved: int = 0
    gone: int = 0
    """404 or 410 where there was a page."""


class HostLeft(Record, frozen=True, kw_only=True):
    """What a run that ended early leaves to the next one, of one host."""

    host: str
    queued: int


class SnapshotReport(Record, frozen=True, kw_only=True):
    """The copy of the folder in an object store, from which the crawl can go on elsewhere."""

    place: str
    number: int
    """0 if several shards have snapshots of their own."""
    taken_at: float | None = None
    """None if none has been taken, or not of each shard; of several shards, the oldest counts."""
    pages: int = 0
    """Finished URLs that it has, of all runs of the folder."""
    behind: int = 0
    """Finished URLs that it lacks."""
    complete: bool = False
    """Whether it has all that the folder had at the end."""
    taken: int = 0
    """Snapshots of this run."""
    failed: int = 0
    """Attempts at one that failed."""
    sent: int = 0
    """Bytes sent to the store in this run."""
    trouble: str = ""
    """Why the last attempt failed; empty if it did not."""


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


class PastRun(Record, frozen=True, kw_only=True):
    """An earlier run of the folder, by the figures that are kept of it."""

    started_at: float
    ending: str = ""
    """Empty if it was cut short, by a kill or a power cut; it has no figures then."""
    seconds: float = 0.0
    pages: int = 0
    failed: int = 0
    bytes_received: int = 0
    known: int = 0
    queued: int = 0
    p50: float = 0.0
    """Of the latency."""
    p95: float = 0.0
    rate_limited: int = 0
    cpu: float = 0.0
    """Of main process and workers."""
    memory_peak: int = 0
    bottleneck: str = ""
    """The verdict's kind."""
    changes: dict[str, int] = msgspec.field(default_factory=dict)
    """Pages by what became of them; empty where there was nothing to compare with."""


class ShardReport(Record, frozen=True, kw_only=True):
    """One shard of a crawl that several share."""

    shard: int
    restarts: int = 0
    """Times that it died, and went on from its folder."""
    pages: int = 0
    failed: int = 0
    bytes: int = 0
    known: int = 0
    queued: int = 0
    hosts: int = 0
    cpu: float = 0.0
    """Seconds, of its last process and that one's workers."""
    memory: int = 0
    sent: int = 0
    """Parcels of outlinks for other shards, as are the received ones."""
    received: int = 0
    waiting: int = 0
    """URLs that are still to be sent."""
    exchanged: int = 0
    """Bytes that its last process sent to other shards."""
    bottleneck: str = ""
    """The verdict's kind."""
    longest: str = ""
    """The host with most URLs still queued."""
    longest_queued: int = 0


class Report(Record, frozen=True, kw_only=True):
    """A crawl, told when it has ended, or so far."""

    version: int = VERSION
    ending: Ending
    reason: str = ""
    """One sentence, for example which limit was reached."""
    folder: str = ""
    """Empty where nothing is written."""
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
    latencies: tuple[Bucket, ...] = ()
    """The same, as they are spread."""
    course: tuple[Slot, ...] = ()
    """The run over time: slots of nearly the same length, of which there are never many."""
    stages: tuple[StageReport, ...] = ()
    hosts: tuple[HostReport, ...] = ()
    """The hosts with the most pages, and those that waited longest."""
    hosts_total: int = 0
    problems: tuple[Problem, ...] = ()
    connections: dict[str, int | float] = msgspec.field(default_factory=dict)
    cpu_main: float = 0.0
    cpu_workers: float = 0.0
    memory_peak: int = 0
    seeds: SeedReport = SeedReport()
    changes: ChangesReport = ChangesReport()
    left: tuple[HostLeft, ...] = ()
    """The hosts with the most URLs still queued."""
    left_hosts: int = 0
    """Hosts that have any."""
    verdict: VerdictReport = VerdictReport()
    ledger: LedgerReport = LedgerReport()
    tuned: tuple[Tuned, ...] = ()
    snapshot: SnapshotReport | None = None
    """None if no copy is kept elsewhere."""
    history: tuple[PastRun, ...] = ()
    """The last runs in this folder before this one, oldest first."""
    shards: tuple[ShardReport, ...] = ()
    """Those that share the crawl; empty where it is the work of one."""
    skew: str = ""
    """One sentence on how unevenly the work lies among them; empty where it lies evenly, or there is none left."""
