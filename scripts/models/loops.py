"""The models on a loop: asyncio alone, with threads that read, the crawler's hybrid, and the crawler itself.

The first three run the same straight line of ``await`` and differ only in *where* a page is read and written.
The hybrid's places are the crawler's own (``crawler/executors.py``), not a copy of them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import aiohttp
import msgspec
import yarl

from crawler import parts
from crawler.api import Crawler
from crawler.config import Config, Fetch, Parse, Politeness, Scope, Store
from crawler.core.records import Cost
from crawler.executors import Processes, Threads
from crawler.stages.parse_worker import Result, Worker, parse, prepare
from crawler.stages.parse_worker import Task as ParseTask
from crawler.worker import Casualty, WorkerRules
from scripts.models.pools import PATIENCE
from scripts.models.tasks import OPTIONS, Model, Piece, Run, Work, parse_task, piece_of

WRITERS = 4
"""Threads that write files, as many as the crawler has for its mirror."""
_WHOLE_BATCH = 4 << 20
"""A task that claims so many bytes is a batch of its own."""

_Read: TypeAlias = Callable[[ParseTask, int], Awaitable[Result]]
_Write: TypeAlias = Callable[[str, bytes], Awaitable[Any]]
_Awaited: TypeAlias = Callable[[], Awaitable[Iterable[Piece]]]


class _Line:
    """The straight line of a page: fetch, read, write; a bounded number of them at once."""

    def __init__(self, work: Work, read: _Read, write: _Write) -> None:
        self._work = work
        self._read = read
        self._write = write

    async def __call__(self) -> list[Piece]:
        self._tasks = iter(self._work.tasks)
        self._pieces: list[Piece] = []
        connector = aiohttp.TCPConnector(limit=self._work.concurrency)
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as self._session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(self._work.concurrency):
                group.create_task(self._lane())
        return self._pieces

    async def _lane(self) -> None:
        for task in self._tasks:
            body = await self._fetch(task.url) if task.body is None else task.body
            result = await self._read(parse_task(task.url, body), len(body)) if task.reads else None
            if task.file:
                await self._write(task.file, body)
            self._pieces.append(piece_of(len(body), result))

    async def _fetch(self, url: str) -> bytes:
        async with self._session.get(yarl.URL(url, encoded=True)) as answer:
            return await answer.read()


def _on_a_loop(opened: Callable[[Work], AbstractAsyncContextManager[_Awaited]]) -> Model:
    """Give a model that needs a loop one of its own."""

    @contextmanager
    def model(work: Work) -> Iterator[Run]:
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            run = runner.run(stack.enter_async_context(opened(work)))

            async def awaited() -> Iterable[Piece]:
                return await run()

            try:
                yield lambda: runner.run(awaited())
            finally:
                runner.run(stack.aclose())

    return model


@_on_a_loop
@asynccontextmanager
async def alone(work: Work) -> AsyncIterator[_Awaited]:
    """Do everything on the loop: while a page is read or written, nobody is waited for."""
    reader = Worker(OPTIONS)

    async def read(task: ParseTask, _: int) -> Result:
        return reader.parse(task)

    async def write(file: str, body: bytes) -> None:
        Path(file).write_bytes(body)  # noqa: ASYNC240  blocking the loop is what this model is about

    yield _Line(work, read, write)


@_on_a_loop
@asynccontextmanager
async def with_threads(work: Work) -> AsyncIterator[_Awaited]:
    """Wait on the loop, read in threads, of which only one holds the GIL."""
    local = threading.local()

    def parse_here(task: ParseTask) -> Result:
        if not hasattr(local, "reader"):
            local.reader = Worker(OPTIONS)
        result: Result = local.reader.parse(task)
        return result

    readers = Threads("read", work.workers)
    writers = Threads("write", WRITERS)
    try:
        yield _Line(work, lambda task, _: readers(parse_here, task), lambda *page: writers(_write, *page))
    finally:
        readers.close()
        writers.close()


@_on_a_loop
@asynccontextmanager
async def hybrid(work: Work) -> AsyncIterator[_Awaited]:
    """Wait on the loop, read in processes, write in threads."""
    rules = WorkerRules(call=parse, prepare=prepare, options=OPTIONS)
    processes: Processes[ParseTask, Result] = Processes(rules, work.workers)
    writers = Threads("write", WRITERS)

    async def read(task: ParseTask, size: int) -> Result:
        result, _ = await processes(task, size)
        if isinstance(result, Casualty):
            raise RuntimeError(f"a worker died: {result.detail}")  # noqa: TRY004  its type is not what is wrong
        return result

    try:
        processes.start()
        blank = parse_task("http://127.0.0.1/", b"")
        await asyncio.gather(*(read(blank, _WHOLE_BATCH) for _ in range(work.workers)))  # each has one: all are ready
        yield _Line(work, read, lambda *page: writers(_write, *page))
    finally:
        await processes.close()
        writers.close()


@_on_a_loop
@asynccontextmanager
async def crawler(work: Work) -> AsyncIterator[_Awaited]:
    """Run the crawler itself: the hybrid, and all that it is for: frontier, database, page log, report."""
    config = Config(
        scope=Scope(rule="host", max_depth=0),
        politeness=Politeness(delay=0.0, per_host=work.concurrency, robots="ignore"),
        fetch=Fetch(concurrency=work.concurrency, allow_private="always"),
        parse=Parse(workers=work.workers),
        store=Store(archive="none", mirror=True),
    )
    out = work.folder / "crawl"
    async with Crawler(config, out=out) as opened:

        async def run() -> Iterable[Piece]:
            await opened.crawl([task.url for task in work.tasks])
            return _logged(out)

        yield run


class _OnTheLoop:
    """Reads each page on the loop, in the place of a crawl's worker processes: nothing guards the crawl from a page."""

    bytes_waiting = 0
    replaced = 0

    def __init__(self, rules: WorkerRules, _: int) -> None:
        self.count = 1
        self.cpu = 0.0
        self._reader = Worker(rules.options)

    def start(self) -> None:
        """Have nothing to start."""

    async def __call__(self, task: ParseTask, _: int) -> tuple[Result, Cost]:
        """Read one page, here and now."""
        began, cpu = time.perf_counter_ns(), time.thread_time_ns()
        result = self._reader.parse(task)
        cpu = time.thread_time_ns() - cpu
        self.cpu += cpu / 1e9
        return result, Cost(0, time.perf_counter_ns() - began, cpu)

    def taken(self) -> tuple[float, float]:
        """Tell for how many seconds pages were read, and are now."""
        return self.cpu, 0.0

    async def close(self) -> None:
        """Have nothing to end."""


@contextmanager
def crawler_inline(work: Work) -> Iterator[Run]:
    """Run the crawler without its worker processes: what it could be where there is one core."""
    with patch.object(parts, "Processes", _OnTheLoop), crawler(work) as run:
        yield run


def _logged(out: Path) -> Iterator[Piece]:
    """Read from the page log what the crawl did; this is done after the clock has stopped."""
    with (out / "pages.jsonl").open("rb") as lines:
        for line in lines:
            page = msgspec.json.decode(line)
            yield Piece(page["size"], bytes.fromhex(page["digest"].removeprefix("sha256:")), page["links"])


def _write(file: str, body: bytes) -> None:
    Path(file).write_bytes(body)
