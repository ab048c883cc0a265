from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests import leftovers
from tests.leftovers import Belongings, reap

WAITS = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE", 0.05)


def test_a_process_that_stays_is_named_and_ended() -> None:
    before = Belongings.now()
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)

    left = reap(before)
    process.communicate()

    assert len(left) == 1
    assert f"process {process.pid}" in left[0]
    assert process.returncode == -9


def test_a_thread_that_stays_is_named() -> None:
    before = Belongings.now()
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait, name="loiterer")
    thread.start()

    left = reap(before)
    leave.set()
    thread.join()

    assert left == ["thread loiterer"]


def test_what_has_ended_is_not_named() -> None:
    before = Belongings.now()
    thread = threading.Thread(target=str)
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", ""], check=True)

    left = reap(before)

    assert left == []


def test_a_pool_is_named_while_it_works_and_its_fork_server_never() -> None:
    before = Belongings.now()
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        worker = pool.submit(int).result(30) or next(iter(pool._processes))
        working = {process.pid for process in Belongings.now().processes - before.processes}

    left = reap(before)

    assert working == {worker}
    assert left == []
