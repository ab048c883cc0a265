"""Run a command and tell what it cost, with every process that it started.

A process whose parent has ended belongs to the nearest *subreaper* above it (prctl(2), PR_SET_CHILD_SUBREAPER).
Once this process is one, helpers that outlive their command come to it and can be waited for like children,
so their CPU time is not lost.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_ORPHANS_PATIENCE = 5.0
"""Seconds that what a command left behind may take to end, before it is killed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took."""

    wall: float
    """Seconds from its start to its end."""
    cpu: float
    """CPU seconds of all its processes, user and system."""
    code: int
    """Its exit code; negative is the signal that ended it."""


def become_subreaper() -> None:
    """Take in the orphans of all commands that this process will run.

    Raises:
        OSError: the system does not know how.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], limit: float) -> Cost:
    """Run a command to its end, in a session of its own; its words go to ``cwd``/words.log.

    Args:
        command: with its arguments.
        cwd: an existing folder.
        env: its whole environment.
        limit: seconds after which it is killed.
    """
    ours = set(children())
    with (cwd / "words.log").open("wb") as words:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
        )
        alarm = threading.Timer(limit, _kill_session, (process.pid,))
        alarm.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        finally:
            alarm.cancel()
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime + _orphans(ours)
    return Cost(wall, cpu, process.returncode)


def _orphans(ours: AbstractSet[int]) -> float:
    """Wait for the children of this process besides ``ours``, and return their CPU seconds."""
    cpu, patience = 0.0, time.monotonic() + _ORPHANS_PATIENCE
    while left := [pid for pid in children() if pid not in ours]:
        for pid in left:
            if time.monotonic() > patience:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                done, _, used = os.wait4(pid, os.WNOHANG)
                cpu += used.ru_utime + used.ru_stime if done else 0.0
        time.sleep(0.01)
    return cpu


def children() -> list[int]:
    """Return the processes of which this one is the parent."""
    found: list[int] = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError):  # a thread that has just ended
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def _kill_session(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
