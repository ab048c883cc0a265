"""What a run tells about itself: while it goes on, and when it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from crawler.core.verdict import judge
from crawler.parts import Parts
from crawler.probe import Probe
from crawler.report.compose import Run, compose, totals
from crawler.report.course import course
from crawler.report.history import SHOWN, kept, read
from crawler.report.meters import ledger_report, tuned, verdict_report
from crawler.report.report import HOSTS_LEFT, ChangesReport, Ending, HostLeft, PastRun, Progress, Report, Totals
from crawler.report.seeds import seed_report

if TYPE_CHECKING:
    from crawler.engine import Engine


class Account:
    """The figures of one run, from the moment at which this is made.

    Args:
        parts: what works for the run.
        engine, probe: where it is counted.
        seeds: what the caller gave.
        folder: the output folder, as the caller named it.
        started_at: Unix seconds.
    """

    def __init__(
        self, parts: Parts, engine: Engine, probe: Probe, *, seeds: object, folder: str, started_at: float
    ) -> None:
        self._parts = parts
        self._engine = engine
        self._probe = probe
        self._seeds = seeds
        self._folder = folder
        self._started_at = started_at
        self._cpu = time.process_time()
        self._history: tuple[PastRun, ...] = ()

    async def look_back(self) -> None:
        """Read what is kept of the runs before this one."""
        rows = await self._parts.commit.earlier_runs(SHOWN)
        self._history = tuple(read(row.began_at, row.told) for row in rows)

    def progress(self, now: float) -> Progress:
        """Tell how the run stands, for a line."""
        engine, tally, queues = self._engine, self._engine.tally, self._parts.queues
        return Progress(
            pages=tally.pages,
            failed=tally.failed,
            queued=len(queues),
            in_flight=engine.in_flight,
            bytes_received=tally.bytes,
            hosts_ready=queues.ready_hosts(now),
            elapsed=now - self._started_at,
            stopping=bool(engine.stop_reason),
            bottleneck=judge(self._probe.evidence(recent=True)).short,
        )

    def so_far(self, now: float) -> Report:
        """Tell the run as it stands: what was done in it, and what is queued; what the folder holds is not counted."""
        tally, queued = self._engine.tally, len(self._parts.queues)
        counted = Totals(done=tally.done, failed=tally.failed, queued=queued)
        return self._compose(Ending.RUNNING, now, self._parts.commit.known, counted)

    def standing(self, ending: Ending, now: float) -> Report:
        """Tell the run as it stands, and all that the folder holds."""
        counts = self._parts.commit.totals
        return self._compose(ending, now, sum(counts.values()), totals(counts))

    async def final(self, ending: Ending, now: float) -> Report:
        """Tell the run that has ended, and keep its figures for later ones; the folder's URLs are counted anew."""
        commit = self._parts.commit
        known, counts = await commit.counts()
        round_, changes = await commit.round()
        left, left_hosts = await commit.left(HOSTS_LEFT)
        report = msgspec.structs.replace(
            self._compose(ending, now, known, totals(counts)),
            changes=ChangesReport(round=round_.number, since=round_.since, **changes),
            left=tuple(HostLeft(host=host, queued=queued) for host, queued in left),
            left_hosts=left_hosts,
        )
        await commit.end_run(kept(report))
        return report

    def _compose(self, ending: Ending, now: float, known: int, counted: Totals) -> Report:
        parts, engine, probe = self._parts, self._engine, self._probe
        evidence = probe.evidence()
        run = Run(
            started_at=self._started_at,
            ended_at=now,
            ending=ending,
            reason=engine.stop_reason or engine.limit,
            folder=self._folder,
            cpu_main=time.process_time() - self._cpu,
            cpu_workers=parts.processes.cpu,
            connections={"opened": parts.client.connections, "workers_replaced": parts.processes.replaced},
            seeds=seed_report(self._seeds, engine.tally),
            known=known,
            totals=counted,
            verdict=verdict_report(judge(evidence)),
            measured=ledger_report(evidence, probe.lag, most_waiting=probe.most_carried, looked=probe.looked),
            tuned=tuned(parts.tuning.changes if parts.tuning else ()),
            course=course(probe.timeline, probe.rules),
            history=self._history,
        )
        return compose(run, engine.tally, parts.ledger, parts.queues)
