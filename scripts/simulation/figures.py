"""The figures of a simulation, and the tables that are made of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from scripts.benchmarks.machine import Machine
from scripts.benchmarks.tables import figure, table, write_place
from scripts.simulation.crawl import Course, Plan
from scripts.simulation.parcels import ParcelSize

HOUR = 3600.0


class WebFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The web that is crawled."""

    pages: int
    hosts: int
    largest: int
    """Pages of the largest host."""
    domains: int
    """Registrable domains."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One crawl of it."""

    plan: Plan
    course: Course


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of one simulation."""

    machine: Machine
    seed: int
    web: WebFigures
    parcel: ParcelSize
    runs: list[Run]
    took: float
    """Seconds."""


def tables(kept: Figures) -> dict[str, str]:
    """Make the tables, by the names of their places."""
    calm = [run for run in kept.runs if not run.plan.loss_every]
    stormy = [run for run in kept.runs if run.plan.loss_every]
    return {
        "sharing": f"{_sentence(kept)}\n\n{_sharing(calm)}",
        "exchange": _exchange(calm, kept.parcel),
        "losses": _losses(stormy, {run.plan.shards: run for run in calm}),
    }


def write(document: Path, kept: Figures) -> None:
    """Put the tables into a document."""
    for name, text in tables(kept).items():
        write_place(document, name, text)


def _sentence(kept: Figures) -> str:
    web, plan = kept.web, kept.runs[0].plan
    return (
        f"Simulated on {kept.machine.date}, seed {kept.seed}, in {kept.took:.0f} s on {kept.machine.cores} cores:"
        f" {web.pages:,} pages on {web.hosts:,} hosts of {web.domains:,} domains, the largest host with"
        f" {web.largest:,} pages; {plan.delay:g} s between requests to a host, {plan.rate:,} pages a second at most"
        " in a shard."
    )


def _sharing(runs: list[Run]) -> str:
    head = [
        *("shards", "time, h", "bound, h", "by bound", "pages/s", "most pages, by mean"),
        *("most left when half is done, by mean", "when 90 % is", "of which one host has"),
    ]
    rows: list[tuple[object, ...]] = []
    for run in runs:
        course = run.course
        half, most = course.left[0], course.left[1]
        rows.append(
            (
                f"{run.plan.shards:,}",
                course.seconds / HOUR,
                course.bound / HOUR,
                course.seconds / course.bound,
                course.pages / course.seconds,
                course.owned,
                half.by_mean,
                most.by_mean,
                _percent(most.one_host),
            )
        )
    return table(head, rows)


def _exchange(runs: list[Run], parcel: ParcelSize) -> str:
    head = (
        "shards",
        "links to other hosts, a page",
        "URLs sent, a page",
        "bytes a page",
        "URLs a batch",
        "MB/s, all shards",
    )
    rows: list[tuple[object, ...]] = []
    for run in runs:
        course = run.course
        sent = course.sent / course.pages
        rows.append(
            (
                f"{run.plan.shards:,}",
                course.links / course.pages,
                sent,
                sent * parcel.sent,
                course.sent / course.batches if course.batches else 0.0,
                course.sent * parcel.sent / course.seconds / 1e6,
            )
        )
    return table(head, rows)


def _losses(runs: list[Run], calm: dict[int, Run]) -> str:
    head = ("shards", "nodes", "nodes lost", "pages fetched again", "of all", "shards away", "time, h", "by calm")
    rows: list[tuple[object, ...]] = []
    for run in runs:
        course, plan = run.course, run.plan
        rows.append(
            (
                f"{plan.shards:,}",
                f"{plan.nodes:,}",
                f"{course.losses:,}",
                f"{course.again:,}",
                _percent(course.again / course.pages),
                _percent(course.down / (course.seconds * plan.shards)),
                course.seconds / HOUR,
                course.seconds / calm[plan.shards].course.seconds,
            )
        )
    return table(head, rows)


def _percent(share: float) -> str:
    return f"{figure(100 * share)} %"
