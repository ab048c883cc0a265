"""``--dry-run``: say what this run would do with the seeds and with the folder, one line each, and sum up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from math import inf, isinf
from typing import TYPE_CHECKING

from crawler.cli.arguments import Arguments
from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.cli.seeds import Seeds
from crawler.config import Config
from crawler.core.text import printable
from crawler.core.url import host_key
from crawler.report.figures import count, date, duration, plural
from crawler.storage.outlook import Outlook, Seen, outlook

if TYPE_CHECKING:
    from crawler.forecast import Forecast


def dry_run(
    arguments: Arguments, config: Config, seeds: Seeds, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None
) -> int:
    """Foretell the run, and return the exit code. Nothing but robots.txt is fetched, and nothing is written.

    Raises:
        CrawlerError: this run could not begin in the folder.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_foretell(arguments, config, seeds))
    return Exit.COMPLETE


async def _foretell(arguments: Arguments, config: Config, seeds: Seeds) -> None:
    async with contextlib.aclosing(seeds):
        await seeds.prepare()
        from crawler.forecast import forecasts  # noqa: PLC0415  -- a third of a second that a bad seed is not worth

        urls: AsyncIterable[str] = seeds
        found: Outlook | None = None
        if arguments.out.is_dir() and not arguments.fresh:
            given = [url async for url in seeds]
            found, urls = outlook(arguments.out, given, due_at=_due_at(arguments)), _each(given)
        told = _Told(arguments, found)
        async for one in forecasts(config, urls):
            put(told.line(one))
    put(told.sum())


class _Told:
    """What is told of the seeds, one after another, and what it comes to.

    Args:
        arguments: how the run would begin.
        found: what is in the folder; None if nothing is.
    """

    def __init__(self, arguments: Arguments, found: Outlook | None) -> None:
        self._arguments = arguments
        self._found = found
        self._now = time.time()
        self._by_host = Counter[str]()
        self._delays: dict[str, float] = {}
        self._left = self._new = 0

    def line(self, seed: Forecast) -> str:
        """Tell what would become of a seed; before the first one of a host, which sitemaps that names."""
        host, before = host_key(seed.url), self._found.seeds.get(seed.url) if self._found else None
        sitemaps = "" if host in self._delays else "".join(f"sitemap {printable(url)}\n" for url in seed.sitemaps)
        self._delays.setdefault(host, seed.delay)
        if before is not None and not self._wants(before):
            word, about = "known", _before(before)
        elif seed.refusal:
            word, about = "skip", f"{seed.refusal}: {seed.detail or seed.refusal.meaning}"
        else:
            word, about = "fetch", "; ".join(filter(None, (seed.detail, _before(before) if before else "")))
            self._by_host[host] += 1
            self._new += before is None
        self._left += word != "fetch"
        return sitemaps + f"{word:<7} {printable(seed.url)}  {printable(about)}".rstrip() + "\n"

    def sum(self) -> str:
        """Sum up the seeds, and the folder if there is one."""
        longest = max((number * self._delays[host] for host, number in self._by_host.items()), default=0.0)
        seeds, hosts = plural(self._by_host.total(), "seed"), plural(len(self._by_host), "host")
        lines = [
            f"{seeds} would be fetched from {hosts}, {self._left:,} not; the delays alone take {duration(longest)}",
            *(f"{self._arguments.out}: {line}" for line in self._folder()),
        ]
        return "".join(f"{line}\n" for line in lines)

    def _wants(self, seed: Seen) -> bool:
        """Tell whether this run would fetch a seed that is known."""
        if not seed.outcome:
            return True
        if self._found is None or self._found.queued or isinf(seed.due):
            return False
        return self._arguments.recrawl or (self._arguments.since_last and seed.due <= self._now)

    def _folder(self) -> Iterator[str]:
        found, seeds = self._found, plural(self._new, "new seed")
        if found is None:
            if self._arguments.fresh and self._arguments.out.is_dir():
                yield "the run that is there would be moved aside"
            return
        known = f"{plural(found.known, 'URL')} known, {count(found.queued)} queued"
        if found.queued:
            yield f"{known}; this run would go on with these, and with {seeds}"
        elif self._arguments.recrawl or self._arguments.since_last:
            yield f"{known}; {plural(found.due, 'URL')} would be crawled again, and {seeds} for the first time"
        else:
            yield f"{known}; {seeds} would be crawled, and known URLs only with --since-last or --recrawl"


async def _each(urls: Iterable[str]) -> AsyncIterator[str]:
    for url in urls:
        yield url


def _due_at(arguments: Arguments) -> float | None:
    """Return up to when what is due is crawled again, as the options say."""
    return inf if arguments.recrawl else time.time() if arguments.since_last else None


def _before(seed: Seen) -> str:
    if not seed.outcome:
        return "queued already"
    looked = f" on {date(seed.at)}" if seed.at else ""
    return f"{seed.outcome}{looked}; due again {'never' if isinf(seed.due) else date(seed.due)}"
