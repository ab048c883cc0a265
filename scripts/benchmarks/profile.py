"""Where the main process's time goes: a crawl in this process, whose threads are looked at again and again.

A sampler thread notes every two milliseconds which code each thread is in, and weighs what it sees with the CPU time
that the thread has used since the last look, so that a thread which waits weighs nothing.
A share belongs to the innermost room of the crawler, or library, that is on the stack.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Self

import msgspec

from crawler.api import crawl
from crawler.config import Config, Fetch, Politeness
from crawler.report.report import Report

_PAUSE = 0.002
_LIBRARIES = ("aiohttp", "yarl", "multidict", "asyncio", "uvloop", "concurrent", "multiprocessing", "sqlite3")


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of the code took of one page."""

    thread: str
    part: str
    cpu: float
    """µs per page."""
    share: float
    """Of all CPU of the main process, 0..1."""


class Sampler:
    """Looks at all threads of this process but its own: ``with Sampler() as sampler``."""

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sampler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        used: dict[int, float] = {}
        while not self._stop.wait(_PAUSE):
            frames = sys._current_frames()  # noqa: SLF001  the only way to see other threads
            for thread in threading.enumerate():
                frame, ident = frames.get(thread.ident or 0), thread.ident
                if ident is None or frame is None or thread is self._thread:
                    continue
                try:
                    now = time.clock_gettime(time.pthread_getcpuclockid(ident))
                except OSError:  # it has just ended
                    continue
                self.seconds[_role(thread.name), part(frame)] += now - used.get(ident, now)
                used[ident] = now


def part(frame: FrameType | None) -> str:
    """Return the innermost room of the crawler, or library, of a stack."""
    while frame is not None:
        if found := part_of(frame.f_code.co_filename):
            return found
        frame = frame.f_back
    return "other"


def part_of(file: str) -> str:
    """Return the room or library that a source file belongs to; empty if it is neither."""
    parts = Path(file).parts
    if "crawler" in parts and "benchmarks" not in parts:
        inner = parts[len(parts) - parts[::-1].index("crawler") :]
        return f"crawler/{inner[0] if len(inner) == 1 else '/'.join(inner[:2])}"
    if parts[-2:] == ("asyncio", "runners.py"):
        return "uvloop"  # below it is no Python: system calls, and the calling of callbacks
    return next((name for name in _LIBRARIES if name in parts), "")


def _role(thread: str) -> str:
    if thread == "MainThread":
        return "loop"
    return "journal" if thread.startswith("crawler-journal") else "pools"


def profile(folder: Path, seeds: Path, width: int) -> tuple[list[Share], Report]:
    """Crawl from a file of seeds, and tell where the main process spent its time."""
    import uvloop  # noqa: PLC0415  as the command line does it

    config = Config(
        politeness=Politeness(delay=0.0, per_host=width), fetch=Fetch(allow_private="always", concurrency=width)
    )
    urls = seeds.read_text(encoding="ascii").split()
    with Sampler() as sampler, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(crawl(urls, config=config, out=folder))
    whole = sum(sampler.seconds.values()) or 1.0
    shares = [
        Share(thread=thread, part=name, cpu=seconds * 1e6 / max(1, report.pages), share=seconds / whole)
        for (thread, name), seconds in sorted(sampler.seconds.items(), key=lambda one: -one[1])
    ]
    return shares, report
