"""``--dry-run``: say what the seeds would do, one line each, and sum up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.cli.seeds import Seeds
from crawler.config import Config
from crawler.core.text import printable
from crawler.core.url import host_key
from crawler.report.figures import duration, plural


def dry_run(config: Config, seeds: Seeds, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> int:
    """Foretell the seeds, and return the exit code. Nothing but robots.txt is fetched, and nothing is written."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_foretell(config, seeds))
    return Exit.COMPLETE


async def _foretell(config: Config, seeds: Seeds) -> None:
    async with contextlib.aclosing(seeds):
        await seeds.prepare()
        from crawler.forecast import forecasts  # noqa: PLC0415  -- a third of a second that a bad seed is not worth

        by_host, delays, refused = Counter[str](), dict[str, float](), 0
        async for one in forecasts(config, seeds):
            host = host_key(one.url)
            if host not in delays:
                delays[host] = one.delay
                put("".join(f"sitemap {printable(url)}\n" for url in one.sitemaps))
            refusal = f"{one.refusal}: {one.detail or one.refusal.meaning}" if one.refusal else one.detail
            put(f"{'skip' if one.refusal else 'fetch':<7} {printable(one.url)}  {printable(refusal)}".rstrip() + "\n")
            by_host[host] += not one.refusal
            refused += bool(one.refusal)
    longest = max((count * delays[host] for host, count in by_host.items()), default=0.0)
    put(
        f"{plural(by_host.total(), 'seed')} would be fetched from {plural(sum(map(bool, by_host.values())), 'host')},"
        f" {refused:,} not; the delays alone take {duration(longest)}\n"
    )
