"""A run in one line, for a log that has a line for each."""

from __future__ import annotations

from crawler.core.text import printable
from crawler.report.figures import count, duration, plural, rate
from crawler.report.report import Report
from crawler.report.text import CHANGES


def line(report: Report) -> str:
    """Tell a run in one line, without its end."""
    reason = f" ({report.reason})" if report.reason else ""
    pages = f"{plural(report.pages, 'page')} ({count(report.failed)} failed)"
    parts = [
        f"{report.ending.value.replace('_', ' ')}{reason}: {pages} in {duration(report.seconds)}",
        rate(report.pages_per_second),
        f"{count(report.totals.queued)} queued",
    ]
    if report.changes.since is not None:
        told = ((change, getattr(report.changes, change)) for change in CHANGES)
        parts.append(", ".join(f"{count(number)} {change}" for change, number in told))
    parts.append(f"held back by {report.verdict.kind}")
    return printable("; ".join(parts))
