"""Measure the crawler, alone and beside others, and say on what machine.

Everything happens on this machine and ends by itself. The tables of docs/performance.md are made by --write-docs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from crawler.config import Config
from scripts.benchmarks import documents, frontier, ledger, peers, politeness, profile, stages, throughput, tuning
from scripts.benchmarks.machine import machine
from scripts.benchmarks.tree import become_subreaper

_MILLION = 1_000_000


def main() -> int:
    """Run one benchmark, print its tables, and keep its figures where asked."""
    options = _options()
    if options.measure is None:
        kept = msgspec.json.decode(options.figures.read_bytes(), type=documents.Figures)
    else:
        become_subreaper()
        facts = machine()
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.scratch) as scratch:
            kept = documents.Figures(machine=facts, measured=options.measure(options, Path(scratch)))
    print(kept.machine.sentence(), *documents.tables(kept.measured).values(), sep="\n\n")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    if options.write_docs:
        documents.write(kept)
    return 0


def _frontier(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    sizes = [size for size in (1_000, 10_000, 100_000, _MILLION, 10 * _MILLION) if size <= options.urls]
    config = Config()
    found = documents.Measured()
    for hosts in (1, 100):
        _say(f"adding {options.urls:,} outlinks on {hosts} hosts")
        folder = scratch / f"adding-{hosts}"
        found.adding.append(frontier.adding(folder, min(options.urls, _MILLION), config, hosts=hosts))
    for scattered in (False, True):
        _say(f"a page at {len(sizes)} sizes, outlinks {'to all hosts' if scattered else 'on its own host'}")
        folder = scratch / f"growth-{scattered}"
        found.growth += frontier.growth(folder, sizes, options.runs, config, scattered=scattered)
    _say("choosing")
    found.choosing += [frontier.choosing(hosts) for hosts in (10, 100, 1_000, 10_000, 100_000)]
    for size in sizes[2:]:
        _say(f"coming back to {size:,} URLs")
        found.comebacks.append(frontier.comeback(frontier.stored(scratch / f"stored-{size}", size, config)))
        found.seen_sets.append((size, frontier.seen_set(size)))
    return found


def _politeness(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    found = documents.Measured()
    for turn in range(options.runs):
        for place, case in enumerate(politeness.DELAYED):
            _say(case.name)
            found.delayed.append(politeness.delayed(scratch / f"delayed-{turn}-{place}", case))
        for place, case in enumerate(politeness.EAGER):
            _say(case.name)
            found.eager.append(politeness.eager(scratch / f"eager-{turn}-{place}", case))
    return found


def _tuning(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    found = documents.Measured()
    for place, workload in enumerate(tuning.WORKLOADS):
        _say(workload.name)
        found.chosen.append(tuning.measure(scratch / f"tuning-{place}", workload, options.runs))
    return found


def _throughput(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    found = documents.Measured()
    every = [one for one in peers.contenders(options.scrapy) if not options.only or one.name in options.only]
    with _site(options, scratch) as seeds:
        runs = throughput.measure(scratch / "runs", seeds, every, options.runs, options.limit, _tell)
    found.runs += runs
    found.rows += throughput.rows(runs, every)
    return found


def _stages(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    found = documents.Measured()
    found.costs += stages.measure(scratch / "stages", options.pages)
    return found


def _ledger(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    found = documents.Measured()
    found.measuring += ledger.measure(scratch / "ledger", options.runs)
    return found


def _profile(options: argparse.Namespace, scratch: Path) -> documents.Measured:
    found = documents.Measured()
    with _site(options, scratch) as seeds:
        found.shares, found.report = profile.profile(scratch / "profile", seeds, peers.CONNECTIONS)
    return found


@contextmanager
def _site(options: argparse.Namespace, scratch: Path) -> Iterator[Path]:
    """Give the seeds that were asked for, or serve a site of our own."""
    if options.seeds:
        yield options.seeds.absolute()
    else:
        with throughput.site(scratch) as seeds:
            yield seeds


def _tell(run: throughput.Run) -> None:
    rate, cpu = run.pages / run.wall, 1e3 * run.cpu / max(1, run.pages)
    _say(f"{run.name}: {run.pages:,} pages, {rate:.0f}/s, {cpu:.2f} ms of CPU each, exit code {run.code}")


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_subparsers(required=True, metavar="BENCHMARK").add_parser
    one = _usual(add("frontier", help="the frontier alone, from 1,000 URLs on"), _frontier, runs=9)
    one.add_argument("--urls", type=int, default=_MILLION, metavar="N", help="the largest size [1000000]")
    _usual(add("politeness", help="how close a crawl comes to what politeness and latency allow"), _politeness, runs=1)
    _usual(add("tuning", help="whether a crawl finds out by itself what concurrency is best"), _tuning, runs=3)
    one = _usual(add("throughput", help="pages a second and CPU per page, beside other crawlers"), _throughput, runs=3)
    one.add_argument("--scrapy", metavar="PYTHON", help="an interpreter that has Scrapy")
    one.add_argument("--only", action="append", metavar="NAME", help="only this contender; may be repeated")
    one.add_argument("--limit", type=float, default=240.0, metavar="SECONDS", help="end a run after this [240]")
    _seeded(one)
    one = _usual(add("stages", help="parse and commit, each alone"), _stages, runs=1)
    one.add_argument("--pages", type=int, default=2_000, metavar="N", help="pages to work on [2000]")
    _usual(add("ledger", help="what measuring itself costs"), _ledger, runs=5)
    _seeded(_usual(add("profile", help="where the main process's time goes"), _profile, runs=1))
    one = _usual(add("tables", help="the tables of figures that --json kept; nothing is measured"), None, runs=0)
    one.add_argument("figures", type=Path, metavar="FILE")
    return parser.parse_args()


def _usual(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace, Path], documents.Measured] | None,
    *,
    runs: int,
) -> argparse.ArgumentParser:
    parser.set_defaults(measure=measure)
    parser.add_argument("--runs", type=int, default=runs, metavar="N", help=f"turns of each [{runs}]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--write-docs", action="store_true", help="renew the tables and pictures of docs/performance.md"
    )
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where to write meanwhile [the usual place]")
    return parser


def _seeded(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=Path, metavar="FILE", help="crawl this site instead of one of our own")


if __name__ == "__main__":
    sys.exit(main())
