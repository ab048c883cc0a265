"""How the shards stand, seen from the driver: for the live line, the live page, and the rows of the report."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crawler.cluster.link import Look
from crawler.report.merge import merged_progress
from crawler.report.report import Progress, Report, ShardReport


class Outlook:
    """Remembers the last look at each shard."""

    def __init__(self, shards: int) -> None:
        self._looks: list[Look | None] = [None] * shards
        self._restarts = [0] * shards

    def see(self, looks: Sequence[Look | None]) -> None:
        """Take note of a wave; a shard that did not answer is seen as it was."""
        self._looks = [new or old for new, old in zip(looks, self._looks, strict=True)]

    def lost(self, shard: int) -> bool:
        """Take note that a shard has died, or has not yet begun; tell whether it had been seen at work since."""
        seen = self._looks[shard] is not None
        self._restarts[shard] += seen
        self._looks[shard] = None
        return seen

    def progress(self, elapsed: float, *, stopping: bool) -> Progress:
        """Tell how the crawl stands."""
        return merged_progress([look.progress for look in self._looks if look], elapsed=elapsed, stopping=stopping)

    def rows(self, reports: Sequence[Report | None]) -> tuple[ShardReport, ...]:
        """Return a row per shard.

        Args:
            reports: of the shards, by their numbers, as they stand or as they ended.
        """
        return tuple(self._row(shard, report) for shard, report in enumerate(reports))

    def _row(self, shard: int, report: Report | None) -> ShardReport:
        look = self._looks[shard]
        row = ShardReport(
            shard=shard,
            restarts=self._restarts[shard],
            sent=look.sent if look else 0,
            received=look.received if look else 0,
            waiting=look.waiting + look.heard if look else 0,
            exchanged=look.exchanged if look else 0,
        )
        if report is None:
            return row
        most = max(report.left, key=lambda left: left.queued, default=None)
        return msgspec.structs.replace(
            row,
            pages=report.pages,
            failed=report.failed,
            bytes=report.bytes_received,
            known=report.known,
            queued=report.totals.queued,
            hosts=report.hosts_total,
            cpu=report.cpu_main + report.cpu_workers,
            memory=report.memory_peak,
            bottleneck=report.verdict.kind,
            longest=most.host if most else "",
            longest_queued=most.queued if most else 0,
        )
