"""Parse and commit, each alone: what one page of the made-up site costs where it is worked on.

Parsing is what a worker process does, in this process and without the way there and back.
A commit is that of the journal, in batches, onto a real disk with a sync each.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crawler.config import Config
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Parsed
from crawler.stages.parse_journey import parsed_of, task_of
from crawler.stages.parse_worker import ParseOptions, parse, prepare
from crawler.storage.attempt import Attempt
from crawler.storage.journal import Journal
from scripts.benchmarks.throughput import SITE
from scripts.benchmarks.web import Pages

BATCHES = (1, 8, 32, 128)
_HOST = "https://docs.example.org"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
_REQUEST = b"GET / HTTP/1.1\r\nHost: docs.example.org\r\n\r\n"


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a page costs, µs."""

    name: str
    cpu: float
    wall: float


def answers(count: int) -> list[Fetched]:
    """Make answers to the first ``count`` URLs, as a fetch returns them."""
    pages = Pages(SITE)
    made: list[Fetched] = []
    for number in range(count):
        source = CrawlURL(number + 1, f"{_HOST}/{number}.html", _HOST, depth=1)
        body = pages.body(0, f"/{number}.html") or b""
        made.append(
            Fetched(
                source,
                began_at=1.7e9,
                sent_at=1.7e9,
                outcome=None,
                status=200,
                request=_REQUEST,
                head=_HEAD % len(body),
                body=body,
                address="127.0.0.1",
            )
        )
    return made


def parsing(fetched: Sequence[Fetched]) -> tuple[Cost, list[Parsed]]:
    """Parse answers one after another."""
    prepare(ParseOptions(depth_matters=False))
    tasks = [task_of(one) for one in fetched]
    parse(tasks[-1])
    wall, cpu = time.perf_counter(), time.process_time()
    results = [parse(task) for task in tasks]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    each = 1e6 / len(tasks)
    return Cost(name="parse", cpu=cpu * each, wall=wall * each), [parsed_of(result) for result in results]


def committing(folder: Path, fetched: Sequence[Fetched], parsed: Sequence[Parsed], batch: int) -> Cost:
    """Commit answers in batches of so many."""
    folder.mkdir(parents=True)
    journal = Journal(folder, Config())
    journal.sow([one.source.url for one in fetched])
    attempts = [Attempt(one, result, Outcome.OK, "") for one, result in zip(fetched, parsed, strict=True)]
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(attempts), batch):
        journal.commit(attempts[start : start + batch])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    journal.close()
    shutil.rmtree(folder)
    each = 1e6 / len(attempts)
    return Cost(name=f"commit, {batch} pages at once", cpu=cpu * each, wall=wall * each)


def measure(folder: Path, pages: int) -> list[Cost]:
    """Measure both."""
    fetched = answers(pages)
    cost, parsed = parsing(fetched)
    return [cost, *(committing(folder / str(batch), fetched, parsed, batch) for batch in BATCHES)]
