"""Pages a second and CPU per page, beside other crawlers, on a made-up site or on any site whose seeds are given.

The contenders take turns, so that whatever else the machine does meanwhile meets all alike; figures are medians.
CPU is that of all processes of a contender, those included that outlive it; the server's is not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec

from crawler.report.jsonfile import decode
from crawler.report.report import Report
from scripts.benchmarks.crawls import environment
from scripts.benchmarks.machine import Others
from scripts.benchmarks.peers import Contender
from scripts.benchmarks.tree import run
from scripts.benchmarks.web import Plan, served

SITE = Plan(hosts=(3_000,), anchors=100, size=34_000)
"""The made-up site: pages as documentation has them, 34 KB with 100 links."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one contender."""

    name: str
    pages: int
    wall: float
    cpu: float
    code: int
    others: float
    """Cores that other processes used meanwhile, the server's included where it is not ours."""
    places: dict[str, float] = {}
    """Of our own runs: CPU milliseconds per page by place."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of one contender."""

    name: str
    about: str
    pages: int
    rate: float
    """Pages a second."""
    cpu: float
    """Milliseconds of CPU per page."""
    times: float
    """Our rate by its rate."""
    others: float
    runs: int


def measure(
    folder: Path, seeds: Path, contenders: Sequence[Contender], runs: int, limit: float, tell: Callable[[Run], None]
) -> list[Run]:
    """Let the contenders take turns, ``runs`` times each.

    Args:
        folder: for their output; emptied after each run.
        seeds: URLs, one a line.
        contenders: who takes part.
        runs: turns.
        limit: seconds after which a run is ended; its contender takes no further turn.
        tell: called after each run.
    """
    done: list[Run] = []
    out_of_it: set[str] = set()
    for turn in range(runs):
        for contender in contenders:
            if contender.name not in out_of_it:
                one = _run(folder / f"{turn}", seeds, contender, limit)
                done.append(one)
                tell(one)
                if one.code not in contender.fine:
                    out_of_it.add(contender.name)
    return done


def _run(folder: Path, seeds: Path, contender: Contender, limit: float) -> Run:
    folder.mkdir(parents=True)
    others = Others()
    cost = run(contender.command(seeds, folder), cwd=folder, env=environment(), limit=limit)
    busy = others.cores(cost.cpu)
    fine = cost.code in contender.fine
    report = folder / "crawl/report.json"
    one = Run(
        name=contender.name,
        pages=contender.pages(folder) if fine else 0,
        wall=cost.wall,
        cpu=cost.cpu,
        code=cost.code,
        others=busy,
        places=places(decode(report.read_bytes()), cost.cpu) if report.exists() else {},
    )
    shutil.rmtree(folder)
    return one


def places(report: Report, cpu: float) -> dict[str, float]:
    """Return the CPU milliseconds per page that each place took, from a crawl's own report.

    Args:
        report: its report.
        cpu: CPU seconds of all its processes; what the report does not see are starts and ends.
    """
    threads = sum(stage.cpu for stage in report.stages if stage.place == "thread")
    parts = {
        "loop": report.cpu_main - threads,
        "parse": report.cpu_workers,
        "commit": threads,
        "start and end": max(0.0, cpu - report.cpu_main - report.cpu_workers),
    }
    return {name: 1e3 * seconds / max(1, report.pages) for name, seconds in parts.items()}


def rows(runs: Sequence[Run], contenders: Sequence[Contender]) -> list[Row]:
    """Take the medians; contenders without a whole run are left out."""
    whole = {one.name: [run for run in runs if run.name == one.name and run.pages] for one in contenders}
    rates = {name: median(run.pages / run.wall for run in own) for name, own in whole.items() if own}
    ours = rates.get(contenders[0].name, 0.0)
    return [
        Row(
            name=one.name,
            about=one.about,
            pages=int(median(run.pages for run in whole[one.name])),
            rate=rates[one.name],
            cpu=median(1e3 * run.cpu / run.pages for run in whole[one.name]),
            times=ours / rates[one.name],
            others=median(run.others for run in whole[one.name]),
            runs=len(whole[one.name]),
        )
        for one in contenders
        if one.name in rates
    ]


@contextmanager
def site(folder: Path) -> Iterator[Path]:
    """Serve the made-up site; give the file of its seeds."""
    with served(SITE) as web:
        seeds = folder / "seeds.txt"
        seeds.write_text("".join(f"{seed}\n" for seed in web.seeds), encoding="ascii")
        yield seeds
