"""The command line in a process of its own, as a person or cron runs it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0
"""Seconds that one command may take."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which our package is found and nothing is known of a terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::ResourceWarning", **more}


def words(*arguments: str) -> list[str]:
    """Return the whole command."""
    return [sys.executable, "-m", "crawler", *arguments]


def crawler(*arguments: str, cwd: Path, stdin: str | None = None, env: Mapping[str, str] | None = None) -> Ended:
    """Run the command to its end."""
    done = subprocess.run(
        words(*arguments),
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def started(command: Sequence[str], *, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command that is to be watched and stopped; it never outlives the test."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=cwd, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
