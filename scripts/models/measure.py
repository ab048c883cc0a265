"""Run a model on a work, and see what it took: time on the clock, and CPU time of the whole tree of processes.

The CPU time of the tree is that of this process, of its children that have ended (as ``wait`` reports them),
and of its descendants that live, each read from its own clock. Getting ready is timed apart from the work,
and clearing away is not timed, for a crawl that runs for hours does both once.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path

from scripts.models.figures import Machine, Once, Row
from scripts.models.tasks import Model, Piece, Work

_clock_of = ctypes.CDLL(None, use_errno=True).clock_getcpuclockid


class Meter:
    """Measures models, and sees that each has done the same work.

    Args:
        besides: processes whose CPU time is not counted, nor their children's.
        repeat: runs of each model.
        patience: seconds; a model whose first run took longer is not run again.
    """

    def __init__(self, *, besides: Iterable[int], repeat: int, patience: float) -> None:
        self._besides = frozenset(besides)
        self._repeat = repeat
        self._patience = patience

    def rows(self, models: dict[str, Model], work: Callable[[Path], Work], *, cores: int = 0) -> tuple[Row, ...]:
        """Measure all models in turn, again and again, so that a busy moment of the machine meets all of them.

        Args:
            models: by name.
            work: makes the work in a folder.
            cores: how many cores they may use; 0 is all.

        Raises:
            RuntimeError: two models came to different results.
        """
        runs: dict[str, list[Once]] = {name: [] for name in models}
        expected: tuple[int, int, int, int] | None = None
        for _ in range(self._repeat):
            for name, model in models.items():
                if runs[name] and runs[name][0].wall > self._patience:
                    continue
                with _confined(cores):
                    once, result = self._once(model, work)
                runs[name].append(once)
                expected = expected or result
                if result != expected:
                    raise RuntimeError(f"{name} has done other work than the models before it: {result}, {expected}")
        return tuple(Row(name, tuple(done)) for name, done in runs.items())

    def _once(self, model: Model, work: Callable[[Path], Work]) -> tuple[Once, tuple[int, int, int, int]]:
        with tempfile.TemporaryDirectory(prefix="execution_models-") as folder:
            asked = time.perf_counter()
            with model(work(Path(folder))) as run:
                ready = time.perf_counter() - asked
                gc.collect()
                once, pieces = self._run(run)
                return _rounded(replace(once, ready=ready)), _sum(pieces)

    def _run(self, run: Callable[[], Iterable[Piece]]) -> tuple[Once, Iterable[Piece]]:
        tree, beside = tree_cpu(self._besides), sum(map(_cpu, self._besides))
        idle, held_up, own, began = _idle(), _held_up(), time.process_time(), time.perf_counter()
        pieces = run()
        wall, own = time.perf_counter() - began, time.process_time() - own
        idle, held_up = _idle() - idle, _held_up() - held_up
        tree, beside = tree_cpu(self._besides) - tree, sum(map(_cpu, self._besides)) - beside
        others = max(0.0, wall * cores() - idle - tree - beside)
        return Once(0.0, wall, tree, own, held_up, others), pieces


@contextmanager
def _confined(most: int) -> Iterator[None]:
    """Let this thread, and what it starts meanwhile, use so many cores at most; 0 is all."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[: most or None])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def _rounded(once: Once) -> Once:
    """Cut off what no clock here can tell: nanoseconds."""
    return Once(*(round(value, 6) for value in astuple(once)))


def _sum(pieces: Iterable[Piece]) -> tuple[int, int, int, int]:
    """Add up what came of the tasks, in any order: pages, bytes, links, digests."""
    pages = size = links = digests = 0
    for piece in pieces:
        pages += 1
        size += piece.size
        links += piece.links
        digests ^= int.from_bytes(piece.digest, "big")
    return pages, size, links, digests


def tree_cpu(besides: Iterable[int] = ()) -> float:
    """Return the CPU seconds that this process and its descendants have used so far.

    Args:
        besides: descendants that are not counted, nor their descendants.
    """
    own = time.process_time()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(_cpu(pid) for pid in _descendants(frozenset(besides)))
    return own + ended.ru_utime + ended.ru_stime + living


def _descendants(besides: frozenset[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    parents = deque([os.getpid()])
    while parents:
        for pid in children.get(parents.popleft(), ()):
            if pid not in besides:
                found.append(pid)
                parents.append(pid)
    return found


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a living process, all its threads together; 0.0 if it has ended.

    Source: clock_getcpuclockid(3); /proc knows only hundredths of a second.
    """
    clock = ctypes.c_int()
    with suppress(OSError):
        if _clock_of(pid, ctypes.byref(clock)) == 0:
            return time.clock_gettime(clock.value)
    return 0.0


def _held_up() -> float:
    """Return for how many seconds this thread was ready to run and had no core; 0.0 where the kernel does not say.

    Source: Documentation/scheduler/sched-stats.rst of Linux, ``/proc/<pid>/schedstat``.
    """
    with suppress(OSError, IndexError):
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return 0.0


def _idle() -> float:
    """Return for how many seconds our cores have had nothing to do, all together; in hundredths.

    Source: proc_stat(5), the columns idle and iowait.
    """
    ours = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = (line.split() for line in Path("/proc/stat").read_text(encoding="ascii").splitlines())
    return sum(int(line[4]) + int(line[5]) for line in lines if line[0] in ours) / os.sysconf("SC_CLK_TCK")


def machine() -> Machine:
    """Tell where and when this is."""
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        cores=cores(),
        cpu=_cpu_model(),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        load=round(os.getloadavg()[0], 2),
    )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
