"""Signals, sent to a program that is nothing but our watch over them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.signals import ONE_SIGNAL
from tests.cli.command import started

WATCH = """
import asyncio, signal, sys
from crawler.cli.signals import Signals

async def main(signals):
    stopped = asyncio.Event()
    def stop(reason):
        print("stop for", reason, flush=True)
        stopped.set()
    if sys.argv[1] != "early":
        signals.stops(stop)
    print("ready", flush=True)
    await stopped.wait()
    if sys.argv[1] == "hang":
        while True:
            signal.pause()  # a loop that hangs
    print("drained", flush=True)

with Signals() as signals, asyncio.Runner(loop_factory=LOOP) as runner:
    runner.run(main(signals))
"""
LOOPS = {"asyncio": "None", "uvloop": "__import__('uvloop').new_event_loop"}


@pytest.fixture(params=list(LOOPS))
def program(request: pytest.FixtureRequest) -> list[str]:
    return [sys.executable, "-c", WATCH.replace("LOOP", LOOPS[request.param])]


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("number", "reason", "again"),
    [
        (signal.SIGINT, "Ctrl-C", "Ctrl-C again"),
        (signal.SIGTERM, "SIGTERM", "a second SIGTERM"),
        (signal.SIGHUP, "SIGHUP", "a second SIGHUP"),
    ],
)
def test_the_first_signal_asks_to_stop_and_says_what_a_second_would_do(
    program: list[str], number: signal.Signals, reason: str, again: str, tmp_path: Path
) -> None:
    with started([*program, "drain"], cwd=tmp_path) as process:
        assert next_line(process) == "ready"

        process.send_signal(number)
        out, err = process.communicate()

    assert out == f"stop for {reason}\ndrained\n"
    assert f"10 s at most; {again} ends it at once" in err
    assert process.returncode == 0


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_at_once_even_if_the_loop_hangs(
    program: list[str], second: signal.Signals, code: int, tmp_path: Path
) -> None:
    with started([*program, "hang"], cwd=tmp_path) as process:
        assert next_line(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert next_line(process) == "stop for SIGTERM"

        while process.poll() is None:  # signals within an instant are one, so keep on asking
            process.send_signal(second)
            wait_a_little(process)

        assert process.returncode == code
        assert process.stderr is not None
        assert "ended at once; what was committed is safe" in process.stderr.read()


def test_a_signal_before_the_crawl_began_ends_at_once(program: list[str], tmp_path: Path) -> None:
    with started([*program, "early"], cwd=tmp_path) as process:
        assert next_line(process) == "ready"

        process.send_signal(signal.SIGINT)
        _, err = process.communicate()

    assert process.returncode == 130
    assert "ended before the crawl began" in err


def test_signals_that_the_parent_has_set_to_be_ignored_stay_ignored(program: list[str], tmp_path: Path) -> None:
    shell = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *program, "drain"]
    with started(shell, cwd=tmp_path) as process:
        assert next_line(process) == "ready"

        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()

    assert out == "stop for SIGTERM\ndrained\n"


def wait_a_little(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(2 * ONE_SIGNAL)
    except subprocess.TimeoutExpired:
        return
