"""The command: measure, print, and store what was found."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import msgspec
from rich.console import Console

from scripts.models import hops, loops, pools, table
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
    Figures,
    Measured,
    Size,
)
from scripts.models.measure import Meter, cores, machine
from scripts.models.pages import page
from scripts.models.picture import picture
from scripts.models.server import MOST_PAGES, page_path, served, tiny_path
from scripts.models.tasks import Model, Task, Work

MODELS: dict[str, Model] = {
    SERIAL: pools.serial,
    THREADS: pools.threads,
    PROCESSES: pools.processes,
    QUEUE: pools.queue,
    ALONE: loops.alone,
    WITH_THREADS: loops.with_threads,
    HYBRID: loops.hybrid,
}
WITH_CRAWLER: dict[str, Model] = {**MODELS, CRAWLER: loops.crawler}
ONE_LOOP_OR_MORE: dict[str, Model] = {
    ALONE: loops.alone,
    HYBRID: loops.hybrid,
    CRAWLER: loops.crawler,
    INLINE: loops.crawler_inline,
}

QUICK = {"urls": 12, "latency_ms": 5.0, "pages": 40, "tinies": 40, "repeat": 1}
_HOPS = 2000
_QUICK_HOPS = 64

_Tasks = Callable[[Path], tuple[Task, ...]]
_Plan = tuple[Measured, dict[str, Model], _Tasks]
"""A work of which nothing is measured yet, the models that do it, and its tasks."""


def main(arguments: list[str] | None = None) -> int:
    """Measure every model on every work, or show what was measured before."""
    options = _options(arguments)
    out = table.console()
    if options.show:
        figures = _stored(options.show)
        _print_all(figures, out)
    else:
        _limit(options.max_time)
        figures = _measure(options, out)
    _store(figures, options, out.export_text())
    return 0


def _store(figures: Figures, options: argparse.Namespace, printed: str) -> None:
    if options.json:
        Path(options.json).write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    if options.picture:
        Path(options.picture).write_text(picture(figures), encoding="utf-8")
    if options.page:
        markdown = Path(options.page)
        text = table.put_into(markdown.read_text(encoding="utf-8"), printed)
        markdown.write_text(text, encoding="utf-8")


def _stored(file: str) -> Figures:
    try:
        return msgspec.json.decode(Path(file).read_bytes(), type=Figures)
    except (OSError, msgspec.DecodeError) as error:
        sys.exit(f"execution_models: {file}: {error}")


def _measure(options: argparse.Namespace, out: Console) -> Figures:
    size = Size(
        urls=options.urls,
        latency_ms=options.latency_ms,
        pages=options.pages,
        tinies=options.tinies,
        workers=options.workers,
        concurrency=options.concurrency,
        repeat=options.repeat,
    )
    here = machine()
    out.print(table.head(here, size))
    latency = size.latency_ms / 1000
    works: list[Measured] = []
    with served(latency, seconds=options.max_time, pages=size.urls, tinies=size.tinies) as (origin, pid):
        meter = Meter(besides=[pid], repeat=size.repeat, patience=options.patience)
        for plan, models, tasks in _plans(size, origin):

            def work(folder: Path, tasks: _Tasks = tasks) -> Work:
                return Work(tasks(folder), folder, size.workers, size.concurrency)

            works.append(replace(plan, rows=meter.rows(models, work, cores=plan.cores)))
            out.print(table.work(works[-1], size, here.cores))
        costs = hops.costs(_QUICK_HOPS if options.quick else _HOPS, workers=size.workers, besides=[pid])
        out.print(table.costs(costs))
    return Figures(here, size, tuple(works), costs)


def _plans(size: Size, origin: str) -> list[_Plan]:
    bodies = [page(number) for number in range(size.pages)]
    urls = [origin + page_path(number) for number in range(size.urls)]
    tinies = [origin + tiny_path(number) for number in range(size.tinies)]
    away, latency, many = f"{size.latency_ms:g} ms away", size.latency_ms / 1000, size.concurrency

    def parsed(_: Path) -> tuple[Task, ...]:
        return tuple(Task(f"{origin}{page_path(number)}", body, reads=True) for number, body in enumerate(bodies))

    def fetched(urls: list[str], *, reads: bool) -> _Tasks:
        return lambda folder: tuple(
            Task(url, reads=reads, file=str(folder / f"{number}.html")) for number, url in enumerate(urls)
        )

    here = f"parse and hash {size.pages} pages that are at hand"
    return [
        (
            Measured("A", f"fetch {size.urls} pages, {away}, and write them", size.urls, many, latency),
            MODELS,
            fetched(urls, reads=False),
        ),
        (Measured("B", here, size.pages, size.workers, 0.0), MODELS, parsed),
        (
            Measured("C", f"both, page by page: {size.urls} pages, {away}", size.urls, many, latency),
            WITH_CRAWLER,
            fetched(urls, reads=True),
        ),
        (
            Measured("T", f"both: {size.tinies} tiny pages from next door", size.tinies, many, 0.0),
            {**WITH_CRAWLER, INLINE: loops.crawler_inline},
            fetched(tinies, reads=True),
        ),
        (
            Measured("O", f"both, on one core: {size.urls} pages, {away}", size.urls, many, latency, cores=1),
            ONE_LOOP_OR_MORE,
            fetched(urls, reads=True),
        ),
    ]


def _print_all(figures: Figures, out: Console) -> None:
    out.print(table.head(figures.machine, figures.size))
    for measured in figures.works:
        out.print(table.work(measured, figures.size, figures.machine.cores))
    out.print(table.costs(figures.costs))


def _limit(seconds: float) -> None:
    """End in good order when the time is up, or when asked to: pools, server and folders are cleared away."""

    def end(number: int, _: object) -> NoReturn:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.exit(f"execution_models: {'asked to end' if number == signal.SIGTERM else f'not done in {seconds:g} s'}")

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="execution_models", description=__doc__)
    add = parser.add_argument
    add("--urls", type=_within(1, MOST_PAGES), default=300, metavar="N", help="pages to fetch (default 300)")
    add("--latency-ms", type=float, default=25.0, metavar="MS", help="time until the server answers (default 25)")
    add("--pages", type=_within(1, MOST_PAGES), default=1000, metavar="N", help="pages to parse (default 1000)")
    add("--tinies", type=_within(1, MOST_PAGES), default=500, metavar="N", help="tiny pages (default 500)")
    add("--workers", type=_within(1, 64), default=cores(), metavar="N", help="processes (default: one a core)")
    add("--concurrency", type=_within(1, 256), default=64, metavar="N", help="pages in flight (default 64)")
    add("--repeat", type=_within(1, 100), default=3, metavar="N", help="runs of each model (default 3)")
    add("--patience", type=float, default=2.0, metavar="S", help="a model that takes longer is run once (default 2)")
    add("--max-time", type=float, default=300.0, metavar="S", help="give up after this (default 300)")
    add("--quick", action="store_true", help="next to no work: does it run at all?")
    add("--json", metavar="FILE", help="store the figures")
    add("--picture", metavar="FILE", help="draw them as SVG")
    add("--page", metavar="FILE", help="put what is printed into the text block of this Markdown page")
    add("--show", metavar="FILE", help="measure nothing; show the figures of this file")
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(QUICK)
    if not 0 <= options.latency_ms <= 10_000:
        parser.error(f"--latency-ms {options.latency_ms:g} is not within 0 and 10000")
    if not 0 < options.max_time <= 86_400:
        parser.error(f"--max-time {options.max_time:g} is not within 0 and 86400")
    return options


def _within(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not within {least} and {most}")
        return value

    return number
