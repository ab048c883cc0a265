"""Crawls with one planted bottleneck each, and what the crawler says about them.

Whatever is ended here is a process of its own making.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import crawler.parts
from crawler.api import Crawler
from crawler.config import Config, build
from crawler.core.document import Document
from crawler.core.verdict import Bottleneck
from crawler.report.report import Report
from crawler.stages.parse_worker import Result, Task, parse
from tests.plant import Plant

_PATIENCE = 30.0
"""Seconds that any crawl may take."""
DISTURBING = 0.1
"""Share of the time for which the loop may find no core before a comparison is worth nothing."""
_SERVER = Path(__file__).with_name("plant.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A web with a weakness, a crawl of it, and what else is made slow."""

    plant: Plant = field(default_factory=Plant)
    hosts: int = 1
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 3.0
    """How long it is crawled after its first page, if it does not end before."""
    sync: float = 0.0
    """Seconds that each fsync takes."""
    parse: float = 0.0
    """Seconds that each parse waits, besides what it computes."""
    extract: float = 0.0
    """Seconds that the caller's extract function waits over each page."""
    caller: float = 0.0
    """Seconds that the caller takes over each page."""
    blocked: float = 0.0
    """Seconds for which something else on the loop blocks it, again and again."""

    def config(self) -> Config:
        """Return the settings of its crawl: an eager one, but for what is said here."""
        settings: dict[str, dict[str, Any]] = {
            "politeness": {"delay": 0.0, "per_host": 64},
            "fetch": {"allow_private": "always", "backoff": 0.1, "concurrency": 32},
            "limits": {"max_time": _PATIENCE},
        }
        for section, changes in self.settings.items():
            settings[section] = {**settings.get(section, {}), **changes}
        return build(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A planted bottleneck."""

    name: str
    kind: Bottleneck
    setting: Setting
    changed: Setting | None = None
    """The setting after the change that the counterfactual names, where it foretells a gain."""
    quiet: bool = False
    """Whether it can only be planted where no other programs want the cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of a case."""

    case: Case
    report: Report
    changed: Report | None = None

    @property
    def right(self) -> bool:
        """Whether the bottleneck was named."""
        return self.report.verdict.kind == self.case.kind

    @property
    def gained(self) -> float:
        """Pages a second after the change, by those before; 0.0 without a change."""
        return _pace(self.changed) / max(1e-9, _pace(self.report)) if self.changed else 0.0

    @property
    def starved(self) -> float:
        """Share of the time for which the loop could run and found no core."""
        return max(report.ledger.loop_starved for report in (self.report, self.changed) if report)

    @property
    def disturbed(self) -> bool:
        """Whether other programs wanted the cores so much that what was planted is not what there was."""
        return self.starved > DISTURBING

    @property
    def stands(self) -> bool:
        """Whether nothing is wrong, but for what a busy machine excuses."""
        named = self.right or (self.case.quiet and self.disturbed)
        return named and (self.foretold or self.disturbed)

    @property
    def foretold(self) -> bool:
        """Whether what was gained is within a quarter of what was foretold."""
        return not self.changed or abs(self.report.verdict.gain / max(1e-9, self.gained) - 1.0) <= 0.25


def _pace(report: Report) -> float:
    """Return pages a second in the time that the ledger covers, without the start of the workers."""
    return report.ledger.pages / report.ledger.seconds


async def trial(case: Case, folder: Path) -> Trial:
    """Crawl as the case says, and once more with the change, if there is one."""
    report = await run(case.setting, folder / "before")
    changed = await run(case.changed, folder / "after") if case.changed else None
    return Trial(case=case, report=report, changed=changed)


async def run(setting: Setting, folder: Path) -> Report:
    """Crawl a web that is served for it alone."""
    with served(setting.plant) as port, slowed(setting):
        seeds = [
            f"http://127.0.1.{host + 1}:{port}{'/p/0' if setting.plant.chain else '/'}" for host in range(setting.hosts)
        ]
        extract = partial(slow_extract, setting.extract) if setting.extract else None
        async with Crawler(setting.config(), out=folder, extract=extract) as crawling:
            ending = asyncio.create_task(_end(crawling, setting))
            async for _ in _pages(crawling, seeds, by_hand=setting.caller > 0):
                await asyncio.sleep(0.0 if ending.done() else setting.caller)
            ending.cancel()
            await asyncio.wait([ending])
            return crawling.report()


async def _end(crawling: Crawler, setting: Setting) -> None:
    """Stop a crawl so long after its first page: how long its workers take to start is of no interest."""
    while not crawling.progress().pages:  # noqa: ASYNC110  a crawl has no event for it
        await asyncio.sleep(0.02)
    ends = time.monotonic() + setting.seconds
    while (left := ends - time.monotonic()) > 0:
        time.sleep(setting.blocked)  # noqa: ASYNC251  that is what is planted
        await asyncio.sleep(0.002 if setting.blocked else left)
    crawling.stop()


async def _pages(crawling: Crawler, seeds: list[str], *, by_hand: bool) -> AsyncIterator[None]:
    if not by_hand:
        await crawling.crawl(seeds)
        return
    async for _ in crawling.run(seeds):
        yield


@contextlib.contextmanager
def served(plant: Plant) -> Iterator[int]:
    """Serve a web; give its port."""
    command = [sys.executable, str(_SERVER), plant.arguments()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.kill()


@contextlib.contextmanager
def slowed(setting: Setting) -> Iterator[None]:
    """Make the disk and the parse slow, as far as the setting says."""
    with contextlib.ExitStack() as patched:
        if setting.sync:
            slow = partial(_slow_sync, os.fsync, setting.sync)
            patched.enter_context(patch.object(os, "fsync", slow))
        if setting.parse:
            patched.enter_context(patch.object(crawler.parts, "parse", partial(slow_parse, setting.parse)))
        yield


def _slow_sync(fsync: Any, seconds: float, file: int) -> None:
    time.sleep(seconds)
    fsync(file)


def slow_parse(seconds: float, task: Task) -> Result:
    """Wait, and parse; runs in a worker."""
    time.sleep(seconds)
    return parse(task)


def slow_extract(seconds: float, document: Document) -> str:
    """Wait, and tell where the page is from; runs in a worker."""
    time.sleep(seconds)
    return document.url


def with_settings(setting: Setting, **sections: dict[str, Any]) -> Setting:
    """Return a setting with some settings of its crawl changed."""
    merged = {name: {**setting.settings.get(name, {}), **changes} for name, changes in sections.items()}
    return replace(setting, settings={**setting.settings, **merged})


def _case(
    name: str, kind: Bottleneck, setting: Setting, changed: Setting | None = None, *, quiet: bool = False
) -> Case:
    return Case(name=name, kind=kind, setting=setting, changed=changed, quiet=quiet)


def _polite() -> Iterator[Case]:
    kind = Bottleneck.POLITENESS
    one = Setting(plant=Plant(pages=300), settings={"politeness": {"delay": 0.1}})
    yield _case("1 host, 0.1 s delay", kind, one, with_settings(one, politeness={"delay": 0.05}))
    five = Setting(hosts=5, settings={"politeness": {"delay": 0.2}})
    yield _case("5 hosts, 0.2 s delay", kind, five, replace(five, hosts=10))
    slow = Setting(hosts=40, plant=Plant(latency=0.1, pages=50), settings={"politeness": {"delay": 0.5, "per_host": 1}})
    yield _case("40 hosts, 0.5 s delay, 0.1 s latency", kind, slow)


def _slow_answers() -> Iterator[Case]:
    kind = Bottleneck.LATENCY
    one = Setting(plant=Plant(latency=0.1, pages=600), settings={"fetch": {"concurrency": 8}})
    yield _case("0.1 s latency, 8 at a time", kind, one, with_settings(one, fetch={"concurrency": 16}))
    many = Setting(hosts=8, plant=Plant(latency=0.3, pages=200), settings={"fetch": {"concurrency": 32}})
    yield _case("0.3 s latency, 32 at a time, 8 hosts", kind, many, with_settings(many, fetch={"concurrency": 64}))
    few = Setting(hosts=4, plant=Plant(latency=0.1, pages=200), settings={"politeness": {"per_host": 2}})
    yield _case(
        "0.1 s latency, 2 at a time per host, 4 hosts", kind, few, with_settings(few, politeness={"per_host": 4})
    )


def _slow_bodies() -> Iterator[Case]:
    kind = Bottleneck.WIRE
    few = {"fetch": {"concurrency": 16}}
    yield _case("bodies at 80 kB/s each", kind, Setting(plant=Plant(rate=80e3, text=40_000, pages=600), settings=few))
    yield _case("a line of 4 MB/s", kind, Setting(plant=Plant(line=4e6, text=100_000, pages=5_000), settings=few))
    yield _case(
        "a line of 1 MB/s, 0.02 s latency",
        kind,
        Setting(hosts=3, plant=Plant(line=1e6, latency=0.02, text=50_000, pages=5_000), settings=few),
    )


def _throttling() -> Iterator[Case]:
    kind = Bottleneck.THROTTLING
    yield _case("1 host, 429 after 20 requests for 1 s", kind, Setting(plant=Plant(burst=20)))
    yield _case(
        "5 hosts, 429 after 10 requests for 2 s",
        kind,
        Setting(hosts=5, plant=Plant(burst=10, retry_after=2), seconds=6.0),
    )
    yield _case(
        "429 after 30 requests for 3 s, 0.005 s delay",
        kind,
        Setting(plant=Plant(burst=30, retry_after=3), seconds=8.0, settings={"politeness": {"delay": 0.005}}),
    )


def _slow_parse() -> Iterator[Case]:
    kind = Bottleneck.PARSE
    one = {"parse": {"workers": 1}}
    two = {"parse": {"workers": 2}}
    large = Setting(plant=Plant(text=600_000, pages=5_000), settings=one)
    yield _case("1 worker, pages of 600 kB", kind, large, replace(large, settings=two), quiet=True)
    linked = Setting(plant=Plant(links=4_000, pages=5_000), settings=one)
    yield _case("1 worker, pages of 4,000 links", kind, linked, quiet=True)
    waiting = Setting(plant=Plant(pages=900), parse=0.02, settings=one)
    yield _case("1 worker, a parse that waits 0.02 s", kind, waiting, replace(waiting, settings=two))
    more = Setting(plant=Plant(pages=900), parse=0.04, settings=two)
    yield _case("2 workers, a parse that waits 0.04 s", kind, more, with_settings(more, parse={"workers": 4}))


def _slow_extract() -> Iterator[Case]:
    kind = Bottleneck.EXTRACT
    one, two, plant = {"parse": {"workers": 1}}, {"parse": {"workers": 2}}, Plant(pages=900)
    setting = Setting(plant=plant, extract=0.02, settings=one)
    yield _case("1 worker, a function that waits 0.02 s", kind, setting, replace(setting, settings=two))
    setting = Setting(plant=plant, extract=0.05, settings=two)
    yield _case("2 workers, a function that waits 0.05 s", kind, setting, with_settings(setting, parse={"workers": 4}))
    large = Plant(text=100_000, pages=900)
    yield _case("1 worker, 0.03 s over pages of 100 kB", kind, Setting(plant=large, extract=0.03, settings=one))


def _slow_disk() -> Iterator[Case]:
    kind = Bottleneck.JOURNAL
    half = Setting(plant=Plant(pages=9_000), sync=0.4, seconds=8.0)
    yield _case("an fsync takes 0.4 s", kind, half, replace(half, sync=0.2))
    yield _case(
        "an fsync takes 0.3 s, 3 hosts", kind, Setting(hosts=3, plant=Plant(pages=5_000), sync=0.3, seconds=5.0)
    )
    slow = Setting(plant=Plant(pages=5_000, latency=0.02), sync=0.6, seconds=6.0)
    yield _case("an fsync takes 0.6 s, 0.02 s latency", kind, slow)


def _busy_loop() -> Iterator[Case]:
    kind = Bottleneck.LOOP
    for concurrency, hosts in ((32, 1), (64, 4), (128, 2)):
        setting = Setting(hosts=hosts, plant=Plant(pages=9_000), settings={"fetch": {"concurrency": concurrency}})
        yield _case(f"tiny pages, {concurrency} at a time, {hosts} hosts", kind, setting, quiet=True)
    for seconds in (0.05, 0.1):
        setting = Setting(plant=Plant(pages=5_000), blocked=seconds)
        yield _case(f"a call that blocks it for {seconds} s, again and again", kind, setting)


def _few_urls() -> Iterator[Case]:
    kind = Bottleneck.FEW_URLS
    one = Setting(plant=Plant(chain=True, latency=0.05))
    yield _case("a chain of pages, 0.05 s latency", kind, one, replace(one, hosts=2))
    three = Setting(hosts=3, plant=Plant(chain=True, latency=0.2))
    yield _case("3 chains of pages, 0.2 s latency", kind, three, replace(three, hosts=6))
    yield _case("a chain of pages at once", kind, Setting(plant=Plant(chain=True, pages=9_000)))


def _slow_caller() -> Iterator[Case]:
    kind = Bottleneck.CALLER
    for seconds in (0.01, 0.02, 0.05):
        yield _case(f"a caller takes {seconds} s a page", kind, Setting(plant=Plant(pages=5_000), caller=seconds))


def _two_at_once() -> Iterator[Case]:
    kind = Bottleneck.MIXED
    both = Setting(
        plant=Plant(latency=0.1, text=20_000, rate=200e3, pages=600), settings={"fetch": {"concurrency": 16}}
    )
    yield _case("0.1 s latency, and 0.1 s of body", kind, both)
    turns = Setting(plant=Plant(burst=20, retry_after=1), settings={"politeness": {"delay": 0.05}}, seconds=6.0)
    yield _case("0.05 s delay, and 429 half of the time", kind, turns)
    equal = Setting(
        plant=Plant(latency=0.1, pages=5_000),
        parse=0.014,
        seconds=5.0,
        settings={"fetch": {"concurrency": 16}, "parse": {"workers": 2}},
    )
    yield _case("latency, and a parse that is hardly slower", kind, equal, quiet=True)


def cases() -> Iterator[Case]:
    """Give every kind of bottleneck at least three times."""
    for some in (
        _polite,
        _slow_answers,
        _slow_bodies,
        _throttling,
        _slow_parse,
        _slow_extract,
        _slow_disk,
        _busy_loop,
        _few_urls,
        _slow_caller,
        _two_at_once,
    ):
        yield from some()
