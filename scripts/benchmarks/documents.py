"""From figures to the tables of docs/performance.md and its pictures."""

from __future__ import annotations

from statistics import median

import msgspec

from crawler.report.report import Report
from scripts.benchmarks.crawls import ROOT
from scripts.benchmarks.frontier import Adding, Choosing, Growth, Return
from scripts.benchmarks.ledger import Share as Measuring
from scripts.benchmarks.machine import Machine
from scripts.benchmarks.pictures import Bar, bars
from scripts.benchmarks.politeness import Delayed, Eager
from scripts.benchmarks.profile import Share
from scripts.benchmarks.stages import Cost
from scripts.benchmarks.tables import figure, table, write_place
from scripts.benchmarks.throughput import Row, Run
from scripts.benchmarks.tuning import Chosen

DOCUMENT = ROOT / "docs/performance.md"
PICTURES = ROOT / "docs/pictures"
_LEAST_SHARE = 0.01


class Measured(msgspec.Struct, kw_only=True):
    """What a benchmark found; what it did not look for is empty."""

    adding: list[Adding] = []
    growth: list[Growth] = []
    choosing: list[Choosing] = []
    comebacks: list[Return] = []
    seen_sets: list[tuple[int, float]] = []
    delayed: list[Delayed] = []
    eager: list[Eager] = []
    chosen: list[Chosen] = []
    runs: list[Run] = []
    rows: list[Row] = []
    costs: list[Cost] = []
    shares: list[Share] = []
    measuring: list[Measuring] = []
    report: Report | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark found, and where."""

    machine: Machine
    measured: Measured


def tables(found: Measured) -> dict[str, str]:
    """Return the tables that can be made of these figures, by the name of their place."""
    made = {
        "adding": _adding(found.adding),
        "growth": _growth(found.growth),
        "choosing": _choosing(found.choosing),
        "memory": _memory(found.comebacks, dict(found.seen_sets)),
        "politeness": _delayed(found.delayed),
        "latency": _eager(found.eager),
        "tuning": _chosen(found.chosen),
        "throughput": _throughput(found.rows),
        "places": _places(found.runs),
        "stages": _stages(found.costs),
        "profile": _profile(found.shares),
        "ledger": _measuring(found.measuring),
    }
    return {name: text for name, text in made.items() if text}


def write(figures: Figures) -> None:
    """Put the tables into the document, each below the facts of the machine, and draw the pictures anew."""
    found = figures.measured
    for name, text in tables(found).items():
        write_place(DOCUMENT, name, f"{figures.machine.sentence()}\n\n{text}")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, drawing in pictures(found).items():
        (PICTURES / f"{name}.svg").write_text(drawing, encoding="utf-8")


def pictures(found: Measured) -> dict[str, str]:
    """Draw what can be drawn of these figures, by the name of the file."""
    drawn: dict[str, str] = {}
    if found.rows:
        rates = [Bar(row.name, {"rate": row.rate}, ours=row is found.rows[0]) for row in found.rows]
        drawn["throughput"] = bars("The same work, by the same machine", "pages a second", rates)
    if parts := _places_of(found.runs):
        drawn["page-cost"] = bars("What a page costs, by place", "milliseconds of CPU", [Bar("crawler", parts)])
    if found.growth:
        sizes = [
            Bar(
                f"{one.known:,} URLs",
                {"choose": one.choosing, "add and end": one.page - one.choosing},
            )
            for one in found.growth
            if not one.scattered
        ]
        drawn["frontier"] = bars("The frontier's share of a page, as it grows", "microseconds of CPU", sizes)
    return drawn


def _adding(rows: list[Adding]) -> str:
    head = ("outlinks, half of them known", "hosts", "µs of CPU each", "µs on the clock each")
    return table(head, [(f"{one.outlinks:,}", one.hosts, one.cpu, one.wall) for one in rows]) if rows else ""


def _growth(rows: list[Growth]) -> str:
    head = ("known URLs", "outlinks lead", "choose, µs a page", "add, µs an outlink", "in all, µs a page", "by first")
    first = {one.scattered: one.page for one in reversed(rows)}
    cells = [
        (
            f"{one.known:,}",
            "to 100 hosts" if one.scattered else "to their own host",
            one.choosing,
            one.adding,
            one.page,
            f"{one.page / first[one.scattered]:.2f}",
        )
        for one in rows
    ]
    return table(head, cells) if rows else ""


def _choosing(rows: list[Choosing]) -> str:
    return table(("hosts in memory", "µs a turn"), [(f"{one.hosts:,}", one.turn) for one in rows]) if rows else ""


def _memory(rows: list[Return], seen: dict[int, float]) -> str:
    head = ("known URLs", "seen set, B each", "after a restart", "whole process, B each", "back after, s", "µs each")
    by_size = sorted(seen.items())
    cells = [
        (f"{size:,}", grown, one.seen, one.resident, one.seconds, one.per_url)
        for (size, grown), one in zip(by_size, rows, strict=True)
    ]
    return table(head, cells) if rows else ""


def _delayed(rows: list[Delayed]) -> str:
    head = ("web", "bound, s", "whole run, s", "by bound", "requests, s", "smallest gap, s", "gaps under the delay")
    cells = [
        (
            one.name,
            one.bound,
            one.makespan,
            f"{one.ratio:.3f}",
            one.span,
            f"{one.smallest_gap:.4f} of {one.delay:g}",
            f"{one.hurried} of {one.requests:,}",
        )
        for one in rows
    ]
    return table(head, cells) if rows else ""


def _eager(rows: list[Eager]) -> str:
    head = ("requests", "concurrency ÷ latency", "without latency", "pages/s", "by the lesser")
    cells = [(one.name, one.by_latency, one.by_cpu, one.rate, f"{one.ratio:.3f}") for one in rows]
    return table(head, cells) if rows else ""


def _chosen(rows: list[Chosen]) -> str:
    if not rows:
        return ""
    grid = list(rows[0].fixed)
    cells = [
        (one.name, *one.fixed.values(), one.by_itself, one.settled, f"{one.ratio:.2f}", one.others) for one in rows
    ]
    fixed = [f"{concurrency:,} at a time" for concurrency in grid]
    return table(("pages/s of a web", *fixed, "by itself", "it settled at", "by the best", "others, cores"), cells)


def _throughput(rows: list[Row]) -> str:
    head = (
        "contender",
        "what it does",
        "pages",
        "pages/s",
        "CPU, ms a page",
        "crawler's pages/s by these",
        "others, cores",
    )
    cells = [
        (one.name, one.about, f"{one.pages:,}", one.rate, one.cpu, f"{figure(one.times)}", one.others) for one in rows
    ]
    return table(head, cells) if rows else ""


def _places_of(runs: list[Run]) -> dict[str, float]:
    ours = [run.places for run in runs if run.places]
    return {name: median(places[name] for places in ours) for name in ours[0]} if ours else {}


def _places(runs: list[Run]) -> str:
    parts = _places_of(runs)
    if not parts:
        return ""
    cells: list[tuple[object, ...]] = [(name, cost, f"{1e3 / max(cost, 1e-9):,.0f}") for name, cost in parts.items()]
    return table(("place", "CPU, ms a page", "pages/s if it were a core's only work"), cells)


def _stages(rows: list[Cost]) -> str:
    head = ("stage", "CPU, µs a page", "on the clock, µs a page")
    return table(head, [(one.name, one.cpu, one.wall) for one in rows]) if rows else ""


def _profile(rows: list[Share]) -> str:
    cells = [(f"{one.thread}: {one.part}", one.cpu, f"{one.share:.0%}") for one in rows if one.share >= _LEAST_SHARE]
    return table(("thread: code", "CPU, µs a page", "of the main process"), cells) if rows else ""


def _measuring(rows: list[Measuring]) -> str:
    head = ("part of measuring", "CPU, µs a page", "of all CPU of a page")
    return table(head, [(one.name, one.cpu, f"{one.share:.1%}") for one in rows]) if rows else ""
