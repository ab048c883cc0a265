"""``--log``: a file with one line for each run, however it ended.

It is opened for each line, so it can be moved away at any time; the line is one write, so two runs mix no lines.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.cli.console import say
from crawler.core.text import printable
from crawler.errors import UsageError

if TYPE_CHECKING:
    from crawler.report.report import Report


class RunLog:
    """A file that grows by a line.

    Args:
        path: the file; None for none.
        folder: the output folder, which each line names.

    Raises:
        UsageError: there can be no such file.
    """

    def __init__(self, path: Path | None, folder: Path) -> None:
        self._path = path
        self._folder = folder
        if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
            raise UsageError(f"--log: {path} cannot be written")

    def end(self, code: int, report: Report | None, error: str = "") -> None:
        """Tell how the run ended; a line that cannot be written is said instead."""
        if self._path is None:
            return
        told = error or "ended early"
        if report is not None:
            from crawler.report.line import line  # noqa: PLC0415  -- not needed for a mistake

            told = line(report)
        at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        text = f"{at}  {printable(str(self._folder))}  exit {int(code)}  {printable(told)}\n"
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(file, text.encode("utf-8", "backslashreplace"))
            finally:
                os.close(file)
        except OSError as problem:
            say(f"--log: {self._path} cannot be written ({problem.strerror}): {text.rstrip()}")
