"""Whether a crawl that chooses its concurrency keeps up with the best fixed one, on webs of five kinds.

Each web is crawled with each number of requests at a time, and with none said; the rate is taken from the server's
first request to its last, so that what it costs to find out counts. Settings take turns, so that whatever else the
machine does meets all alike; figures are medians.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from scripts.benchmarks.crawls import crawl
from scripts.benchmarks.machine import Others
from scripts.benchmarks.politeness import span
from scripts.benchmarks.web import Plan, served

GRID = (16, 64, 256, 1024)
BY_ITSELF = 0
_LIMIT = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One web, and how gently it is crawled."""

    name: str
    plan: Plan
    delay: float = 0.0
    per_host: int = 1024


WORKLOADS = (
    Workload(name="near: one host, no latency", plan=Plan(hosts=(8_000,))),
    Workload(name="large pages, no latency", plan=Plan(hosts=(1_500,) * 4, size=30_000, anchors=60)),
    Workload(name="far: 0.2 s of latency", plan=Plan(hosts=(250,) * 16, latency=0.2)),
    Workload(name="very far: 1 s of latency", plan=Plan(hosts=(25,) * 64, latency=1.0)),
    Workload(name="polite: 300 hosts, 0.5 s delay", plan=Plan(hosts=(20,) * 300, latency=0.3), delay=0.5, per_host=1),
)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a web was crawled; pages a second."""

    name: str
    fixed: dict[int, float]
    """By concurrency."""
    by_itself: float
    settled: int
    """The concurrency at the end, of the last run."""
    changes: int
    ratio: float
    """By the best fixed one."""
    others: float
    """Cores that other processes used meanwhile."""


def measure(folder: Path, workload: Workload, runs: int, grid: Sequence[int] = GRID) -> Chosen:
    """Crawl one web with all settings in turn."""
    found: dict[int, list[float]] = {concurrency: [] for concurrency in (*grid, BY_ITSELF)}
    others, own, steps = Others(), 0.0, list[int]()
    for turn in range(runs):
        for concurrency, each in found.items():
            rate, cpu, chosen = _run(folder / f"{turn}-{concurrency}", workload, concurrency)
            each.append(rate)
            own += cpu
            steps = chosen if concurrency == BY_ITSELF else steps
    rates = {concurrency: median(each) for concurrency, each in found.items()}
    by_itself = rates.pop(BY_ITSELF)
    return Chosen(
        name=workload.name,
        fixed=rates,
        by_itself=by_itself,
        settled=steps[-1] if steps else 64,
        changes=len(steps),
        ratio=by_itself / max(rates.values()),
        others=others.cores(own),
    )


def _run(folder: Path, workload: Workload, concurrency: int) -> tuple[float, float, list[int]]:
    words = ["--delay", str(workload.delay), "--concurrency", str(concurrency), "--per-host", str(workload.per_host)]
    with served(workload.plan) as web:
        done = crawl(folder, web.seeds, *words, limit=_LIMIT)
        seen = web.seen()
    shutil.rmtree(folder)
    if seen.answered != sum(workload.plan.hosts):
        raise RuntimeError(f"{seen.answered} of {sum(workload.plan.hosts)} pages were fetched")
    rate = seen.answered / span(seen.requests)
    return rate, done.cost.cpu + seen.cpu, [change.after for change in done.report.tuned]
