"""``--metrics-file``: the metrics of a run in a file that the node exporter's textfile collector reads.

It is written when the crawl begins, four times a minute while it runs, and once more when it has ended,
each time whole or not at all. A write that fails is told once, and the crawl goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.errors import StorageError
from crawler.executors import Threads
from crawler.report.metrics import metrics
from crawler.report.report import Progress, Report
from crawler.storage.whole_file import write_whole

EVERY = 15.0
"""Seconds from one write to the next."""


class MetricsFile:
    """Keeps the file for as long as it is entered; :meth:`end` writes it for the last time.

    Args:
        path: the file, in a folder that is there.
        so_far: the run as a report; None while it has not begun.
        progress: the run at this moment.
        warn: told of the first write that fails.
    """

    def __init__(
        self,
        path: Path,
        so_far: Callable[[], Report | None],
        progress: Callable[[], Progress],
        *,
        warn: Callable[[str], None],
        every: float = EVERY,
    ) -> None:
        self._path = path
        self._so_far = so_far
        self._progress = progress
        self._warn = warn
        self._every = every
        self._warned = False
        self._last: Report | None = None

    async def __aenter__(self) -> Self:
        self._thread = Threads("metrics", 1)
        self._task = asyncio.create_task(self._run(), name="metrics file")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._last = self._so_far()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._thread.close()

    def end(self, report: Report | None, exit_code: int) -> None:
        """Write how the command ended; without a report of its end, the run is told as far as it came. Blocking."""
        told = report or self._last
        if told is not None:
            self._write(metrics(told, exit_code=exit_code))

    async def _run(self) -> None:
        while True:
            report = self._so_far()
            if report is not None:
                await self._thread(self._write, metrics(report, progress=self._progress()))
            await asyncio.sleep(self._every if report is not None else 0.1)

    def _write(self, content: bytes) -> None:
        try:
            write_whole(self._path, content)
        except StorageError as error:
            if not self._warned:
                self._warned = True
                self._warn(f"--metrics-file: {error}")
