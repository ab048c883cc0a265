"""Every scenario is played beside a healthy host, a chapter a crawl; each URL then has to have ended as it must."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import msgspec
import pytest
import uvloop

from crawler.api import Crawler
from crawler.config import Config, build
from crawler.net import guard
from crawler.report.report import Report
from crawler.testing.hostile import ANY_NUMBER, Scenario, Stage
from crawler.testing.site import Site
from tests import certificates
from tests.names import NameServer
from tests.scenarios import table, transport
from tests.scenarios.table import CHAPTERS

STANDS = {
    "asyncio": ("aiohttp", "asyncio"),
    "uvloop": ("aiohttp", "uvloop"),
    "lean-asyncio": ("lean", "asyncio"),
    "lean": ("lean", "uvloop"),
}
"""What a chapter is played on: client and event loop."""
WHOLE_TABLE = ("asyncio", "lean-asyncio")
"""Under asyncio the servers read by the kernel's clock, so that gaps can be judged."""
WIRE_CHAPTERS = ("Transport", "HTTP framing")
"""Chapters in which the event loop has a say; they are played on every stand."""
GUARD = 60.0
"""Seconds after which a run is taken for hung."""
HEALTHY = 12
SLOWEST_PARSE = 2.0
"""Seconds that the settings of that chapter allow a worker for a page: so late would the loop be, were it on it."""


@dataclass
class Run:
    """What one crawl through a chapter left."""

    config: Config
    report: Report
    lines: list[dict[str, Any]]
    healthy: set[str]
    stages: dict[Scenario, Stage]
    folder: Path
    lag: float
    """Seconds of CPU that the loop, servers and all, worked at worst without looking up."""
    asked: list[str]
    """Names whose IPv4 addresses the name server was asked for."""
    pages: dict[str, dict[str, Any]] = field(init=False)
    outcomes: dict[str, str] = field(init=False)
    """Of all known URLs, the skipped ones too."""

    def __post_init__(self) -> None:
        self.pages = {line["url"]: line for line in self.lines}
        with contextlib.closing(sqlite3.connect(self.folder / "crawl.db")) as database:
            self.outcomes = dict(database.execute("SELECT url, outcome FROM url"))

    def page(self, stage: Stage) -> dict[str, Any]:
        """Return the line of a scenario's URL."""
        return self.pages[stage.url]

    def paths(self, stage: Stage) -> list[str]:
        """Return the paths that a scenario's server was asked for, in order."""
        return [request.head.split(b" ", 2)[1].decode("latin-1") for request in stage.requests]


class Watch:
    """Looks every ten milliseconds how much the loop has worked since.

    It reads the thread's CPU clock, for that of the wall also shows what else the machine has to do.
    """

    def __init__(self) -> None:
        self.lag = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            self.lag = max(self.lag, time.thread_time() - before)


def impatient(ca_file: str = "", **sections: dict[str, Any]) -> Config:
    """Return settings with which every wait is short."""
    plain: dict[str, dict[str, Any]] = {
        "politeness": {"delay": 0.0, "per_host": 4, "per_address": 0, "robots": "ignore"},
        "fetch": {
            "allow_private": "always",
            "concurrency": 128,
            "ca_file": ca_file,
            "backoff": 0.01,
            "max_backoff": 0.05,
            "connect_timeout": 2.0,
            "head_timeout": 2.0,
            "total_timeout": 5.0,
            "lowest_rate": 20_000,
            "lowest_rate_after": 1.0,
            "max_body": 2 * 1024**2,
        },
        "parse": {"workers": 1, "timeout": 5.0, "max_decoded": 4 * 1024**2},
        "store": {"durability": "normal"},
    }
    for name, settings in sections.items():
        plain[name] = {**plain.get(name, {}), **settings}
    return build(plain)


