"""How close a crawl comes to what politeness and latency allow.

With a delay, no crawl can be over before the host that takes longest has been asked for each of its pages:
the *bound* is the largest of pages times delay. It is compared with the whole run of the command, from its start to its
end, robots.txt of each host included. The gaps between the requests to a host are those that the server saw.

Without a delay, each of ``concurrency`` requests in flight takes the server's latency, so concurrency ÷ latency
pages a second is the bound, or what the processors can do on the same pages without latency, whichever is less.
There the rate is taken from the server's first request to its last.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path

import msgspec

from scripts.benchmarks.crawls import Crawl, crawl
from scripts.benchmarks.machine import Others
from scripts.benchmarks.web import Plan, Seen, served

_LIMIT = 180.0
_CLOCK = 1e-4
"""Seconds by which two clocks may disagree about one gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One web and how it is crawled."""

    name: str
    hosts: tuple[int, ...]
    latency: float
    delay: float
    concurrency: int
    per_host: int = 1


DELAYED = (
    Case(name="300 hosts of 20 pages", hosts=(20,) * 300, latency=0.1, delay=1.0, concurrency=128),
    Case(name="one host of 100 pages among 300 of 4", hosts=(100, *(4,) * 300), latency=0.1, delay=0.3, concurrency=64),
)
EAGER = tuple(
    Case(
        name=f"{concurrency} in flight",
        hosts=(concurrency * 15,) * 16,
        latency=0.1,
        delay=0.0,
        concurrency=concurrency,
        per_host=concurrency,
    )
    for concurrency in (16, 32, 64)
)


class Delayed(msgspec.Struct, frozen=True, kw_only=True):
    """How a crawl with a delay went; seconds."""

    name: str
    bound: float
    makespan: float
    ratio: float
    requests: int
    span: float
    """From the server's first request to its last."""
    smallest_gap: float
    delay: float
    hurried: int
    """Gaps under the delay."""
    others: float
    """Cores that other processes used meanwhile."""


class Eager(msgspec.Struct, frozen=True, kw_only=True):
    """How a crawl without a delay went; pages a second."""

    name: str
    by_latency: float
    by_cpu: float
    rate: float
    ratio: float
    others: float


def bound(hosts: Sequence[int], delay: float) -> float:
    """Return the seconds that a crawl of these hosts takes at least: pages of the largest host, times the delay."""
    return max(hosts, default=0) * delay


def gaps(requests: Sequence[Sequence[float]]) -> list[float]:
    """Return the seconds between one request to a host and the next, over all hosts."""
    return [later - earlier for host in requests for earlier, later in pairwise(sorted(host))]


def span(requests: Sequence[Sequence[float]]) -> float:
    """Return the seconds from the first request of all to the last."""
    times = [time for host in requests for time in host]
    return max(times) - min(times) if times else 0.0


def delayed(folder: Path, case: Case) -> Delayed:
    """Crawl with a delay, and compare with the bound."""
    others = Others()
    done, seen = _crawl(folder, case, case.latency)
    least, found = bound(case.hosts, case.delay), gaps(seen.requests)
    return Delayed(
        name=case.name,
        bound=least,
        makespan=done.cost.wall,
        ratio=done.cost.wall / least,
        requests=sum(map(len, seen.requests)),
        span=span(seen.requests),
        smallest_gap=min(found, default=inf),
        delay=case.delay,
        hurried=sum(gap < case.delay - _CLOCK for gap in found),
        others=others.cores(done.cost.cpu + seen.cpu),
    )


def eager(folder: Path, case: Case) -> Eager:
    """Crawl without a delay, once with latency and once without, and compare with the lesser of the bounds."""
    others = Others()
    done, seen = _crawl(folder / "latency", case, case.latency)
    with_latency = sum(case.hosts) / span(seen.requests)
    free, freely = _crawl(folder / "none", case, 0.0)
    by_cpu = sum(case.hosts) / span(freely.requests)
    by_latency = case.concurrency / case.latency
    own = done.cost.cpu + seen.cpu + free.cost.cpu + freely.cpu
    return Eager(
        name=case.name,
        by_latency=by_latency,
        by_cpu=by_cpu,
        rate=with_latency,
        ratio=with_latency / min(by_latency, by_cpu),
        others=others.cores(own),
    )


def _crawl(folder: Path, case: Case, latency: float) -> tuple[Crawl, Seen]:
    options = {
        "--delay": case.delay,
        "--concurrency": case.concurrency,
        "--per-host": case.per_host,
    }
    words = [str(word) for option in options.items() for word in option]
    with served(Plan(hosts=case.hosts, latency=latency)) as web:
        done = crawl(folder, web.seeds, *words, limit=_LIMIT)
        seen = web.seen()
    shutil.rmtree(folder)
    if seen.answered != sum(case.hosts):
        raise RuntimeError(f"{seen.answered} of {sum(case.hosts)} pages were fetched")
    return done, seen
