"""The live line: what a crawl is doing right now.

On a terminal it is one line, drawn anew four times a second (rich, imported only then).
Anywhere else, in a log or under cron, it is a plain line every 30 seconds.
It is drawn from the event loop by one task that is gone when the crawl is.
A stream that fails, such as a terminal that was closed, ends the line and never the crawl.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from crawler.core.text import printable
from crawler.report.figures import clock, count, plural, rate, size, speed
from crawler.report.report import Progress

__all__ = ["Line", "Live", "Pace", "Progress", "is_terminal"]

WINDOW = 10.0
"""Seconds over which the rates are taken."""
DRAW_EVERY = 0.25
PRINT_EVERY = 30.0
_BOTTLENECK_SHOWN = 48


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a line can be drawn anew on the stream."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown", ""}


class Pace:
    """Pages and bytes a second, over the last ten seconds. Pure: the time is in what it is shown."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._seen: deque[Progress] = deque()

    def see(self, progress: Progress) -> None:
        """Take note of a crawl at one more instant, later than all before."""
        self._seen.append(progress)
        while len(self._seen) > 2 and self._seen[1].elapsed <= progress.elapsed - self._window:
            self._seen.popleft()

    def per_second(self) -> tuple[float, float]:
        """Return pages and bytes a second; since the start while the window is not full."""
        if not self._seen:
            return 0.0, 0.0
        last = self._seen[-1]
        full = len(self._seen) > 1 and last.elapsed > self._window
        first = self._seen[0] if full else Progress()
        seconds = last.elapsed - first.elapsed
        if seconds <= 0:
            return 0.0, 0.0
        return (last.pages - first.pages) / seconds, (last.bytes_received - first.bytes_received) / seconds


def sentence(progress: Progress, pace: Pace) -> str:
    """Put a crawl at one instant into one line, the most telling first: a narrow terminal cuts the end off."""
    pages, received = pace.per_second()
    parts = [
        clock(progress.elapsed),
        f"{plural(progress.pages, 'page')} ({rate(pages)})",
        *([printable(progress.bottleneck, limit=_BOTTLENECK_SHOWN)] if progress.bottleneck else []),
        f"{count(progress.queued)} queued",
        f"{count(progress.in_flight)} in flight",
        f"{count(progress.failed)} failed",
        f"{size(progress.bytes_received)} ({speed(received)})",
        f"{plural(progress.hosts_ready, 'host')} ready",
    ]
    return "  ".join((["stopping"] if progress.stopping else []) + parts)


class Line(Protocol):
    """Somewhere to show the line."""

    def show(self, line: str, elapsed: float) -> None:
        """Show the line, if it is time to."""

    def close(self) -> None:
        """Leave the stream as it was found."""


class PlainLine:
    """A line every 30 seconds, for logs."""

    def __init__(self, stream: TextIO, every: float = PRINT_EVERY) -> None:
        self._stream = stream
        self._every = every
        self._next = every

    def show(self, line: str, elapsed: float) -> None:
        """Print the line when the next one is due."""
        if elapsed < self._next:
            return
        self._next = elapsed - elapsed % self._every + self._every
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave nothing to do."""


class TerminalLine:
    """One line of a terminal, drawn over and over; what else is printed meanwhile appears above it."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415  -- 100 ms that only a terminal is worth
        from rich.live import Live as Display  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        self._styled = Text
        console = Console(file=stream, highlight=False)
        self._display = Display(console=console, auto_refresh=False, transient=True)
        self._display.start()

    def show(self, line: str, elapsed: float) -> None:  # noqa: ARG002  -- a terminal is always due
        """Draw the line in place of the last one."""
        styled = self._styled(line, no_wrap=True, overflow="ellipsis")
        styled.highlight_regex(r"^stopping", "bold yellow")
        styled.highlight_regex(r"[\d,]+ pages?", "bold green")
        styled.highlight_regex(r"[1-9][\d,]* failed", "red")
        self._display.update(styled, refresh=True)

    def close(self) -> None:
        """Take the line away and show the cursor again."""
        self._display.stop()


class Live:
    """Shows the line for as long as it is entered: ``async with Live(crawler.progress, stderr): ...``."""

    def __init__(
        self,
        progress: Callable[[], Progress],
        stream: TextIO,
        *,
        every: float | None = None,
        line: Line | None = None,
    ) -> None:
        self._progress = progress
        self._stream = stream
        self._every = every
        self._line = line
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._line is None:
            self._line = TerminalLine(self._stream) if is_terminal(self._stream) else PlainLine(self._stream)
        every = self._every or (DRAW_EVERY if isinstance(self._line, TerminalLine) else 1.0)
        self._task = asyncio.create_task(self._run(self._line, every), name="live line")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._line is not None:
            with contextlib.suppress(OSError, ValueError):
                self._line.close()

    async def _run(self, line: Line, every: float) -> None:
        pace = Pace()
        with contextlib.suppress(OSError, ValueError):  # the terminal has gone; the crawl goes on
            while True:
                progress = self._progress()
                pace.see(progress)
                line.show(sentence(progress, pace), progress.elapsed)
                await asyncio.sleep(every)
