"""Loop, threads, processes: the only file that owns pools.

Theory of operation
-------------------
Work that waits stays on the loop, work that blocks in a system call goes to a thread,
work that computes goes to a process. The verb is the same, ``await place(...)``, and each call reports what it cost.

*Threads* are ``ThreadPoolExecutor`` objects of our own, so the loop's default executor stays free for name look-ups.

*Processes* are N one-worker ``ProcessPoolExecutor`` objects under one supervisor. A pool of N workers is poisoned by
one death and names no culprit; with one worker each, a death costs the batch that worker had, which is then
tried again page by page, so the page at fault is alone when it kills again, and everybody else's work stands.
Workers start by spawn, never by fork, with ``__main__`` hidden, so a caller's script is not run again and needs no
``__main__`` guard. They ignore SIGINT and SIGTERM (both reach the whole group; the crawl decides when to end them)
and end themselves when their parent is gone. ``max_tasks_per_child`` is not used: it deadlocks (cpython#115634).

*Batches* are natural: a free worker takes everything that waits, up to a bound in number and bytes.
So a quiet crawl has the latency of single pages and a busy one the throughput of batches.

What runs inside a worker is in ``worker.py``.

Cancelling a call that waits takes it out of the queue; once it runs it runs to its end and its result is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from crawler.core.records import Cost
from crawler.errors import WorkersLost
from crawler.worker import WALL_TO_CPU, Casualty, Death, WorkerRules, begin, nothing, work

T = TypeVar("T")
R = TypeVar("R")

_BACKSTOP = 30.0
"""Seconds beyond all of a batch's own deadlines after which a worker is taken for stuck (stopped, say)."""
_PATIENCE = 3
"""Times that a worker is started which dies before it is ready."""


class Batches(Generic[T, R]):
    """Gather what waits while all runners are busy, and hand it over as one batch.

    Args:
        run: takes a batch, returns one result per task, in order; its exception is every task's.
        runners: batches that may run at once.
        most: tasks of a batch, at most.
        most_bytes: bytes of a batch, at most, unless a single task is larger.
    """

    def __init__(
        self, run: Callable[[list[T]], Awaitable[Sequence[R]]], *, runners: int, most: int, most_bytes: int
    ) -> None:
        self._run = run
        self._runners = runners
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[T, int, asyncio.Future[tuple[R, int]], int]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self.bytes_waiting = 0

    async def __call__(self, task: T, size: int = 0) -> tuple[R, int]:
        """Run ``task`` of ``size`` bytes; return its result and the nanoseconds it waited for its batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[R, int]] = loop.create_future()
        self._waiting.append((task, size, future, time.perf_counter_ns()))
        self.bytes_waiting += size
        if len(self._running) < self._runners:
            self._running.add(loop.create_task(self._runner()))
        return await future

    async def close(self) -> None:
        """Wait for the batches that run; what waits is cancelled."""
        for _, _, future, _ in self._waiting:
            future.cancel()
        self._waiting.clear()
        while self._running:
            await asyncio.wait(self._running)

    async def _runner(self) -> None:
        try:
            await self._drain()
        finally:
            # Here and not in a callback of the task, which comes a moment later:
            # what is asked for within that moment would find a runner that takes nothing more, and wait for ever.
            self._running.discard(asyncio.current_task())

    async def _drain(self) -> None:
        while self._waiting:
            tasks, futures, since = self._take()
            if not tasks:
                continue
            began = time.perf_counter_ns()
            try:
                results = await self._run(tasks)
            except BaseException as error:
                for future in futures:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # nobody may be left to hear it; asyncio need not complain
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                for future, result, start in zip(futures, results, since, strict=True):
                    if not future.done():
                        future.set_result((result, began - start))

    def _take(self) -> tuple[list[T], list[asyncio.Future[tuple[R, int]]], list[int]]:
        tasks: list[T] = []
        futures: list[asyncio.Future[tuple[R, int]]] = []
        since: list[int] = []
        total = 0
        while self._waiting and len(tasks) < self._most:
            task, size, future, start = self._waiting[0]
            if tasks and total + size > self._most_bytes:
                break
            self._waiting.popleft()
            self.bytes_waiting -= size
            if future.done():  # its caller was cancelled
                continue
            total += size
            tasks.append(task)
            futures.append(future)
            since.append(start)
        return tasks, futures, since


class Threads:
    """A few threads for work that blocks in system calls; ``await threads(call, ...)`` runs there."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=f"crawler-{name}")

    async def __call__(self, call: Callable[..., R], *arguments: Any) -> R:
        """Run ``call(*arguments)``; cancelling lets it run to its end and drops the result."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)

    async def measured(self, call: Callable[..., R], *arguments: Any) -> tuple[R, Cost]:
        """Run ``call(*arguments)`` and tell what it cost."""
        return await self(partial(_measured, call, time.perf_counter_ns()), *arguments)

    def close(self) -> None:
        """End the threads; what runs is waited for, what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _measured(call: Callable[..., R], asked: int, *arguments: Any) -> tuple[R, Cost]:
    began, cpu = time.perf_counter_ns(), time.thread_time_ns()
    result = call(*arguments)
    return result, Cost(began - asked, time.perf_counter_ns() - began, time.thread_time_ns() - cpu)


