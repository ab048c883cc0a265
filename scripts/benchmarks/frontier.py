"""The frontier alone: what it costs to add outlinks, to choose the next URL and to come back, as it grows.

No network, no parsing, no archive. Costs are CPU time; making up URLs is not in them.
Sizes take turns, so that whatever else the machine does meets all alike; figures are medians.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median

import msgspec

from crawler.config import Config
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.records import CrawlURL
from crawler.core.seen import Seen
from crawler.storage.database import open_database
from crawler.storage.frontier import Frontier
from scripts.benchmarks.crawls import environment
from scripts.benchmarks.machine import resident
from scripts.benchmarks.rehearsal import BATCH, OUTLINKS, Rehearsal

_LEAST = 320
"""Pages of a round; a small frontier is made anew until there were so many, and so stays about as small as it is."""
_TURNS = 20_000


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """What a page costs the frontier at one size, µs of CPU."""

    known: int
    scattered: bool
    """Whether a page's outlinks lead to a hundred hosts; else they stay on its own."""
    choosing: float
    adding: float
    """Per outlink; half are known."""
    page: float
    """All in all, of a page with 20 outlinks: chosen, its outlinks made known, ended."""


class Adding(msgspec.Struct, frozen=True, kw_only=True):
    """What it costs to add outlinks, half of them known, from an empty frontier on; µs per outlink."""

    outlinks: int
    hosts: int
    cpu: float
    wall: float


class Choosing(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn costs with so many hosts in memory, all waiting for their delay; µs of CPU."""

    hosts: int
    turn: float


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to open a frontier of this size in a new process, and what it holds in memory then."""

    known: int
    seconds: float
    per_url: float
    """µs."""
    seen: float
    """Bytes per URL of the seen set."""
    resident: float
    """Bytes per URL by which the whole process grew, SQLite's page cache (64 MiB at most) left out."""


def growth(folder: Path, sizes: Sequence[int], rounds: int, config: Config, *, scattered: bool) -> list[Growth]:
    """Measure what a page costs at each size."""
    kept: dict[int, Rehearsal] = {}
    found: dict[int, list[tuple[float, float, float]]] = {size: [] for size in sizes}
    for turn in range(rounds):
        for size in sizes:
            made = [0.0, 0.0, 0.0]
            for attempt in range(max(1, _LEAST // _window(size))):
                where = folder / f"{size}-{turn}-{attempt}"
                rehearsal = kept.pop(size, None) or _grown(where, size, config, scattered=scattered)
                _measure(rehearsal, _window(size), made)
                if _window(size) == _LEAST:
                    kept[size] = rehearsal
                else:
                    rehearsal.close()
                    shutil.rmtree(where)
            found[size].append((made[0], made[1], made[2]))
    for rehearsal in kept.values():
        rehearsal.close()
    return [_growth(size, found[size], scattered=scattered) for size in sizes]


def _window(size: int) -> int:
    """Return the pages after which a frontier is still of about that size."""
    return max(BATCH, min(_LEAST, size // OUTLINKS // BATCH * BATCH))


def _grown(folder: Path, size: int, config: Config, *, scattered: bool) -> Rehearsal:
    rehearsal = Rehearsal(folder, config, hosts=100, scattered=scattered)
    rehearsal.grow(size)
    rehearsal.pages(BATCH)  # the first statements are compiled here
    return rehearsal


def _measure(rehearsal: Rehearsal, pages: int, made: list[float]) -> None:
    rehearsal.choosing = rehearsal.adding = rehearsal.ending = 0.0
    rehearsal.pages(pages)
    for place, cost in enumerate((rehearsal.choosing, rehearsal.adding, rehearsal.ending)):
        made[place] += cost


def _growth(size: int, found: Sequence[tuple[float, float, float]], *, scattered: bool) -> Growth:
    each = 1e6 / (_window(size) * max(1, _LEAST // _window(size)))
    return Growth(
        known=size,
        scattered=scattered,
        choosing=median(one[0] for one in found) * each,
        adding=median(one[1] for one in found) * each / OUTLINKS,
        page=median(sum(one) for one in found) * each,
    )


def adding(folder: Path, outlinks: int, config: Config, *, hosts: int) -> Adding:
    """Add outlinks to an empty frontier in batches, as if all came from a few pages of each host."""
    rehearsal = Rehearsal(folder, config, hosts=hosts, scattered=False)
    done = 0
    while done < outlinks:
        first = done // OUTLINKS
        rehearsal.commit([rehearsal.home(page % hosts) for page in range(first, first + BATCH)], end=False)
        done += BATCH * OUTLINKS
    rehearsal.close()
    shutil.rmtree(folder)
    return Adding(outlinks=done, hosts=hosts, cpu=rehearsal.adding * 1e6 / done, wall=rehearsal.wall * 1e6 / done)


def choosing(hosts: int) -> Choosing:
    """Take turns with so many hosts in memory."""
    delay, per_host = 1.0, _TURNS // hosts + 2
    queues = HostQueues(delay=delay, per_host=1, robots=False, most_hosts=hosts)
    for number in range(hosts):
        key = f"https://docs{number}.example.org"
        urls = [CrawlURL(number * per_host + page, f"{key}/{page}.html", key) for page in range(per_host)]
        queues.open(HostQueue(key, delay), urls, len(urls), 0.0)
    rng, now, step = Random(1), 0.0, delay / hosts  # noqa: S311  a benchmark wants the same numbers each time
    latencies = [rng.random() * delay for _ in range(_TURNS)]
    gc.collect()
    began = time.process_time()
    for latency in latencies:
        while not isinstance(turn := queues.next(now), CrawlURL):
            now += step
        queues.sent(turn.host, now + latency / 1e3)
        queues.done(turn, now + latency / 1e3)
    return Choosing(hosts=hosts, turn=(time.process_time() - began) * 1e6 / _TURNS)


def seen_set(known: int) -> float:
    """Return the bytes per fingerprint of a seen set that grew to this size by itself."""
    seen, rng = Seen(), Random(1)  # noqa: S311  a benchmark wants the same numbers each time
    for _ in range(known):
        seen.add(rng.getrandbits(64) - 2**63)
    return seen.nbytes / known


def stored(folder: Path, known: int, config: Config) -> Path:
    """Fill a frontier to this size, and leave it on disk."""
    rehearsal = Rehearsal(folder, config, hosts=100, scattered=False)
    rehearsal.grow(known)
    rehearsal.close()
    return folder


def comeback(folder: Path) -> Return:
    """Open a frontier in a new process, where nothing is in memory yet."""
    command = [sys.executable, "-m", "scripts.benchmarks.frontier", str(folder)]
    return msgspec.json.decode(subprocess.check_output(command, env=environment()), type=Return)


def _come_back(folder: Path) -> Return:
    config = Config()
    before = resident()
    began = time.perf_counter()
    database = open_database(folder, config.store.durability)
    frontier = Frontier(database, config.scope, config.traps)
    seconds = time.perf_counter() - began
    database.connection.execute("PRAGMA shrink_memory")
    gc.collect()
    known = len(frontier)
    return Return(
        known=known,
        seconds=seconds,
        per_url=seconds * 1e6 / known,
        seen=frontier._seen.nbytes / known,  # noqa: SLF001  only a benchmark asks
        resident=(resident() - before) / known,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_come_back(Path(sys.argv[1]))))
