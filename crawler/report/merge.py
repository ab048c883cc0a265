"""From the reports of shards to the one report of the crawl that they share.

What is counted is added up, what is a share is averaged over the pages that it comes from, and percentiles are read
from the buckets of all together, so they are right to the width of a bucket. What only each shard can tell, such as
how a stage's calls are spread, is told of the one where it was worst.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

import msgspec

from crawler.core.bottleneck import Bottleneck
from crawler.report.figures import count, plural
from crawler.report.measured import Bucket, LedgerReport, Percentiles, Slot, StageReport, VerdictReport
from crawler.report.report import (
    HOSTS_LEFT,
    ChangesReport,
    Ending,
    Problem,
    Progress,
    Report,
    ShardReport,
    SnapshotReport,
    Totals,
)

R = TypeVar("R", bound=msgspec.Struct)

_MOST_HOSTS = 70
_MOST_PROBLEMS = 50
NAMED = 0.6
"""Part of the pages whose shards must agree on a bottleneck for it to be named."""
SKEWED = 1.5
"""Times its even part that one shard must have of what is left, for the work to lie unevenly."""
_SHARES = frozenset(
    {"loop_busy", "loop_cpu", "loop_starved", "loop_late", "pool_busy", "pool_cpu", "journal_busy", "journal_synced"}
    | {"reused", "probe_cost", "seconds"}
)
_MOST = frozenset({"cores", "bytes_waiting_most", "cores_free"})


def merged_progress(parts: Sequence[Progress], *, elapsed: float, stopping: bool) -> Progress:
    """Add up shards at one moment."""
    common = Counter(part.bottleneck for part in parts if part.bottleneck).most_common(1)
    return Progress(
        pages=sum(part.pages for part in parts),
        failed=sum(part.failed for part in parts),
        queued=sum(part.queued for part in parts),
        in_flight=sum(part.in_flight for part in parts),
        bytes_received=sum(part.bytes_received for part in parts),
        hosts_ready=sum(part.hosts_ready for part in parts),
        elapsed=elapsed,
        stopping=stopping,
        bottleneck=common[0][0] if common else "",
    )


def merge(parts: Sequence[Report], rows: Sequence[ShardReport], whole: Report) -> Report:
    """Put the report of a shared crawl together.

    Args:
        parts: of the shards.
        rows: of the shards too.
        whole: what is known of the crawl beside them: how and when it ended, its folder, seeds and history.
    """
    seconds, pages = max(1e-9, whole.ended_at - whole.started_at), _sum(parts, "pages")
    received = _sum(parts, "bytes_received")
    totals, latencies = _totals(parts), _buckets(parts)
    moved = sum(part.totals.by_outcome.get("moved", 0) for part in parts)  # each is counted where it is now
    nothing = whole.ending is Ending.COMPLETE and not totals.done
    hosts = sorted((host for part in parts for host in part.hosts), key=lambda host: -host.pages)
    left = sorted((left for part in parts for left in part.left), key=lambda left: -left.queued)
    return msgspec.structs.replace(
        whole,
        ending=Ending.NOTHING_FETCHED if nothing else whole.ending,
        seconds=seconds,
        pages=pages,
        done=_sum(parts, "done"),
        failed=_sum(parts, "failed"),
        bytes_received=received,
        pages_per_second=pages / seconds,
        bytes_per_second=received / seconds,
        known=_sum(parts, "known") - moved,
        totals=totals,
        conserved=all(part.conserved for part in parts),
        latency=_percentiles(latencies, parts),
        latencies=latencies,
        course=_course(parts),
        stages=_stages(parts),
        hosts=tuple(hosts[:_MOST_HOSTS]),
        hosts_total=_sum(parts, "hosts_total"),
        problems=_problems(parts),
        connections=_added(part.connections for part in parts),
        cpu_main=sum(part.cpu_main for part in parts),
        cpu_workers=sum(part.cpu_workers for part in parts),
        memory_peak=_sum(parts, "memory_peak"),
        changes=_changes(parts),
        left=tuple(left[:HOSTS_LEFT]),
        left_hosts=_sum(parts, "left_hosts"),
        verdict=_verdict(parts),
        ledger=_ledger(parts),
        snapshot=_snapshot(parts),
        shards=tuple(rows),
        skew=skew(rows),
    )


def skew(rows: Sequence[ShardReport]) -> str:
    """Say which shard has most of what is left to do, if that is much more than its part."""
    left = sum(row.queued for row in rows)
    if not left or len(rows) < 2:
        return ""
    most = max(rows, key=lambda row: row.queued)
    if most.queued * len(rows) < SKEWED * left:
        return ""
    words = f"shard {most.shard} has {100 * most.queued / left:.0f} % of what is left"
    if 2 * most.longest_queued > most.queued:
        part = (
            f"{100 * most.longest_queued / most.queued:.0f} % of that" if most.longest_queued < most.queued else "all"
        )
        return f"{words}: one host, {most.longest}" + ("" if part == "all" else f", has {part}")
    return f"{words}, spread over its hosts"


def _sum(parts: Iterable[Report], name: str) -> int:
    return sum(int(getattr(part, name)) for part in parts)


def _added(counts: Iterable[Mapping[str, int | float]]) -> dict[str, int | float]:
    total: dict[str, int | float] = {}
    for one in counts:
        for name, number in one.items():
            total[name] = total.get(name, 0) + number
    return total


def _totals(parts: Sequence[Report]) -> Totals:
    outcomes = Counter[str]()
    for part in parts:
        outcomes.update(part.totals.by_outcome)
    counts = {
        name: sum(getattr(part.totals, name) for part in parts) for name in ("done", "failed", "skipped", "queued")
    }
    counts["skipped"] -= outcomes.pop("moved", 0)
    return Totals(**counts, by_outcome=dict(sorted(outcomes.items())))


def _changes(parts: Sequence[Report]) -> ChangesReport:
    names = ("new", "changed", "boilerplate", "unchanged", "moved", "gone")
    since = [part.changes.since for part in parts if part.changes.since is not None]
    return ChangesReport(
        round=max((part.changes.round for part in parts), default=1),
        since=min(since) if since else None,
        **{name: sum(getattr(part.changes, name) for part in parts) for name in names},
    )


def _snapshot(parts: Sequence[Report]) -> SnapshotReport | None:
    """Tell of the snapshots of all shards as of one, which is as old as the oldest of them."""
    told = [part.snapshot for part in parts if part.snapshot is not None]
    if not told:
        return None
    taken = [one.taken_at for one in told if one.taken_at is not None]
    return SnapshotReport(
        place=told[0].place.rpartition("/")[0],
        number=0,
        taken_at=min(taken) if len(taken) == len(told) else None,
        complete=all(one.complete for one in told),
        trouble=next((one.trouble for one in told if one.trouble), ""),
        **{name: sum(getattr(one, name) for one in told) for name in ("pages", "behind", "taken", "failed", "sent")},
    )


def _buckets(parts: Sequence[Report]) -> tuple[Bucket, ...]:
    counts = Counter[float]()
    for part in parts:
        for bucket in part.latencies:
            counts[bucket.upto] += bucket.count
    return tuple(Bucket(upto=upto, count=counts[upto]) for upto in sorted(counts))


def _percentiles(buckets: Sequence[Bucket], parts: Sequence[Report]) -> Percentiles:
    most = max((part.latency.max for part in parts), default=0.0)

    def quantile(share: float) -> float:
        below, wanted = 0, share * sum(bucket.count for bucket in buckets)
        for bucket in buckets:
            below += bucket.count
            if below >= wanted:
                return min(bucket.upto, most)
        return 0.0

    total = sum(part.latency.total for part in parts)
    return Percentiles(p50=quantile(0.5), p95=quantile(0.95), p99=quantile(0.99), max=most, total=total)


def _course(parts: Sequence[Report]) -> tuple[Slot, ...]:
    """Lay the shards' courses over the one with most slots; a slot counts where its middle lies."""
    grid = max((part.course for part in parts), key=len, default=())
    inside: list[list[Slot]] = [[] for _ in grid]
    for part in parts:
        for slot in part.course:
            middle, at = slot.at + slot.seconds / 2, 0
            while at + 1 < len(grid) and grid[at + 1].at <= middle:
                at += 1
            inside[at].append(slot)
    return tuple(_slot(frame, slots) for frame, slots in zip(grid, inside, strict=True))


