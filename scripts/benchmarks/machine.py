"""What a figure must be read with: the machine, the versions, the date, and how busy the machine was otherwise."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from crawler import __version__

_LIBRARIES = ("aiohttp", "uvloop", "selectolax", "ada-url", "isal")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one machine at one time."""

    date: str
    crawler: str
    cpu: str
    cores: int
    """Those that this process may use."""
    memory: int
    """Bytes."""
    system: str
    python: str
    libraries: dict[str, str]
    load: float
    """Processes that wanted a core, on average over the minute before the first measurement."""

    def sentence(self) -> str:
        """Say it in one line."""
        versions = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        return (
            f"Measured on {self.date} with crawler {self.crawler}: {self.cores} cores of {self.cpu}, "
            f"{self.memory / 2**30:.0f} GiB, {self.system}, Python {self.python}, {versions}; "
            f"load before: {self.load:.1f}."
        )


def machine() -> Machine:
    """Look at the machine that runs this."""
    libraries = {name: found for name in _LIBRARIES if (found := _version(name))}
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        crawler=__version__,
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        libraries={**libraries, "SQLite": sqlite3.sqlite_version},
        load=os.getloadavg()[0],
    )


class Others:
    """Tells how many cores other processes used in the meantime; near 0, wall-clock figures can be trusted."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._busy = _busy()

    def cores(self, own: float) -> float:
        """Return the cores' worth of CPU that was not ours, which took ``own`` seconds, since this was made."""
        elapsed = time.perf_counter() - self._began
        return max(0.0, _busy() - self._busy - own) / elapsed if elapsed else 0.0


def resident() -> int:
    """Return the bytes of memory that this process holds now."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _busy() -> float:
    """Return the CPU seconds that the whole machine has spent since it started; what a hypervisor took is not in it."""
    user, nice, system, _, _, irq, softirq = Path("/proc/stat").read_text(encoding="ascii").split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
