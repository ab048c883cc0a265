"""What Linux tells about the machine's cores: how long a thread waited for one, and how busy all of them are.

Elsewhere nothing is told, and everything that is made of it says so.

Source: proc(5), ``/proc/PID/task/TID/schedstat`` and ``/proc/stat``.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Cores:
    """What Linux tells about cores: how long this thread waited for one, and how busy all of them are."""

    def __init__(self) -> None:
        self._own = self._all = -1
        self._tick = 1.0 / os.sysconf("SC_CLK_TCK")

    def open(self) -> None:
        """Open the kernel's files for the calling thread."""
        with suppress(OSError):
            self._own = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):
            self._all = os.open("/proc/stat", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of them."""
        for file in (self._own, self._all):
            if file >= 0:
                os.close(file)
        self._own = self._all = -1

    def starved(self) -> float:
        """Return the seconds for which the thread was ready and did not run."""
        fields = self._fields(self._own)
        return int(fields[1]) / 1e9 if len(fields) == 3 else 0.0

    def machine(self) -> float:
        """Return the core-seconds that all programs have used."""
        ticks = [int(one) for one in self._fields(self._all)[1:9]]
        return (sum(ticks) - sum(ticks[3:5])) * self._tick  # without idle and iowait

    def _fields(self, file: int) -> list[bytes]:
        if file < 0:
            return []
        with suppress(OSError):
            return os.pread(file, 200, 0).split()
        return []
