"""How late the event loop of a program is while a crawl works in it, under a storm of pages to be parsed.

A website in a process of its own serves large pages as fast as it can. A program crawls it, and beside the crawl a task
sleeps for 5 ms again and again and notes by how much it wakes too late: that is what any other task of the program,
such as a request to a web service, would have waited. The same is noted for an idle loop, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

import msgspec

from crawler import Config, crawl
from crawler.config import Fetch, Politeness
from crawler.core.ledger import Histogram
from crawler.testing import Site
from scripts.benchmarks.machine import machine

PAGES, LINKS, PARAGRAPHS = 1_500, 200, 120
PERIOD = 0.005
IDLE = 5.0
CONFIG = Config(
    politeness=Politeness(delay=0.0, per_host=64, robots="ignore"), fetch=Fetch(allow_private="always", concurrency=64)
)


@contextlib.asynccontextmanager
async def watched(lag: Histogram) -> AsyncIterator[None]:
    """Note by how much a sleeper wakes too late."""
    loop = asyncio.get_running_loop()

    async def sleeper() -> None:
        while True:
            due = loop.time() + PERIOD
            await asyncio.sleep(PERIOD)
            lag.add(max(0.0, loop.time() - due))

    task = loop.create_task(sleeper())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def told(lag: Histogram) -> dict[str, float]:
    """Return the quantiles, milliseconds."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {name: round(1e3 * lag.quantile(share), 3) for name, share in shares.items()}
    return {**found, "max": round(1e3 * lag.largest, 3), "samples": lag.count}


async def measured(start: str) -> dict[str, object]:
    """Measure an idle loop, and one with a crawl in it."""
    idle, busy = Histogram(), Histogram()
    async with watched(idle):
        await asyncio.sleep(IDLE)
    with tempfile.TemporaryDirectory() as folder:
        async with watched(busy):
            report = await crawl(start, config=CONFIG, out=folder)
    crawled = {"pages": report.pages, "seconds": round(report.seconds, 2), "pages_per_second": report.pages_per_second}
    return {"idle_ms": told(idle), "crawling_ms": told(busy), "crawl": crawled, "verdict": report.verdict.sentence}


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve the website from a process of its own; yield its first page."""
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101  it is a pipe
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def serve() -> None:
    """Serve large pages that lead to each other, until the process is ended."""
    site = Site()
    text = "".join(
        f"<p class='p{number}'>{'words of a page <b>and</b> more ' * 12}</p>\n" for number in range(PARAGRAPHS)
    )
    with site.serve_in_thread():
        for number in range(PAGES):
            links = [f"/{(number * 7 + step) % PAGES}" for step in range(1, LINKS + 1)]
            site.page(f"/{number}", links=links, body=text)
        print(site.url("/0"), flush=True)
        while True:
            time.sleep(1)


def main() -> int:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uvloop", action="store_true", help="use uvloop's loop instead of asyncio's")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    factory = None
    if arguments.uvloop:
        import uvloop  # noqa: PLC0415

        factory = uvloop.new_event_loop
    with served() as start, asyncio.Runner(loop_factory=factory) as runner:
        figures = runner.run(measured(start))
    figures = {
        "loop": "uvloop" if arguments.uvloop else "asyncio",
        **figures,
        "machine": msgspec.to_builtins(machine()),
    }
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
