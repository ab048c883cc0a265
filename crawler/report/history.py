"""The runs of a folder: what is kept of each, and one held against the last."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from crawler.core.text import printable
from crawler.report.figures import NONE, count, date, duration, latency, rate, size
from crawler.report.report import PastRun, Report
from crawler.report.text import CHANGES

_LONGEST = 24
"""Characters of a word in a column."""
SHOWN = 30
"""Earlier runs that a report tells."""


def kept(report: Report) -> bytes:
    """Write what is kept of a run that has ended."""
    return msgspec.json.encode(past_run(report))


def read(began_at: float, told: bytes | None) -> PastRun:
    """Read what was kept of a run; one that was cut short, or told itself in another way, has no figures."""
    if told is not None:
        try:
            return msgspec.json.decode(told, type=PastRun)
        except msgspec.DecodeError:
            pass
    return PastRun(started_at=began_at)


def past_run(report: Report) -> PastRun:
    """Return the figures that are kept of a run."""
    changes = report.changes
    return PastRun(
        started_at=report.started_at,
        ending=report.ending.value,
        seconds=report.seconds,
        pages=report.pages,
        failed=report.failed,
        bytes_received=report.bytes_received,
        known=report.known,
        queued=report.totals.queued,
        p50=report.latency.p50,
        p95=report.latency.p95,
        rate_limited=report.ledger.rate_limited,
        cpu=report.cpu_main + report.cpu_workers,
        memory_peak=report.memory_peak,
        bottleneck=report.verdict.kind,
        changes={} if changes.since is None else {change: getattr(changes, change) for change in CHANGES},
    )


def last(report: Report) -> PastRun | None:
    """Return the last run before this one that came to its end; None if there is none."""
    return next((run for run in reversed(report.history) if run.ending), None)


class Difference(Struct, frozen=True):
    """One figure of two runs, in words."""

    name: str
    this: str
    last: str
    change: str


class Figure(Struct, frozen=True):
    """One figure of a run, and how it is written."""

    name: str
    of: Callable[[PastRun], float]
    write: Callable[[float], str]


PAGES = Figure("pages", lambda run: run.pages, count)
FAILED = Figure("failed", lambda run: run.failed, count)
RECEIVED = Figure("received", lambda run: run.bytes_received, size)
TIME = Figure("time", lambda run: run.seconds, duration)
LATENCY = Figure("latency, half within", lambda run: run.p50, latency)
_FIGURES = (
    PAGES,
    FAILED,
    Figure("pages a second", lambda run: run.pages / run.seconds if run.seconds else 0.0, rate),
    RECEIVED,
    TIME,
    LATENCY,
    Figure("latency, 95 % within", lambda run: run.p95, latency),
    Figure("answers 429, 503", lambda run: run.rate_limited, count),
    Figure("known URLs", lambda run: run.known, count),
    Figure("still queued", lambda run: run.queued, count),
    Figure("CPU", lambda run: run.cpu, duration),
    Figure("memory", lambda run: run.memory_peak, size),
)


def compare(this: PastRun, last: PastRun) -> list[Difference]:
    """Hold a run against another, figure by figure; what is the same has no change."""
    changes = [
        Figure(f"pages {words}", lambda run, change=change: run.changes.get(change, 0), count)  # type: ignore[misc]
        for change, words in CHANGES.items()
        if this.changes.get(change) or last.changes.get(change)
    ]
    numbers = [_difference(figure, this, last) for figure in (*_FIGURES, *changes)]
    words = [
        ("ended", ending_of(this), ending_of(last)),
        ("bottleneck", _word(this.bottleneck), _word(last.bottleneck)),
    ]
    return [
        *(Difference(name, new, old, "" if new == old else "other") for name, new, old in words),
        *numbers,
    ]


def _difference(figure: Figure, this: PastRun, last: PastRun) -> Difference:
    new, old = figure.of(this), figure.of(last)
    written, before = figure.write(new), figure.write(old)
    if written == before or NONE in {written, before}:
        return Difference(figure.name, written, before, "")
    sign = "+" if new > old else "-"
    part = f" ({100 * (new - old) / old:+.0f} %)" if old else ""
    return Difference(figure.name, written, before, f"{sign}{figure.write(abs(new - old))}{part}")


def against_last(report: Report) -> str:
    """Tell a person how a run differs from the last one before it. Lines, the last one ended too."""
    before = last(report)
    if before is None:
        return "There is no earlier run in this folder to hold this one against.\n"
    rows = [("", "this run", "last run", "change")]
    rows += [(row.name, row.this, row.last, row.change) for row in compare(past_run(report), before)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:>{widths[3]}}".rstrip()
        for row in rows
    ]
    head = f"The run of {date(report.started_at)} against that of {date(before.started_at)}"
    return "\n".join((head, *_cut_short(report), *lines)) + "\n"


def _cut_short(report: Report) -> list[str]:
    """Tell of runs between the two that never came to their end."""
    between = 0
    for run in reversed(report.history):
        if run.ending:
            break
        between += 1
    return [f"  ({count(between)} between them cut short)"] if between else []


def ending_of(run: PastRun) -> str:
    """Say in a word how a run ended."""
    return _word(run.ending.replace("_", " ")) or "cut short"


def _word(text: str) -> str:
    return printable(text, limit=_LONGEST)


def figure_or_none(run: PastRun, write: Callable[[float], str], value: float) -> str:
    """Write a figure of a run, or a dash if it was cut short."""
    return write(value) if run.ending else NONE
