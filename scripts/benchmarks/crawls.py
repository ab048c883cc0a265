"""Crawls by the real command, from its start to its end, and what they say of themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crawler.report.jsonfile import decode
from crawler.report.report import Report
from scripts.benchmarks.tree import Cost, run

ROOT = Path(__file__).parent.parent.parent
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Crawl:
    """A crawl that has ended."""

    cost: Cost
    report: Report


def environment() -> dict[str, str]:
    """Return an environment without proxies, in which our package is found."""
    return {**{name: os.environ[name] for name in _KEPT if name in os.environ}, "PYTHONPATH": str(ROOT)}


def command(seeds: Path, out: Path, *options: str) -> list[str]:
    """Return the command that crawls from a file of seeds."""
    return [sys.executable, "-m", "crawler", str(seeds), "-q", "-o", str(out), *options]


def crawl(folder: Path, seeds: Iterable[str], *options: str, limit: float) -> Crawl:
    """Crawl from ``seeds`` into a new folder below ``folder``.

    Raises:
        RuntimeError: the crawl did not end as it should.
    """
    folder.mkdir(parents=True)
    listed = folder / "seeds.txt"
    listed.write_text("".join(f"{seed}\n" for seed in seeds), encoding="ascii")
    out = folder / "out"
    cost = run(command(listed, out, *options), cwd=folder, env=environment(), limit=limit)
    if cost.code:
        words = (folder / "words.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"the crawl ended with exit code {cost.code}: {words[-2000:]}")
    return Crawl(cost, decode((out / "report.json").read_bytes()))
