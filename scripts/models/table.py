"""The figures as tables for a terminal."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scripts.models import lessons
from scripts.models.figures import (
    ALONE,
    CRAWLER,
    HYBRID,
    INLINE,
    PROCESSES,
    QUEUE,
    SERIAL,
    THREADS,
    WITH_THREADS,
    Costs,
    Machine,
    Measured,
    Size,
)

WIDTH = 100
_METER = 12
"""Characters of the bar that shows computing and waiting."""


def console() -> Console:
    """Make a console that is as wide as the tables, wherever it prints to."""
    return Console(width=WIDTH, highlight=False, record=True)


def put_into(markdown: str, printed: str) -> str:
    """Put what was printed into the first text block of a page, in place of what is there."""
    before, opening, rest = markdown.partition("```text\n")
    _, closing, after = rest.partition("\n```\n")
    if not closing:
        raise ValueError("has no text block for the figures")
    lines = "\n".join(line.rstrip() for line in printed.splitlines())
    return before + opening + re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + closing + after


def head(machine: Machine, size: Size) -> Group:
    """Say what follows, on what machine, and what the models are."""
    told = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for model, way in ways(size).items():
        told.add_row(Text(model, "bold"), way)
    return Group(
        Text(
            "Waiting belongs to threads and the loop, computing to processes; measuring tells which is which.", "bold"
        ),
        Text(f"\n{facts(machine)}", "dim"),
        Text(
            f"Medians of the quieter half of up to {size.repeat} runs. "
            "CPU: user and system time of all processes, the server excepted; "
            "own: of it, in the main process. Waiting: 1 - CPU / (time * cores).\n",
            "dim",
        ),
        told,
    )


def facts(machine: Machine) -> str:
    """Tell the machine in a line."""
    return (
        f"{machine.date}, {machine.cores} cores of {machine.cpu}, {machine.kernel}, {machine.python}, "
        f"load {machine.load:.1f} at the start"
    )


def ways(size: Size) -> dict[str, str]:
    """Tell in a line each what the models do."""
    return {
        SERIAL: "one thread, one page after another",
        THREADS: f"{size.concurrency} threads where pages are waited for, {size.workers} where they are not",
        PROCESSES: f"{size.workers} processes in a ProcessPoolExecutor, one page a task",
        QUEUE: f"{size.workers} processes fed by a multiprocessing.Queue, one None for each at its end",
        ALONE: f"one loop that does everything, {size.concurrency} pages in flight",
        WITH_THREADS: f"the loop waits, {size.workers} threads read, others write",
        HYBRID: f"the loop waits, {size.workers} processes read in natural batches, threads write",
        CRAWLER: "the hybrid with all that belongs to a crawl: crawl(), --mirror, --archive none",
        INLINE: "the same without worker processes: pages are read on its loop",
    }


def work(measured: Measured, size: Size, cores: int) -> Group:
    """Lay out one work, and say what it teaches."""
    cores = measured.cores or cores
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"\n{measured.key} · {measured.title}", title_justify="left"
    )
    table.title_style = "bold"
    table.add_column("model", no_wrap=True)
    for name in ("ready", "time", "CPU", "own"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("█ busy ░ waiting", no_wrap=True)
    for name in ("pages/s", "speed-up"):
        table.add_column(name, justify="right", no_wrap=True)
    serial, best = measured.row(SERIAL), measured.best
    for row in measured.rows:
        waiting = row.waiting(cores)
        table.add_row(
            row.model,
            lessons.seconds(row.ready),
            lessons.seconds(row.wall),
            lessons.seconds(row.cpu),
            lessons.seconds(row.own),
            f"{_meter(waiting)} {waiting:4.0%}",
            f"{measured.pages / row.wall:,.0f}",
            f"{serial.wall / row.wall:.2f}" if serial else "",
            style="bold green" if row is best else "",
        )
    return Group(table, _sentences(lessons.lessons(measured, size, cores)))


def costs(measured: Costs) -> Group:
    """Lay out what hops cost, and the rule of thumb that follows."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="\nThe way to a process and back", title_justify="left")
    table.title_style = "bold"
    for name in ("page", "batch, at most", "µs here", "µs there", "pages/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for hop in (*measured.hops, *measured.tiny_hops):
        size = f"{hop.size:,} B"
        table.add_row(size, str(hop.most), f"{hop.here:.0f}", f"{hop.there:.0f}", f"{hop.rate:,.0f}")
    return Group(table, _sentences([lessons.batches(measured), *lessons.rules_of_thumb(measured)]))


def _sentences(sentences: list[str]) -> Padding:
    rows = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for sentence in sentences:
        rows.add_row("→", sentence)
    return Padding(rows, (0, 0, 1, 0))


def _meter(waiting: float) -> str:
    filled = round((1 - waiting) * _METER)
    return "█" * filled + "░" * (_METER - filled)
