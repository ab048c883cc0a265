"""What a crawl would do with its seeds, without crawling: only robots.txt is fetched, and nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from msgspec import Struct

from crawler.config import Config
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.core.robots import Robots, RobotsVerdict, deciding_line, judge_answer
from crawler.core.scope import ScopeRule
from crawler.core.traps import trap
from crawler.core.url import host_key
from crawler.net.room import Room
from crawler.stages.client import fetcher, new_client
from crawler.stages.fetch import Fetcher
from crawler.stages.robots import fetch_robots

_AT_ONCE = 256
_EVERYTHING = Robots.allow_all()


class Door(Struct, frozen=True):
    """A host, by its robots.txt."""

    refusal: Outcome | None = None
    """Why none of its pages could be fetched now."""
    detail: str = ""
    body: bytes | None = None
    """None where everything is allowed."""
    rules: Robots = _EVERYTHING


class Forecast(Struct, frozen=True):
    """What would become of one seed."""

    url: str
    refusal: Outcome | None
    """Why it would not be fetched; None if it would."""
    detail: str
    """The reason in detail: a line of robots.txt, for example."""
    delay: float
    """Seconds between two requests to its host."""
    sitemaps: tuple[str, ...]
    """Those that its host's robots.txt names."""


class Forecaster:
    """Foretells seeds; ``async for`` over :meth:`foretell`.

    Args:
        config: the settings of the crawl.
        fetch: asks for robots.txt.
    """

    def __init__(self, config: Config, fetch: Fetcher) -> None:
        self._config = config
        self._fetch = fetch
        self._scope = ScopeRule(config.scope)
        self._doors: dict[str, Door] = {}
        self._slots = asyncio.Semaphore(config.fetch.concurrency)

    async def foretell(self, seeds: AsyncIterable[str]) -> AsyncIterator[Forecast]:
        """Say of each seed, in order, what would become of it; hosts are asked side by side, each once."""
        batch: list[str] = []
        async for seed in seeds:
            batch.append(seed)
            if len(batch) >= _AT_ONCE:
                for forecast in await self._batch(batch):
                    yield forecast
                batch = []
        for forecast in await self._batch(batch):
            yield forecast

    async def _batch(self, urls: list[str]) -> list[Forecast]:
        refused = {url: self._refusal(url) for url in urls}
        hosts = {host_key(url) for url in urls if refused[url] is None} - self._doors.keys()
        if self._config.politeness.robots == "obey":
            await asyncio.gather(*(self._knock(host) for host in sorted(hosts)))
        return [self._one(url, refused[url]) for url in urls]

    def _refusal(self, url: str) -> Outcome | None:
        # a seed is in the scope that it brings along
        return self._scope.judge(url, 0, lambda _: True) or trap(url, self._config.traps)

    def _one(self, url: str, refusal: Outcome | None) -> Forecast:
        door, polite = self._doors.get(host_key(url), Door()), self._config.politeness
        delay = max(polite.delay, min(door.rules.crawl_delay or 0.0, polite.max_crawl_delay))
        detail = ""
        if refusal is None:
            refusal, detail = door.refusal, door.detail
        if refusal is None and door.body is not None:
            refusal = None if door.rules.admits(url) else Outcome.ROBOTS_DENIED
            line = deciding_line(door.body, self._config.fetch.user_agent, url)
            detail = f"robots.txt, line {line[0]}: {line[1]}" if line else ""
        return Forecast(url, refusal, detail, delay, door.rules.sitemaps)

    async def _knock(self, host: str) -> None:
        source = CrawlURL(0, f"{host}/robots.txt", host, kind=Kind.ROBOTS)
        trusted = self._config.fetch.allow_private != "never"
        async with self._slots:
            answer = await fetch_robots(
                self._fetch, source, trusted=trusted, delay=self._config.politeness.delay, sent=lambda: None
            )
        verdict = judge_answer(answer.status) if answer.status else RobotsVerdict.UNREACHABLE
        if verdict is RobotsVerdict.PARSE:
            rules = Robots.parse(answer.body, self._config.fetch.user_agent)
            self._doors[host] = Door(body=answer.body, rules=rules)
        elif verdict is RobotsVerdict.ALLOW_ALL:
            self._doors[host] = Door()
        else:
            outcome = Outcome.ROBOTS_UNREACHABLE if answer.status else answer.outcome or Outcome.ROBOTS_UNREACHABLE
            self._doors[host] = Door(outcome, f"robots.txt: {answer.status or answer.detail or outcome.meaning}")


async def forecasts(config: Config, seeds: AsyncIterable[str]) -> AsyncIterator[Forecast]:
    """Open a client of our own, and say of each seed what would become of it."""
    async with new_client(config.fetch, config.access) as client:
        room = Room(config.fetch.memory, config.fetch.max_body)
        fetch = fetcher(client, config.fetch, room, max_retry_after=config.politeness.max_retry_after)
        async for forecast in Forecaster(config, fetch).foretell(seeds):
            yield forecast
