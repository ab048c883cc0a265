"""Measure what it costs to share a crawl among shards: CPU per page against a single crawl's, and the exchange.

First the exchange alone, without pages. Then single and shared crawls of one web take turns; figures are medians.
The CPU time is that of crawling processes and their workers during the run, Ray's threads in them and the exchange
included. Not in it are Ray's own processes, and their start, which the pages a second do include.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import msgspec

from scripts.benchmarks.crawls import Crawl, crawl
from scripts.benchmarks.exchange import URLS_A_PAGE, exchange_cost
from scripts.benchmarks.machine import machine
from scripts.benchmarks.tree import become_subreaper
from scripts.benchmarks.web import Plan, served

_EAGER = ("--delay", "0", "--per-host", "8", "--allow-private", "seeds", "--scope", "host", "--robots", "ignore")


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one way to crawl."""

    shards: int
    """0 is a crawl without a cluster."""
    pages: int
    cpu: float
    """Milliseconds per page."""
    pages_per_second: float
    parcels: int
    exchanged: int
    """Bytes."""
    exchanged_per_page: float
    times: float = 1.0
    """CPU per page by that of the crawl without a cluster."""


def main() -> int:
    """Measure, print a table, and keep the figures where asked."""
    options = _options()
    become_subreaper()
    plan = Plan(hosts=(options.pages // options.hosts,) * options.hosts, anchors=60, size=20_000, across=options.across)
    runs: dict[int, list[Crawl]] = {shards: [] for shards in (0, *options.shards)}
    with tempfile.TemporaryDirectory(prefix="cost-") as scratch, served(plan) as web:
        exchange = exchange_cost(Path(scratch) / "exchange", options.links // URLS_A_PAGE, options.runs)
        print(f"cluster_cost: {exchange}", file=sys.stderr, flush=True)
        for turn in range(options.runs):
            for shards, done in runs.items():
                words = ("--cluster", "local", "--shards", str(shards)) if shards else ()
                folder = Path(scratch) / f"{turn}-{shards}"
                workers = ("--parse-workers", "1")
                done.append(crawl(folder, web.seeds, *_EAGER, *workers, *words, limit=options.limit))
                print(f"cluster_cost: {_row(shards, done[-1:])}", file=sys.stderr, flush=True)
    rows = [_row(shards, done) for shards, done in runs.items()]
    found = {
        "machine": msgspec.to_builtins(machine()),
        "plan": msgspec.to_builtins(plan),
        "exchange": msgspec.to_builtins(exchange),
        "rows": [{**asdict(row), "times": row.cpu / rows[0].cpu} for row in rows],
    }
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _row(shards: int, runs: Sequence[Crawl]) -> Row:
    reports = [run.report for run in runs]
    exchanged = median(sum(row.exchanged for row in report.shards) for report in reports)
    pages = reports[0].pages
    return Row(
        shards=shards,
        pages=pages,
        cpu=1e3 * median((report.cpu_main + report.cpu_workers) / report.pages for report in reports),
        pages_per_second=median(report.pages_per_second for report in reports),
        parcels=sum(row.sent for row in reports[0].shards),
        exchanged=round(exchanged),
        exchanged_per_page=exchanged / pages,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=6_000, metavar="N", help="pages of the web [6000]")
    parser.add_argument("--hosts", type=int, default=20, metavar="N", help="of so many hosts [20]")
    parser.add_argument("--across", type=int, default=5, metavar="N", help="links of a page to other hosts [5]")
    parser.add_argument("--links", type=int, default=60_000, metavar="N", help="links of the exchange alone [60000]")
    parser.add_argument("--shards", type=int, nargs="+", default=[2, 4], metavar="N", help="ways to share [2 4]")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="turns of each [3]")
    parser.add_argument("--limit", type=float, default=240.0, metavar="SECONDS", help="end a run after this [240]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
