"""The rows of the shards that share a crawl, in words: the same for the text and for the page."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.core.text import printable
from crawler.report.figures import NONE, count, duration, plural, size
from crawler.report.report import Report, ShardReport

SHOWN = 50
HEAD = ("shard", "held back by", "pages", "failed", "queued", "hosts", "sent", "CPU", "memory", "restarts")


def said(report: Report) -> str:
    """Say how the work lies among the shards."""
    waiting = sum(row.waiting for row in report.shards)
    parts = [f"{plural(len(report.shards), 'shard')} share the crawl"]
    if waiting:
        parts.append(f"{plural(waiting, 'URL')} found by one for another are still to be sent")
    if report.skew:
        parts.append(printable(report.skew, limit=200))
    return f"{'; '.join(parts)}."


def cells(report: Report) -> Iterator[tuple[str, ...]]:
    """Return a row for each shard, those with most pages first."""
    yield from map(_cells, sorted(report.shards, key=lambda row: -row.pages)[:SHOWN])


def _cells(row: ShardReport) -> tuple[str, ...]:
    return (
        f"{row.shard:02}",
        printable(row.bottleneck, limit=24) or NONE,
        count(row.pages),
        count(row.failed),
        count(row.queued),
        count(row.hosts),
        size(row.exchanged),
        duration(row.cpu),
        size(row.memory),
        count(row.restarts),
    )
