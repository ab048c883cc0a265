"""From counts to a report."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from math import inf, isfinite

from msgspec import Struct

from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.ledger import Ledger, Stage
from crawler.core.outcomes import State
from crawler.core.tally import HostTally, Tally
from crawler.report.course import spread
from crawler.report.measured import LedgerReport, Slot, StageReport, Tuned, VerdictReport
from crawler.report.meters import percentiles
from crawler.report.report import Ending, HostReport, PastRun, Problem, Report, SeedReport, Totals

_MOST_HOSTS = 50
_MOST_WAITING = 20
_MOST_PROBLEMS = 50


class Run(Struct, frozen=True, kw_only=True):
    """What is known of a run besides what was counted on the way; times are Unix seconds."""

    started_at: float
    ended_at: float
    ending: Ending
    reason: str
    folder: str
    cpu_main: float
    """CPU seconds of this process."""
    cpu_workers: float
    connections: Mapping[str, int]
    seeds: SeedReport
    known: int
    """URLs known to the folder, counted as they became known."""
    totals: Totals
    """The same, counted anew from the table."""
    verdict: VerdictReport
    measured: LedgerReport
    tuned: tuple[Tuned, ...] = ()
    course: tuple[Slot, ...] = ()
    history: tuple[PastRun, ...] = ()


def totals(counts: Mapping[tuple[State, str], int]) -> Totals:
    """Sum up a folder's URLs by state."""
    by_state = dict.fromkeys(State, 0)
    by_outcome: dict[str, int] = {}
    for (state, outcome), count in counts.items():
        by_state[state] += count
        if state is not State.QUEUED:
            by_outcome[outcome] = by_outcome.get(outcome, 0) + count
    return Totals(
        done=by_state[State.DONE],
        failed=by_state[State.FAILED],
        skipped=by_state[State.SKIPPED],
        queued=by_state[State.QUEUED],
        by_outcome=dict(sorted(by_outcome.items())),
    )


def compose(run: Run, tally: Tally, ledger: Ledger, queues: HostQueues) -> Report:
    """Put a run's report together."""
    seconds, total = max(1e-9, run.ended_at - run.started_at), run.totals
    nothing = run.ending is Ending.COMPLETE and not total.done
    return Report(
        ending=Ending.NOTHING_FETCHED if nothing else run.ending,
        reason=run.reason,
        folder=run.folder,
        started_at=run.started_at,
        ended_at=run.ended_at,
        seconds=seconds,
        pages=tally.pages,
        done=tally.done,
        failed=tally.failed,
        bytes_received=tally.bytes,
        pages_per_second=tally.pages / seconds,
        bytes_per_second=tally.bytes / seconds,
        known=run.known,
        totals=total,
        conserved=run.ending is Ending.RUNNING or run.known == total.done + total.failed + total.skipped + total.queued,
        latency=percentiles(ledger.latency),
        latencies=spread(ledger.latency),
        course=run.course,
        history=run.history,
        stages=tuple(_stage(stage) for stage in ledger.stages if stage.running.count),
        hosts=_hosts(tally.hosts, queues),
        hosts_total=len(tally.hosts),
        problems=_problems(tally),
        connections=dict(run.connections),
        cpu_main=run.cpu_main,
        cpu_workers=run.cpu_workers,
        memory_peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        seeds=run.seeds,
        verdict=run.verdict,
        ledger=run.measured,
        tuned=run.tuned,
    )


def _stage(stage: Stage) -> StageReport:
    return StageReport(
        name=stage.name,
        place=stage.place,
        calls=stage.running.count,
        waiting=stage.waiting.total,
        running=stage.running.total,
        cpu=stage.cpu,
        p50=stage.whole.quantile(0.50),
        p99=stage.whole.quantile(0.99),
    )


def _hosts(tallies: Mapping[str, HostTally], queues: HostQueues) -> tuple[HostReport, ...]:
    most = sorted(tallies, key=lambda key: -tallies[key].pages)[:_MOST_HOSTS]
    longest = sorted(queues.hosts.values(), key=lambda queue: -queue.waited)[:_MOST_WAITING]
    besides = [queue.key for queue in longest if queue.waited and queue.key not in most]
    return tuple(
        _host(key, tallies.get(key, HostTally()), queues.hosts.get(key), robots=queues.robots) for key in most + besides
    )


def _host(key: str, tally: HostTally, queue: HostQueue | None, *, robots: bool) -> HostReport:
    gap = queue.smallest_gap if queue else inf
    return HostReport(
        host=key,
        pages=tally.pages,
        failed=tally.failed,
        bytes=tally.bytes,
        robots=_robots(queue) if robots else "ignored",
        delay_asked=queue.robots_delay if queue else None,
        delay_kept=queue.delay if queue else 0.0,
        smallest_gap=gap if isfinite(gap) else None,
        rate_limited=queue.rate_limited if queue else 0,
        eased=queue.ease.least if queue else 0,
        waited_delay=queue.polite_wait if queue else 0.0,
        waited_slot=queue.slot_wait if queue else 0.0,
    )


def _robots(queue: HostQueue | None) -> str:
    if queue is None or queue.rules is None:
        return "unreachable" if queue and queue.refusal else ""
    return "obeyed" if queue.has_robots else "none"


def _problems(tally: Tally) -> tuple[Problem, ...]:
    causes = sorted(tally.causes.items(), key=lambda one: -one[1].count)[:_MOST_PROBLEMS]
    return tuple(
        Problem(outcome=outcome, status=status, count=cause.count, example=cause.example, detail=cause.detail)
        for (outcome, status), cause in causes
    )
