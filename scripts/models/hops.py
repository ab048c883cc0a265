"""What it costs to send a page to another process, alone or in a batch; and what it costs to read it instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from crawler.executors import Processes
from crawler.stages.parse_worker import Task as ParseTask
from crawler.stages.parse_worker import Worker
from crawler.worker import WorkerRules
from scripts.models.figures import Costs, Hop
from scripts.models.measure import tree_cpu
from scripts.models.pages import page, tiny
from scripts.models.tasks import OPTIONS, parse_task

BATCHES = (1, 16, 32)
_DISTINCT = 50
_BYTES = 4 << 20


def costs(pages: int, *, workers: int, besides: Iterable[int]) -> Costs:
    """Measure hops of so many pages, and reading them.

    Args:
        pages: pages of each measurement.
        workers: processes that they are sent to.
        besides: processes whose CPU time is not counted.
    """
    large, small = ([write(number) for number in range(_DISTINCT)] for write in (page, tiny))
    return Costs(
        hops=tuple(asyncio.run(_hop(most, large, pages, workers, besides)) for most in BATCHES),
        tiny_hops=tuple(asyncio.run(_hop(most, small, pages, workers, besides)) for most in BATCHES),
        page=_read(large, pages),
        tiny=_read(small, pages),
    )


def _read(bodies: list[bytes], pages: int) -> float:
    reader = Worker(OPTIONS)
    tasks = [parse_task(f"http://127.0.0.1/page/{number}.html", body) for number, body in enumerate(bodies)]
    began = time.process_time()
    for number in range(pages):
        reader.parse(tasks[number % len(tasks)])
    return round((time.process_time() - began) / pages * 1e6, 1)


async def _hop(most: int, bodies: list[bytes], pages: int, workers: int, besides: Iterable[int]) -> Hop:
    rules = WorkerRules(call=_length, prepare=_nothing, options=None)
    processes: Processes[ParseTask, int] = Processes(rules, workers, most=most, most_bytes=_BYTES)
    tasks = [parse_task(f"http://127.0.0.1/page/{number}.html", body) for number, body in enumerate(bodies)]
    numbers = iter(range(pages))

    async def lane() -> None:
        for number in numbers:
            await processes(tasks[number % len(tasks)])

    try:
        processes.start()
        await asyncio.gather(*(processes(tasks[0], _BYTES) for _ in range(workers)))  # each has one: all are ready
        tree, here, began = tree_cpu(besides), time.process_time(), time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(2 * workers * most)))
        seconds, here = time.perf_counter() - began, time.process_time() - here
        there = tree_cpu(besides) - tree - here
    finally:
        await processes.close()
    size = sum(map(len, bodies)) // len(bodies)
    return Hop(size, most, round(here / pages * 1e6, 1), round(there / pages * 1e6, 1), round(pages / seconds))


# In a worker process: as little as can be, so that the way is all that costs.


def _length(task: ParseTask) -> int:
    return len(task[5])


def _nothing(_: object) -> None:
    """Need no preparation."""
