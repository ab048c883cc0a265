"""The page's view back: this run among the ones before it, and against the last."""

from __future__ import annotations

from markupsafe import Markup

from crawler.report.figures import count, date, duration, plural, size
from crawler.report.history import (
    FAILED,
    LATENCY,
    PAGES,
    RECEIVED,
    TIME,
    Figure,
    compare,
    ending_of,
    figure_or_none,
    last,
    past_run,
)
from crawler.report.page.section import figures, section, table
from crawler.report.pictures.columns import join
from crawler.report.pictures.runs import Strip
from crawler.report.report import Ending, PastRun, Report

_CHANGED = Figure("new or changed", lambda run: run.changes.get("new", 0) + run.changes.get("changed", 0), count)
_DRAWN = (PAGES, FAILED, _CHANGED, RECEIVED, TIME, LATENCY)


def history(report: Report) -> Markup:
    """Draw the last runs of the folder, and hold this one against the one before."""
    if not report.history:
        return Markup()
    runs = [*report.history, past_run(report)]
    so_far = " so far" if report.ending is Ending.RUNNING else ""
    say = f"This run{so_far} and {plural(len(report.history), 'run')} before it."
    strips = join([_strip(drawn, runs).draw() for drawn in _DRAWN])
    return section(
        "history",
        "Run by run",
        say,
        Markup('<ul class="strips">{}</ul>').format(strips),
        _against(report),
        figures(table(("run", "ended", "pages", "failed", "received", "time"), map(_row, reversed(runs)), words=2)),
    )


def _strip(drawn: Figure, runs: list[PastRun]) -> Strip:
    return Strip(
        name=drawn.name,
        figure=drawn.write(drawn.of(runs[-1])),
        values=[drawn.of(run) if run.ending else None for run in runs],
        hints=[f"{date(run.started_at)}: {figure_or_none(run, drawn.write, drawn.of(run))}" for run in runs],
    )


def _row(run: PastRun) -> tuple[str, ...]:
    numbers = ((count, run.pages), (count, run.failed), (size, run.bytes_received), (duration, run.seconds))
    return date(run.started_at), ending_of(run), *(figure_or_none(run, write, value) for write, value in numbers)


def _against(report: Report) -> Markup:
    before = last(report)
    if before is None:
        return Markup()
    rows = [(one.name, one.this, one.last, one.change) for one in compare(past_run(report), before)]
    return Markup("<details><summary>Against the run of {}</summary>{}</details>").format(
        date(before.started_at), table(("figure", "this run", "last run", "change"), rows)
    )
