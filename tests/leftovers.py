"""Processes and threads that a test leaves behind.

Two things stay on purpose and are not counted.
Python's own resource tracker and fork server are started once, serve every later pool, and end with the interpreter;
the fork server's children *are* counted, since they are somebody's workers.
pycares keeps one daemon thread that frees its channels.

A process that detached itself from its parents is not seen here; the tests that kill crawls look by session instead.
Where there is no /proc only threads are compared.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 3.0
"""Seconds that an ending process or thread is given."""

_PROC = Path("/proc")
_OWN = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
_OWN_THREADS = ("_run_safe_shutdown_loop",)


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, as /proc shows it. The start time tells it from a later one with its number."""

    pid: int
    parent: int
    session: int
    started: int


@dataclass(frozen=True, slots=True)
class Belongings:
    """The descendants and threads of this process at one moment."""

    processes: frozenset[Process]
    threads: frozenset[threading.Thread]

    @classmethod
    def now(cls) -> Belongings:
        """Look."""
        return cls(frozenset(_descendants()), frozenset(filter(_is_ours, threading.enumerate())))


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds open at one moment: files, pipes and sockets, each with what is behind it."""

    handles: frozenset[tuple[int, str]]

    @classmethod
    def now(cls) -> Held:
        """Look."""
        held: set[tuple[int, str]] = set()
        for handle in (_PROC / "self" / "fd").glob("*"):
            with contextlib.suppress(OSError):  # the one by which we look is gone by now
                held.add((int(handle.name), str(handle.readlink())))
        return cls(frozenset(held))


def let_go(before: Held) -> list[str]:
    """Name what was opened since and is not closed within the patience: pycares closes its own from a thread."""
    deadline = time.monotonic() + PATIENCE
    while (left := Held.now().handles - before.handles) and time.monotonic() < deadline:
        time.sleep(0.01)
    return sorted(f"{number}: {behind}" for number, behind in left)


def reap(before: Belongings) -> list[str]:
    """Name what came since and does not end by itself; end such processes, so that they disturb no other test."""
    deadline = time.monotonic() + PATIENCE
    now = Belongings.now()
    for thread in now.threads - before.threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [process for process in now.processes - before.processes if not ended(process.pid, deadline)]
    names = [f"process {process.pid} ({_command(process.pid)})" for process in left]
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return names + [f"thread {thread.name}" for thread in now.threads - before.threads if thread.is_alive()]


def ended(pid: int, deadline: float) -> bool:
    """Wait until a process has ended, whoever's child it is; tell whether it did before the deadline.

    Args:
        pid: its number.
        deadline: by ``time.monotonic()``.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0])
    finally:
        os.close(handle)


def processes() -> Iterator[Process]:
    """Read all running processes; dead ones that nobody has waited for are left out."""
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            state, parent, _, session, *rest = stat.rpartition(") ")[2].split()
            if state != "Z":
                yield Process(int(folder.name), int(parent), int(session), int(rest[15]))


def _descendants() -> Iterator[Process]:
    me = os.getpid()
    children: dict[int, list[Process]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
    ahead = [me]
    while ahead:
        parent = ahead.pop()
        for process in children.get(parent, ()):
            ahead.append(process.pid)
            if not (parent == me and _is_pythons_own(process.pid)):
                yield process


def _is_pythons_own(pid: int) -> bool:
    command = _raw_command(pid)
    return any(name in command for name in _OWN)


def _is_ours(thread: threading.Thread) -> bool:
    return not any(name in thread.name for name in _OWN_THREADS)


def _command(pid: int) -> str:
    return _raw_command(pid).replace(b"\0", b" ").decode(errors="replace").strip() or "?"


def _raw_command(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""
