"""From what was measured to the verdict and the ledger of a report."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.core.concurrency import Change
from crawler.core.evidence import Cause, Evidence
from crawler.core.ledger import Histogram
from crawler.core.verdict import Verdict
from crawler.report.measured import LedgerReport, Percentiles, Tuned, VerdictReport


def verdict_report(verdict: Verdict) -> VerdictReport:
    """Put a verdict into the report."""
    return VerdictReport(
        kind=verdict.kind.value,
        sentence=verdict.sentence,
        evidence=verdict.evidence,
        counterfactual=verdict.counterfactual,
        gain=verdict.gain,
        shares={kind.value: share for kind, share in verdict.shares.items()},
    )


def ledger_report(evidence: Evidence, lag: Histogram, *, most_waiting: int, looked: float) -> LedgerReport:
    """Put what was measured into the report.

    Args:
        evidence: of the whole run.
        lag: how late the loop was, seconds.
        most_waiting: bytes of bodies that waited for parse or commit, at most.
        looked: CPU seconds spent in looking.
    """
    used, rules, time = evidence.used, evidence.rules, evidence.used_time
    causes = evidence.causes()
    sampled = max(1e-9, used.samples)
    return LedgerReport(
        seconds=used.at,
        pages=round(used.pages),
        feed={cause.value: causes[cause] * evidence.seconds for cause in Cause if causes[cause]},
        loop_busy=evidence.loop_busy,
        loop_cpu=used.loop_cpu / time,
        loop_starved=used.loop_starved / time,
        loop_late=used.late / sampled,
        loop_lag=percentiles(lag),
        pool_workers=rules.workers,
        pool_busy=evidence.pool_busy,
        pool_cpu=used.parse_cpu / max(1e-9, used.parse_ran),
        journal_busy=evidence.journal_busy,
        journal_synced=used.synced / time,
        commits=round(used.commits),
        cores=rules.cores,
        cores_used=evidence.cores_used,
        cores_free=evidence.cores_free,
        requests=round(used.requests),
        dns=used.dns,
        connect=used.connect,
        first_byte=used.first_byte,
        body=used.body,
        slots=rules.concurrency,
        slots_taken=evidence.fetching,
        bytes_per_second=used.bytes / time,
        connections=round(used.connections),
        handshakes=round(used.handshakes),
        reused=1.0 - used.connections / used.requests if used.requests else 0.0,
        lookups=round(used.lookups),
        rate_limited=round(used.rate_limited),
        hosts_ready=used.ready / sampled,
        bytes_waiting=used.carried / sampled,
        bytes_waiting_most=most_waiting,
        probe_cost=looked / max(1e-9, used.main_cpu + used.parse_cpu),
    )


def tuned(changes: Sequence[Change]) -> tuple[Tuned, ...]:
    """Tell what a crawl changed about itself."""
    return tuple(
        Tuned(
            at=round(change.at, 3),
            setting="fetch.concurrency",
            before=change.before,
            after=change.after,
            cause=change.cause,
        )
        for change in changes
    )


def percentiles(histogram: Histogram) -> Percentiles:
    """Summarise how a duration is spread."""
    return Percentiles(
        p50=histogram.quantile(0.50),
        p95=histogram.quantile(0.95),
        p99=histogram.quantile(0.99),
        max=histogram.largest,
        total=histogram.total,
    )
