"""Simulate the crawl of a large made-up web by 1, 16, 100 and 1,000 shards, and say how well they share it.

Nothing is fetched. The same arguments give the same figures. The tables of docs/scale.md are made by --write-docs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from scripts.benchmarks.machine import machine
from scripts.simulation.crawl import Course, Plan, Simulation
from scripts.simulation.figures import Figures, Run, WebFigures, tables, write
from scripts.simulation.parcels import parcel_size
from scripts.simulation.web import SyntheticWeb, synthetic_web

SHARDS = (1, 16, 100, 1_000)
LOSS = 300.0
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "scale.md"
_web: SyntheticWeb | None = None
"""For the processes, which share it with their parent."""


def main() -> int:
    """Simulate, print the tables, and keep the figures where asked."""
    options = _options()
    kept = msgspec.json.decode(options.kept.read_bytes(), type=Figures) if options.kept else _simulated(options)
    print(*tables(kept).values(), sep="\n\n")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    if options.write_docs:
        write(DOCUMENT, kept)
    return 0


def _simulated(options: argparse.Namespace) -> Figures:
    global _web  # noqa: PLW0603
    facts, began = machine(), time.monotonic()
    _say(f"making a web of {options.pages:,} pages")
    _web = synthetic_web(options.pages, options.seed, options.budget)
    plans = [
        plan
        for loss in (0.0, LOSS)
        for shards in options.shards
        if (plan := _plan(options, shards, loss)).nodes > 1 or not loss
    ]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        courses = list(pool.map(_run, plans))
    return Figures(
        machine=facts,
        seed=options.seed,
        web=WebFigures(pages=_web.pages, hosts=_web.hosts, largest=_web.largest, domains=_web.domains),
        parcel=parcel_size(),
        runs=[Run(plan=plan, course=course) for plan, course in zip(plans, courses, strict=True)],
        took=time.monotonic() - began,
    )


def _plan(options: argparse.Namespace, shards: int, loss: float) -> Plan:
    return Plan(shards=shards, delay=options.delay, rate=options.rate, seed=options.seed, loss_every=loss)


def _run(plan: Plan) -> Course:
    assert _web is not None  # noqa: S101  -- it was made before the processes were
    course = Simulation(_web, plan).run()
    _say(f"{plan.shards:,} shards{', a node lost every 5 minutes' if plan.loss_every else ''}: done")
    return course


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pages", type=int, default=10_000_000, metavar="N", help="pages of the web [%(default)s]")
    parser.add_argument("--budget", type=int, default=0, metavar="N", help="pages of a host, at most [a hundredth]")
    parser.add_argument("--shards", type=int, nargs="+", default=SHARDS, metavar="N", help="numbers of shards")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds between two requests to a host [1]")
    parser.add_argument("--rate", type=int, default=500, help="pages a second that a shard can do [500]")
    parser.add_argument("--seed", type=int, default=1, help="of the web and of the crawl [1]")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="by default one per core")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="make the tables of figures that were kept by --json")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures there")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/scale.md")
    return parser.parse_args()


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
