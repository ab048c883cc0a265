"""What measuring itself costs a crawl: counting each page, reading the clocks for it, and looking at the meters.

Counting and clocks are timed alone, as often as a page needs them; looking is what the crawl's own report says of it.
All three are held against the CPU of a page in a whole crawl of the made-up site in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from crawler.core.ledger import Feed, Ledger
from crawler.core.records import Timings
from scripts.benchmarks.crawls import crawl
from scripts.benchmarks.throughput import SITE
from scripts.benchmarks.web import served

_PAGES = 20_000
_STATES = (Feed.WORKING, Feed.SLOTS) * 2
"""Changes of the feed's state, as many as a page that waits for its slot and for one more thing brings about."""
_LOOP_CLOCKS = 12
"""Readings on the loop: of the request's parts, of the batches of parse and commit, and of the feed."""
_LIMIT = 120.0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of measuring costs."""

    name: str
    cpu: float
    """µs a page."""
    share: float
    """Of all CPU of a page, 0..1."""


def measure(folder: Path, runs: int) -> list[Share]:
    """Measure all parts; medians."""
    looked, pages = [], []
    for turn in range(runs):
        with served(SITE) as web:
            done = crawl(folder / str(turn), web.seeds, "--delay", "0", "--per-host", "32", limit=_LIMIT)
        each = 1e6 * done.cost.cpu / done.report.pages
        seen = done.report.cpu_main + done.report.cpu_workers
        pages.append(each)
        looked.append(done.report.ledger.probe_cost * seen * 1e6 / done.report.pages)
    page = median(pages)
    parts = {
        "counting": median(_timed(_counting()) for _ in range(runs)),
        "clocks": median(_timed(_clocks) for _ in range(runs)),
        "looking": median(looked),
    }
    shares = [Share(name=name, cpu=cpu, share=cpu / page) for name, cpu in parts.items()]
    whole = sum(parts.values())
    return [*shares, Share(name="in all", cpu=whole, share=whole / page)]


def _timed(one: Callable[[], None]) -> float:
    """Return the CPU of one call, µs."""
    began = time.process_time()
    for _ in range(_PAGES):
        one()
    return (time.process_time() - began) * 1e6 / _PAGES


def _counting() -> Callable[[], None]:
    """Return a function that counts one page as ``pipeline.py``, ``stages/`` and ``engine.py`` do."""
    ledger = Ledger()
    timings = Timings(first_byte=0.012, body=0.003, reused=True)

    def count() -> None:
        ledger.requests.add(timings, tls=True, answered=True, rate_limited=False)
        ledger.fetch.add(timings.first_byte, timings.body)
        ledger.latency.add(timings.first_byte + timings.body)
        for stage in (ledger.parse, ledger.commit):
            stage.enter()
            stage.leave(0.001, 0.002, 0.001)
        for state in _STATES:
            ledger.feed.enter(state, 1.0)

    return count


def _clocks() -> None:
    """Read the clocks that one page is timed by, in the worker and on the loop."""
    time.perf_counter_ns()
    time.process_time_ns()
    time.perf_counter_ns()
    time.process_time_ns()
    for _ in range(_LOOP_CLOCKS):
        time.perf_counter()
