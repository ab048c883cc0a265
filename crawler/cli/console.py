"""Standard output and standard error, as the command line uses them.

The report goes to standard output; everything else goes to standard error.
A reader that has gone away (``| head``, a closed terminal) is no error of ours and ends in no traceback.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys

from crawler.core.text import printable
from crawler.errors import StorageError

NAME = "crawler"
SHOW_CURSOR = "\x1b[?25h"
"""For a terminal whose live line hid it."""


def open_streams() -> None:
    """Make both streams safe to print to: never missing, and never unable to encode a character."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  -- for the whole process
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  -- for the whole process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(message: str) -> None:
    """Tell the person something, on standard error, with our name before it."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{NAME}: {message}", file=sys.stderr, flush=True)


def put(text: str) -> None:
    """Write a result to standard output.

    Raises:
        StorageError: it cannot be written, for another reason than that nobody reads it.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard()
    except OSError as error:
        _discard()
        raise StorageError(f"cannot be written ({error.strerror})", where="standard output") from error


def _discard() -> None:
    """Point standard output at nothing, so that the flush at the interpreter's exit succeeds."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


class _ToStderr(logging.Handler):
    """Writes to what standard error is at that moment: the live line puts itself before it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say a log record."""
        try:
            say("\n".join(printable(line) for line in self.format(record).split("\n")))
        except Exception:  # noqa: BLE001  -- a log line must never end a crawl
            self.handleError(record)


def set_up_logging(*, verbose: int, quiet: bool) -> None:
    """Let log records through to standard error: warnings, and more with each ``-v``."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = _ToStderr()
    handler.setFormatter(logging.Formatter(f"%(levelname)s: {'%(name)s: ' if verbose > 1 else ''}%(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("asyncio", "aiohttp", "markdown_it"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