def _slot(frame: Slot, slots: Sequence[Slot]) -> Slot:
    ceilings = [slot.ceiling for slot in slots if slot.ceiling is not None]
    bounded_by = Counter(slot.ceiling_by for slot in slots if slot.ceiling_by).most_common(1)
    shares = _added(slot.shares for slot in slots)
    return Slot(
        at=frame.at,
        seconds=frame.seconds,
        outcomes={name: int(number) for name, number in _added(slot.outcomes for slot in slots).items()},
        bytes=sum(slot.bytes for slot in slots),
        ceiling=sum(ceilings) if len(ceilings) == len(slots) and slots else None,
        ceiling_by=bounded_by[0][0] if bounded_by else "",
        shares={kind: share / len(slots) for kind, share in shares.items()},
    )


def _stages(parts: Sequence[Report]) -> tuple[StageReport, ...]:
    by_name: dict[str, list[StageReport]] = {}
    for part in parts:
        for stage in part.stages:
            by_name.setdefault(stage.name, []).append(stage)
    return tuple(
        StageReport(
            name=name,
            place=stages[0].place,
            calls=sum(stage.calls for stage in stages),
            waiting=sum(stage.waiting for stage in stages),
            running=sum(stage.running for stage in stages),
            cpu=sum(stage.cpu for stage in stages),
            p50=max(stage.p50 for stage in stages),
            p99=max(stage.p99 for stage in stages),
        )
        for name, stages in by_name.items()
    )


