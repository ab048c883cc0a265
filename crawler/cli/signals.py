"""Ctrl-C, SIGTERM and SIGHUP: once asks the crawl to stop, twice ends the process at once.

Two signals within a tenth of a second are one: ``timeout`` sends its signal to the process and to its group,
and a terminal that closes sends SIGHUP from two sides.
The handlers are installed by :mod:`signal` and not by the loop, so that the second signal works even if the loop hangs.
Ending at once is safe: what is committed stays, and what is not was never promised.
A signal that the parent has set to be ignored (``nohup``, a background job) stays ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import NoReturn, Self

from crawler.cli.console import NAME, SHOW_CURSOR, say
from crawler.cli.exits import Exit

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_SIGNAL = 0.1
"""Seconds within which a second signal is taken for the first one."""
DRAIN = 10
"""Seconds that pages in flight are given to end."""


class Signals:
    """The watch over signals, for as long as it is entered."""

    def __init__(self) -> None:
        self._stop: Callable[[str], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_at: float | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in _WATCHED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what signal.signal itself returned

    def stops(self, stop: Callable[[str], object]) -> None:
        """From now on the first signal calls ``stop`` with its name; before, it ends the process."""
        self._loop = asyncio.get_running_loop()
        self._stop = stop

    def _received(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._stop is None or self._loop is None:
            end_at_once(number, "ended before the crawl began")
        if self._asked_at is None:
            self._asked_at = now
            self._loop.call_soon_threadsafe(self._ask, signal.Signals(number), self._stop)
        elif number != signal.SIGHUP and now - self._asked_at > ONE_SIGNAL:
            end_at_once(number, "ended at once; what was committed is safe")

    def _ask(self, number: signal.Signals, stop: Callable[[str], object]) -> None:
        again = "Ctrl-C again" if number is signal.SIGINT else f"a second {number.name}"
        say(f"stopping: pages in flight are finished, {DRAIN} s at most; {again} ends it at once")
        stop("Ctrl-C" if number is signal.SIGINT else number.name)


def end_at_once(number: int, words: str) -> NoReturn:
    """End the process with these last words. The state on disk is sound at every instant."""
    code = Exit.KILLED_SIGINT if number == signal.SIGINT else Exit.KILLED_SIGTERM
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        cursor = f"{SHOW_CURSOR}\n" if os.isatty(2) else ""
        os.write(2, f"{cursor}{NAME}: {words}\n".encode())
        sys.stdout.flush()
    os._exit(code)
