"""The models without a loop: one after another, threads, processes, and a queue that feeds processes.

All of them block: a page that is waited for holds its thread until it is there.
This module is imported by worker processes, so it imports no asyncio.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from crawler.stages.parse_worker import Result, Worker, prepare
from crawler.worker import WorkerRules, begin
from scripts.models.tasks import OPTIONS, Piece, Run, Task, Work, parse_task, piece_of

PATIENCE = 60.0
"""Seconds that anything here waits for one answer."""

_Raw: TypeAlias = tuple[int, Result | None]


class Serial:
    """Does one task after another, on one connection, and waits whenever it must."""

    def __init__(self) -> None:
        self._reader = Worker(OPTIONS)
        self._connection: HTTPConnection | None = None

    def do(self, task: Task) -> _Raw:
        """Fetch, read and write one page, as far as its task says."""
        body = self._fetch(task.url) if task.body is None else task.body
        result = self._reader.parse(parse_task(task.url, body)) if task.reads else None
        if task.file:
            Path(task.file).write_bytes(body)
        return len(body), result

    def close(self) -> None:
        """Hang up."""
        if self._connection:
            self._connection.close()

    def _fetch(self, url: str) -> bytes:
        parts = urlsplit(url)
        if self._connection is None:
            self._connection = HTTPConnection(parts.netloc, timeout=PATIENCE)
        self._connection.request("GET", parts.path)
        return self._connection.getresponse().read()


@contextmanager
def serial(work: Work) -> Iterator[Run]:
    """One thread, one page after another."""
    with closing(Serial()) as hands:
        yield lambda: [piece_of(*hands.do(task)) for task in work.tasks]


@contextmanager
def threads(work: Work) -> Iterator[Run]:
    """Run a thread for each page that is waited for; where nothing waits, one for each worker."""
    local = threading.local()
    with ExitStack() as stack:

        def get_ready() -> None:
            local.hands = stack.enter_context(closing(Serial()))

        def do(task: Task) -> _Raw:
            raw: _Raw = local.hands.do(task)
            return raw

        count = work.concurrency if work.waits else work.workers
        pool = stack.enter_context(ThreadPoolExecutor(count, initializer=get_ready))
        yield lambda: [piece_of(*raw) for raw in pool.map(do, work.tasks)]


@contextmanager
def processes(work: Work) -> Iterator[Run]:
    """Let a pool of processes take one page a task."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(work.workers + 1)
    with ProcessPoolExecutor(work.workers, mp_context=context, initializer=_begin, initargs=(ready,)) as pool:
        for _ in range(work.workers):
            pool.submit(_nothing)  # the pool starts a process for each task that finds none idle
        ready.wait(PATIENCE)
        yield lambda: [piece_of(*raw) for raw in pool.map(_do, work.tasks, timeout=PATIENCE)]


@contextmanager
def queue(work: Work) -> Iterator[Run]:
    """Feed processes from a queue, with a sentinel for each of them at its end."""
    context = multiprocessing.get_context("spawn")
    tasks: Queue[Task | None] = context.Queue()
    results: Queue[_Raw | None] = context.Queue()
    workers = [context.Process(target=_serve, args=(tasks, results)) for _ in range(work.workers)]
    with ExitStack() as stack:
        for ends in (tasks, results):
            stack.callback(ends.close)
            stack.callback(ends.cancel_join_thread)
        for worker in workers:
            worker.start()
            stack.callback(worker.join)
            stack.callback(worker.kill)
        for _ in workers:
            results.get(timeout=PATIENCE)  # it is ready
        yield partial(_feed, work, tasks, results)


def _feed(work: Work, tasks: Queue[Task | None], results: Queue[_Raw | None]) -> list[Piece]:
    for task in work.tasks:
        tasks.put(task)
    for _ in range(work.workers):
        tasks.put(None)
    pieces: list[Piece] = []
    working = work.workers
    while working:
        raw = results.get(timeout=PATIENCE)
        if raw is None:
            working -= 1
        else:
            pieces.append(piece_of(*raw))
    return pieces


# In a worker process from here on.

_hands: Serial


def _get_ready(_: object) -> None:
    global _hands  # noqa: PLW0603  a worker process serves one pool: what it works with is its state
    prepare(OPTIONS)
    _hands = Serial()


def _begin(ready: Barrier) -> None:
    begin(WorkerRules(call=_do, prepare=_get_ready, options=None))
    ready.wait(PATIENCE)


def _nothing() -> None:
    """Give the pool something to do."""


def _do(task: Task) -> _Raw:
    return _hands.do(task)


def _serve(tasks: Queue[Task | None], results: Queue[_Raw | None]) -> None:
    begin(WorkerRules(call=_do, prepare=_get_ready, options=None))
    results.put(None)
    for task in iter(tasks.get, None):
        results.put(_do(task))
    results.put(None)