class Processes(Generic[T, R]):
    """N worker processes under one supervisor; ``await processes(task, size)`` runs one task there.

    The result of a task that kills its worker is a :class:`Casualty`; no other task notices.

    Raises (from a call):
        WorkersLost: workers die as fast as they are started.
    """

    def __init__(self, rules: WorkerRules, count: int, *, most: int = 32, most_bytes: int = 4 << 20) -> None:
        self.count = count
        self.replaced = 0
        self.cpu = 0.0
        """CPU seconds of tasks so far, over all workers."""
        self._taken = 0.0
        self._since: dict[_Worker, float] = {}
        self._rules = rules
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._batches: Batches[T, R | Casualty] = Batches(self._run, runners=count, most=most, most_bytes=most_bytes)

    def start(self) -> None:
        """Start the workers; they get ready while the caller goes on."""
        self._workers = [_Worker(self._rules) for _ in range(self.count)]
        self._idle = list(self._workers)

    async def ready(self) -> None:
        """Wait until one worker is ready.

        Raises:
            WorkersLost: it never will be.
        """
        await self._ready(self._workers[0])

    async def __call__(self, task: T, size: int = 0) -> tuple[R | Casualty, Cost]:
        """Run one task of ``size`` bytes in a worker; return its result and what it cost."""
        (result, ran, cpu), queued = await self._batches(task, size)  # type: ignore[misc]
        return result, Cost(queued, ran, cpu)

    @property
    def bytes_waiting(self) -> int:
        """Bytes of the tasks that wait for a worker."""
        return self._batches.bytes_waiting

    def taken(self) -> tuple[float, float]:
        """Return the seconds that workers had batches which are back, and those that they have had the others."""
        return self._taken, sum(time.perf_counter() - since for since in self._since.values())

    async def close(self) -> None:
        """End all workers. What runs is abandoned."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.kill()
        with contextlib.suppress(Exception):
            await self._batches.close()
        for worker in workers:
            await worker.gone()

    async def _run(self, tasks: list[T]) -> list[Any]:
        worker = self._idle.pop()
        try:
            return await self._batch(worker, tasks)
        finally:
            self._idle.append(worker)

    async def _batch(self, worker: _Worker, tasks: list[T]) -> list[Any]:
        await self._ready(worker)
        try:
            results = await self._timed(worker, tasks)
        except (BrokenProcessPool, TimeoutError) as error:
            casualty = await self._replace(worker, error)
            return await self._one_by_one(worker, tasks, casualty)
        except Exception as error:  # noqa: BLE001  a result that cannot be pickled, say
            return await self._one_by_one(worker, tasks, Casualty(Death.CRASH, f"{type(error).__name__}: {error}"))
        self.cpu += sum(cpu for _, _, cpu in results) / 1e9
        return results

    async def _timed(self, worker: _Worker, tasks: list[T]) -> list[Any]:
        self._since[worker] = time.perf_counter()
        try:
            return await worker.run(tasks)
        finally:
            self._taken += time.perf_counter() - self._since.pop(worker)

    async def _ready(self, worker: _Worker) -> None:
        """Wait until a worker has started; one that cannot is started anew a few times."""
        for _ in range(_PATIENCE):
            try:
                return await worker.ready()
            except BrokenProcessPool as error:
                casualty = await self._replace(worker, error)
        raise WorkersLost(f"parse workers die before they are ready ({casualty.detail})")

    async def _one_by_one(self, worker: _Worker, tasks: list[T], casualty: Casualty) -> list[Any]:
        """Find the one at fault in a batch that failed: alone, it takes nobody with it."""
        if len(tasks) == 1:
            return [(casualty, 0, 0)]
        return [one for task in tasks for one in await self._batch(worker, [task])]

    async def _replace(self, worker: _Worker, error: Exception) -> Casualty:
        if not self._workers:
            raise asyncio.CancelledError from error  # it was ended, not ruined
        casualty = await worker.autopsy(stuck=isinstance(error, TimeoutError))
        self.replaced += 1
        worker.start()
        return casualty


class _Worker:
    """One process in a pool of its own, which is replaced when it dies."""

    def __init__(self, rules: WorkerRules) -> None:
        self._rules = rules
        self.start()

    def start(self) -> None:
        self._pool = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=begin, initargs=(self._rules,)
        )
        with _hidden_main():  # the pool starts its process within submit
            self._started = self._pool.submit(nothing)
        processes: Mapping[int, BaseProcess] = self._pool._processes  # noqa: SLF001  no public way to the exit code
        self._process = next(iter(processes.values()))

    async def ready(self) -> None:
        if not self._started.done():
            await asyncio.shield(asyncio.wrap_future(self._started))
        if unready := self._started.result():
            raise WorkersLost(f"parse workers cannot get ready ({unready})")

    async def run(self, tasks: Sequence[Any]) -> list[Any]:
        call = asyncio.get_running_loop().run_in_executor(self._pool, work, tasks)
        limit = self._rules.timeout * WALL_TO_CPU * len(tasks) + _BACKSTOP if self._rules.timeout else None
        return await asyncio.wait_for(call, limit)

    async def autopsy(self, *, stuck: bool) -> Casualty:
        """Make sure that the process is dead, and tell why it died."""
        self.kill()
        code = await self.gone()
        if stuck or code in (-signal.SIGPROF, -signal.SIGALRM):
            return Casualty(Death.TIMEOUT, f"took the worker more than {self._rules.timeout:g} s")
        if code is not None and code < 0:
            return Casualty(Death.CRASH, f"the worker died of {signal.Signals(-code).name}")
        return Casualty(Death.CRASH, f"the worker ended with exit code {code}")

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def gone(self) -> int | None:
        """Wait until the process and the pool's own thread have ended; return the exit code."""
        sentinel = self._process.sentinel
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        with contextlib.suppress(ValueError, OSError):
            loop.add_reader(sentinel, gone.set)
            try:
                await gone.wait()
            finally:
                loop.remove_reader(sentinel)
        self._pool.shutdown(wait=True, cancel_futures=True)
        code = self._process.exitcode
        with contextlib.suppress(ValueError):
            self._process.close()  # its pipes would stay open until it is garbage
        return code


_hiding = threading.Lock()


@contextlib.contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide the caller's script from a starting process, which would import it, and run it, again."""
    main = sys.modules["__main__"]
    missing = object()
    with _hiding:
        kept = {name: getattr(main, name, missing) for name in ("__file__", "__spec__")}
        main.__spec__ = None
        if kept["__file__"] is not missing:
            del main.__file__
        try:
            yield
        finally:
            for name, value in kept.items():
                if value is not missing:
                    setattr(main, name, value)
