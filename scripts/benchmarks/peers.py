"""Who is measured: the crawler as it comes, and other crawlers that are installed, each doing the same work.

Each follows the ``<a href>`` links of the hosts that the seeds name, asks for every URL once, and keeps every body.
None waits between requests. The crawler alone obeys robots.txt, keeps its state on disk and can go on after a kill.
"""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crawler.report.jsonfile import decode
from scripts.benchmarks.crawls import ROOT

CONNECTIONS = 32
"""What each contender may have in flight, if it can be told. wget has one connection."""
_SCRAPY = str(ROOT / "scripts/benchmarks/scrapy_peer.py")
_IN_VAIN = (".log", ".warc.gz", ".cdx")


@dataclass(frozen=True, slots=True)
class Contender:
    """One command."""

    name: str
    about: str
    command: Callable[[Path, Path], list[str]]
    """From a file of seeds and an output folder that exists and is the working folder."""
    pages: Callable[[Path], int]
    """Count the pages in the output folder."""
    fine: tuple[int, ...] = (0,)
    """Exit codes of a run that is whole."""


def _crawl(*options: str) -> Callable[[Path, Path], list[str]]:
    width = str(CONNECTIONS)
    usual = ["--delay", "0", "--per-host", width, "--concurrency", width, "-q", *options]
    return lambda seeds, out: [sys.executable, "-m", "crawler", str(seeds), *usual, "-o", str(out / "crawl")]


def _wget(*options: str) -> Callable[[Path, Path], list[str]]:
    usual = ["wget", "-nv", "-r", "-l", "inf", "--follow-tags=a", "-e", "robots=off"]
    return lambda seeds, _: [*usual, *options, "-i", str(seeds)]


def _wget2(seeds: Path, _: Path) -> list[str]:
    usual = ["wget2", "-q", "-r", "-l", "inf", "--follow-tags=a/href", "--robots=off", "--max-threads=16"]
    return [*usual, "-i", str(seeds)]


def _scrapy(python: str, mode: str) -> Callable[[Path, Path], list[str]]:
    return lambda seeds, out: [python, _SCRAPY, str(seeds), str(out), str(CONNECTIONS), mode]


def _reported(out: Path) -> int:
    return decode((out / "crawl/report.json").read_bytes()).done


def _files(out: Path) -> int:
    return sum(path.is_file() and not path.name.endswith(_IN_VAIN) for path in out.rglob("*"))


def _records(out: Path) -> int:
    """Count the answers with status 200 in WARC files."""
    found = 0
    for path in out.glob("*.warc.gz"):
        with gzip.open(path) as records:
            found += sum(line.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")) for line in records)
    return found


def contenders(scrapy: str | None) -> list[Contender]:
    """Return the crawler and the peers that are here.

    Args:
        scrapy: an interpreter that can import Scrapy; None without one.
    """
    every = [
        Contender("crawler", "durable, WARC.gz, robots.txt obeyed", _crawl(), _reported),
        Contender("crawler, lean", "the same with --client lean", _crawl("--client", "lean"), _reported),
    ]
    if shutil.which("wget2"):
        # 8 is an answer such as 404, which real sites have
        every.append(Contender("wget2", "C, 16 threads: files, no archive, no state", _wget2, _files, (0, 8)))
    if shutil.which("wget"):
        warc = _wget("--warc-file=out", "--delete-after")
        every.append(Contender("wget", "C, one connection: files", _wget(), _files, (0, 8)))
        every.append(Contender("wget, WARC", "the same, WARC.gz instead of files", warc, _records, (0, 8)))
    if scrapy:
        lean, usual = _scrapy(scrapy, "lean"), _scrapy(scrapy, "usual")
        every.append(Contender("Scrapy, lean", "middlewares off, links by hand: files", lean, _files))
        every.append(Contender("Scrapy", "as its manual shows it, LinkExtractor: files", usual, _files))
    return every
