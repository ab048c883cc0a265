"""What runs inside a parse worker: the batch loop, the deadlines, and the ties to the parent process.

Kept apart from ``executors.py`` so that a worker starts without asyncio: it imports this and what it is told to call.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

WALL_TO_CPU = 6
"""A task may take this many times its CPU time on the wall: the machine may be busy, a user's function may wait."""


class Death(Enum):
    """Why a worker ended in the middle of a page."""

    CRASH = "crash"
    TIMEOUT = "timeout"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Casualty:
    """Takes the place of a result where a task killed its worker."""

    death: Death
    detail: str


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """What a worker process is told when it starts. Everything in it travels by pickle."""

    call: Callable[[Any], Any]
    """Top-level function, one task to one result; what it raises costs the task its result."""
    prepare: Callable[[Any], None]
    """Called once, with ``options``."""
    options: Any
    timeout: float = 0.0
    """CPU seconds a task may take; 0 is no limit."""
    memory: int = 0
    """Bytes of address space a worker may take; 0 is no limit."""


_rules: WorkerRules
_unready = ""


def begin(rules: WorkerRules) -> None:
    """Get a worker process ready: its ties to the parent, its limits, and what it is to call."""
    global _rules, _unready  # noqa: PLW0603  a worker serves one crawl: its rules are its state
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if rules.memory:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (rules.memory, hard))
    try:
        rules.prepare(rules.options)
    except Exception as error:  # noqa: BLE001  it runs what users wrote; the parent tells them
        _unready = f"{type(error).__name__}: {error}"[:500]
    _rules = rules


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def nothing() -> str:
    """Make the pool start its process; say why it is not ready, if it is not."""
    return _unready


def work(tasks: Sequence[Any]) -> list[tuple[Any, int, int]]:
    """Run a batch, task by task, each under its own deadline.

    The timers' default action ends the process even while it is deep in C code, where no Python handler would run.
    """
    call, timeout = _rules.call, _rules.timeout
    results = []
    for task in tasks:
        if timeout:
            signal.setitimer(signal.ITIMER_PROF, timeout)
            signal.setitimer(signal.ITIMER_REAL, timeout * WALL_TO_CPU)
        began, cpu = time.perf_counter_ns(), time.process_time_ns()
        try:
            result = call(task)
        except MemoryError:
            result = Casualty(Death.MEMORY, "more memory than a worker may take")
        except Exception as error:  # noqa: BLE001  an exception may not survive the way back; its name does
            result = Casualty(Death.CRASH, f"{type(error).__name__}: {error}"[:500])
        results.append((result, time.perf_counter_ns() - began, time.process_time_ns() - cpu))
    if timeout:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return results