def _problems(parts: Sequence[Report]) -> tuple[Problem, ...]:
    def cause(problem: Problem) -> tuple[str, int]:
        return problem.outcome, problem.status

    all_of_them = sorted((problem for part in parts for problem in part.problems), key=cause)
    merged = [
        msgspec.structs.replace(group[0], count=sum(problem.count for problem in group))
        for group in (list(same) for _, same in groupby(all_of_them, key=cause))
    ]
    return tuple(sorted(merged, key=lambda problem: -problem.count)[:_MOST_PROBLEMS])


def _weights(parts: Sequence[Report]) -> list[float]:
    pages = [float(part.pages) for part in parts]
    return [one / sum(pages) for one in pages] if sum(pages) else [1 / max(1, len(parts))] * len(parts)


def _ledger(parts: Sequence[Report]) -> LedgerReport:
    """Add up, average or compare, field by field."""
    weights, ledgers = _weights(parts), [part.ledger for part in parts]
    merged: dict[str, object] = {}
    for field in msgspec.structs.fields(LedgerReport):
        values = [getattr(ledger, field.name) for ledger in ledgers]
        if field.name == "feed":
            merged[field.name] = _added(values)
        elif field.name == "loop_lag":
            merged[field.name] = max(values, key=lambda lag: lag.p99, default=Percentiles())
        elif field.name in _SHARES:
            merged[field.name] = sum(value * weight for value, weight in zip(values, weights, strict=True))
        else:
            merged[field.name] = max(values, default=0) if field.name in _MOST else sum(values)
    return LedgerReport(**merged)  # type: ignore[arg-type]  # by field


def _verdict(parts: Sequence[Report]) -> VerdictReport:
    """Name the bottleneck that the shards of most pages name, in the words of the largest of them."""
    weights = _weights(parts)
    kinds, shares = Counter[str](), Counter[str]()
    for part, weight in zip(parts, weights, strict=True):
        kinds[part.verdict.kind] += weight  # type: ignore[assignment]  # a part of the pages, not a number of them
        for kind, share in part.verdict.shares.items():
            shares[kind] += share * weight  # type: ignore[assignment]
    if not kinds:
        return VerdictReport()
    kind, agreed = kinds.most_common(1)[0]
    alike = [part for part in parts if part.verdict.kind == kind]
    largest = max(alike, key=lambda part: part.pages)
    if agreed >= NAMED:
        words = "" if len(parts) == 1 else f" ({count(len(alike))} of {plural(len(parts), 'shard')} say so)"
        return msgspec.structs.replace(
            largest.verdict, sentence=largest.verdict.sentence + words, shares=dict(shares.most_common())
        )
    named = Counter(part.verdict.kind for part in parts if part.pages)
    told = ", ".join(f"{plural(number, 'shard')} by {name}" for name, number in named.most_common())
    return VerdictReport(
        kind=Bottleneck.MIXED.value,
        sentence=f"Bottleneck: not one for all. Held back are {told}.",
        shares=dict(shares.most_common()),
    )
