"""What a crawl has measured of itself, as its report tells it: stages, ledger, verdict, and its course in time.

Records only, as in :mod:`crawler.report.report`. Durations are seconds, sizes are bytes.
"""

from __future__ import annotations

import msgspec

from crawler.core.bottleneck import Bottleneck


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report."""


class Percentiles(Record, frozen=True, kw_only=True):
    """How a duration is spread."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0
    total: float = 0.0
    """Of all together."""


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


class VerdictReport(Record, frozen=True, kw_only=True):
    """What bounded the crawl, and what would change it."""

    kind: str = Bottleneck.TOO_SHORT.value
    sentence: str = ""
    evidence: str = ""
    counterfactual: str = ""
    gain: float = 0.0
    """Pages a second after the change that the counterfactual names, as a multiple; 0.0 if none is foretold."""
    shares: dict[str, float] = {}
    """Of the time, by kind; they add up to 1."""


class LedgerReport(Record, frozen=True, kw_only=True):
    """What the crawl used, from its first finished page to its last start of one. Shares are 0..1."""

    seconds: float = 0.0
    pages: int = 0
    feed: dict[str, float] = {}
    """Seconds for which each cause kept the next page from being started."""
    loop_busy: float = 0.0
    """Share of the time in which the event loop could do nothing else."""
    loop_cpu: float = 0.0
    loop_starved: float = 0.0
    """Share of the time in which it was ready and found no core free; 0.0 where the system does not tell."""
    loop_late: float = 0.0
    """Share of the time in which it did not answer within 5 ms."""
    loop_lag: Percentiles = Percentiles()
    """How late the loop was for a timer, the whole run."""
    pool_workers: int = 0
    pool_busy: float = 0.0
    pool_cpu: float = 0.0
    """CPU time of the workers by the time they ran; less than 1 where cores were scarce, or a task waited."""
    journal_busy: float = 0.0
    journal_synced: float = 0.0
    """Share of the time in which the journal waited for the disk."""
    commits: int = 0
    cores: int = 0
    cores_used: float = 0.0
    """By main process and workers together, on average."""
    cores_free: float = 0.0
    """That no program of the machine used."""
    requests: int = 0
    dns: float = 0.0
    """Seconds of all requests together, as are the next three."""
    connect: float = 0.0
    """TCP and TLS."""
    first_byte: float = 0.0
    body: float = 0.0
    slots: int = 0
    slots_taken: float = 0.0
    """On average."""
    bytes_per_second: float = 0.0
    connections: int = 0
    handshakes: int = 0
    """Connections with TLS."""
    reused: float = 0.0
    """Share of requests that found a connection open."""
    lookups: int = 0
    """Questions to the name servers."""
    rate_limited: int = 0
    """Answers 429 and 503."""
    hosts_ready: float = 0.0
    """Hosts that could be asked, on average."""
    bytes_waiting: float = 0.0
    """Of bodies on their way through parse and commit, on average."""
    bytes_waiting_most: int = 0
    probe_cost: float = 0.0
    """CPU time spent in looking at all this, as a share of the crawl's."""


class Tuned(Record, frozen=True, kw_only=True):
    """A setting that the crawl changed by itself while it ran."""

    at: float
    """Seconds from the start of the run."""
    setting: str
    before: int
    after: int
    cause: str


class Slot(Record, frozen=True, kw_only=True):
    """A stretch of the run."""

    at: float
    """Seconds from the start of the run to its beginning."""
    seconds: float
    outcomes: dict[str, int] = {}
    """URLs that ended in it, by outcome."""
    bytes: int = 0
    ceiling: float | None = None
    """Pages a second that could have been finished, as things stood; None where that cannot be told."""
    ceiling_by: str = ""
    """What sets that bound; one of the verdict's kinds."""
    shares: dict[str, float] = {}
    """What held the crawl back, by the verdict's kinds, as shares of the slot."""


class Bucket(Record, frozen=True, kw_only=True):
    """Durations of about the same length."""

    upto: float
    """Seconds; longer than the bound of the bucket before."""
    count: int