def _counts_as_public(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let the guard take an address of loopback for a public one; nothing else of it is changed."""
    really = guard.is_public
    patch.setattr(guard, "is_public", lambda one: one == address or really(one))


async def played(chapter: ModuleType, config: Config, folder: Path) -> Run:
    """Crawl all scenarios of a chapter and a healthy site at once."""
    async with contextlib.AsyncExitStack() as opened:
        server = opened.enter_context(NameServer(getattr(chapter, "zone", transport.zone)))
        patched = opened.enter_context(pytest.MonkeyPatch.context())
        server.install(patched)
        if public := getattr(chapter, "PUBLIC", ""):
            _counts_as_public(patched, public)
        site = await opened.enter_async_context(Site("127.0.0.9"))
        for number in range(HEALTHY):
            site.page(f"/{number}", links=(f"/{number + 1}",) if number + 1 < HEALTHY else ())
        stages = {}
        for scenario in chapter.SCENARIOS:
            context = certificates.server_context(scenario.tls) if scenario.tls else None
            stages[scenario] = await opened.enter_async_context(Stage(scenario, context))
        watch = await opened.enter_async_context(Watch())
        async with asyncio.timeout(GUARD):
            async with Crawler(config, out=folder) as crawler:
                report = await crawler.crawl([site.url("/0"), *(stage.url for stage in stages.values())])
            for stage in stages.values():
                await stage.quiet.wait()
    lines = [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]
    healthy = {site.url(f"/{number}") for number in range(HEALTHY)}
    return Run(config, report, lines, healthy, stages, folder, watch.lag, server.asked)


def _run(chapter: str, stand: str, folder: Path) -> Run:
    module = CHAPTERS[chapter]
    config = impatient(certificates.ca_file(folder), **getattr(module, "SETTINGS", {}))
    client, loop = STANDS[stand]
    config = msgspec.structs.replace(config, fetch=msgspec.structs.replace(config.fetch, client=client))
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(played(module, config, folder / "out"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Run]:
    """Play a chapter on a stand, once."""
    done: dict[tuple[str, str], Run | BaseException] = {}

    def run(chapter: str, stand: str) -> Run:
        if (chapter, stand) not in done:
            try:
                done[chapter, stand] = _run(chapter, stand, tmp_path_factory.mktemp("chapter"))
            except Exception as error:  # noqa: BLE001  every test of the chapter is to say so, but it fails once
                done[chapter, stand] = error
        found = done[chapter, stand]
        if isinstance(found, BaseException):
            raise found
        return found

    return run


_ALL = [
    (chapter, stand) for chapter in CHAPTERS for stand in STANDS if chapter in WIRE_CHAPTERS or stand in WHOLE_TABLE
]


@pytest.mark.parametrize(
    ("chapter", "stand", "scenario"),
    [
        pytest.param(chapter, stand, scenario, id=f"{scenario.number}-{scenario.name}-{stand}".replace(" ", "_"))
        for chapter, stand in _ALL
        for scenario in CHAPTERS[chapter].SCENARIOS
    ],
)
def test_a_url_ends_as_it_must(runs: Callable[[str, str], Run], chapter: str, stand: str, scenario: Scenario) -> None:
    run = runs(chapter, stand)
    stage = run.stages[scenario]
    page = run.page(stage)

    assert page["outcome"] in {str(outcome) for outcome in scenario.outcomes}, page
    assert page["attempts"] in scenario.tries, page
    asked = page["attempts"] if scenario.asked is None else scenario.asked
    assert asked in (ANY_NUMBER, len(stage.requests)), [request.head for request in stage.requests]
    if scenario.check is not None:
        scenario.check(run, stage)


@pytest.mark.parametrize(("chapter", "stand"), _ALL)
def test_nothing_is_lost_beside_hostile_hosts(runs: Callable[[str, str], Run], chapter: str, stand: str) -> None:
    run = runs(chapter, stand)

    assert run.report.conserved
    assert run.report.totals.queued == 0
    assert {url for url in run.healthy if run.pages[url]["outcome"] == "ok"} == run.healthy
    assert [url for url, times in Counter(line["url"] for line in run.lines).items() if times > 1] == []


def test_documents_that_take_a_parser_seconds_do_not_stop_the_loop(runs: Callable[[str, str], Run]) -> None:
    run = runs("Content", "asyncio")

    assert "parse_timeout" in {page["outcome"] for page in run.lines}
    assert run.lag < SLOWEST_PARSE / 4


def test_the_table_in_the_docs_is_that_of_the_scenarios() -> None:
    assert table.DOC.read_text(encoding="utf-8") == table.text()


@pytest.mark.parametrize(("file", "name"), [(file, name) for _, _, file, name in table.ELSEWHERE])
def test_what_is_played_elsewhere_is_played_there(file: str, name: str) -> None:
    assert f"def test_{name}" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def test_every_scenario_has_a_name_of_its_own() -> None:
    names = Counter(scenario.name for chapter in CHAPTERS.values() for scenario in chapter.SCENARIOS)

    assert [name for name, times in names.items() if times > 1] == []
