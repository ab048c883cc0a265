from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crawler.errors import WorkersLost
from crawler.executors import Batches, Processes, Threads
from crawler.worker import Casualty, Death, WorkerRules
from tests import calls

RULES = WorkerRules(call=calls.call, prepare=calls.prepare, options="told", timeout=0.5, memory=1 << 30)


class Workers:
    """A few workers, ended with the test."""

    def __init__(self, count: int = 1, rules: WorkerRules = RULES) -> None:
        self.processes: Processes[tuple[str, object], object] = Processes(rules, count)

    async def __aenter__(self) -> Processes[tuple[str, object], object]:
        self.processes.start()
        return self.processes

    async def __aexit__(self, *_: object) -> None:
        await self.processes.close()


async def results(processes: Processes[tuple[str, object], object], *tasks: tuple[str, object]) -> list[object]:
    return [result for result, _ in await asyncio.gather(*(processes(task) for task in tasks))]


class Held:
    """Runs batches, none of which ends before the gate opens, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, batch: list[int]) -> list[int]:
        self.seen.append(batch)
        await self.gate.wait()
        return batch


async def test_a_batch_takes_everything_that_waits_up_to_its_bound() -> None:
    runner = Held()
    batches: Batches[int, int] = Batches(runner, runners=1, most=3, most_bytes=100)
    first = asyncio.create_task(batches(0))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(batches(n)) for n in range(1, 6)]
    await asyncio.sleep(0)
    runner.gate.set()
    await asyncio.gather(first, *rest)

    assert runner.seen == [[0], [1, 2, 3], [4, 5]]


async def test_a_batch_keeps_its_bound_in_bytes_but_a_large_task_goes_alone() -> None:
    seen: list[list[int]] = []

    async def run(batch: list[int]) -> list[int]:
        seen.append(batch)
        return batch

    batches: Batches[int, int] = Batches(run, runners=1, most=9, most_bytes=100)
    await asyncio.gather(*(batches(size, size) for size in (60, 50, 500, 10)))

    assert seen == [[60], [50], [500], [10]]
    assert batches.bytes_waiting == 0


async def test_a_task_that_comes_in_the_very_moment_in_which_a_runner_ends_is_run() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(tasks: list[int]) -> list[int]:
        await gate
        return tasks

    async def latecomer() -> int:
        await gate
        return (await batches(2))[0]

    batches: Batches[int, int] = Batches(run, runners=1, most=9, most_bytes=9)
    first = asyncio.create_task(batches(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # now the runner waits at the gate, and is woken first
    second = asyncio.create_task(latecomer())
    await asyncio.sleep(0)

    gate.set_result(None)

    async with asyncio.timeout(5):
        assert ((await first)[0], await second) == (1, 2)


async def test_the_error_of_a_batch_is_the_error_of_each_of_its_tasks() -> None:
    async def run(batch: list[int]) -> list[int]:
        raise ValueError(str(batch))

    batches: Batches[int, int] = Batches(run, runners=1, most=9, most_bytes=100)

    outcomes = await asyncio.gather(batches(1), batches(2), return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == ["[1, 2]", "[1, 2]"]


async def test_a_task_whose_caller_has_gone_is_left_out() -> None:
    runner = Held()
    batches: Batches[int, int] = Batches(runner, runners=1, most=9, most_bytes=100)
    first = asyncio.create_task(batches(1))
    await asyncio.sleep(0)
    gone, kept = asyncio.create_task(batches(2)), asyncio.create_task(batches(3))
    await asyncio.sleep(0)
    gone.cancel()
    runner.gate.set()
    await asyncio.gather(first, kept)

    assert runner.seen == [[1], [3]]


async def test_work_in_threads_runs_elsewhere_and_tells_what_it_cost() -> None:
    threads = Threads("test", 1)
    try:
        name, cost = await threads.measured(lambda: threading.current_thread().name)
    finally:
        threads.close()

    assert name.startswith("crawler-test")
    assert cost.queued >= 0
    assert cost.ran > 0


async def test_a_worker_is_told_its_options_once_and_answers_in_order() -> None:
    async with Workers() as processes:
        assert await results(processes, ("options", 0), ("echo", 1), ("echo", 2)) == ["told", 1, 2]


@pytest.mark.parametrize(
    ("task", "death"),
    [
        (("die", "SIGKILL"), Death.CRASH),
        (("die", "SIGSEGV"), Death.CRASH),
        (("exit", 3), Death.CRASH),
        (("loop", None), Death.TIMEOUT),
        (("wait", None), Death.TIMEOUT),
        (("hog", 1 << 32), Death.MEMORY),
        (("raise", "oops"), Death.CRASH),
        (("unpicklable", 0), Death.CRASH),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_a_task_that_ruins_its_worker_costs_itself_alone(task: tuple[str, object], death: Death) -> None:
    healthy = [("echo", n) for n in range(12)]
    async with Workers(2) as processes:
        ruined, *others = await results(processes, task, *healthy)

    assert isinstance(ruined, Casualty)
    assert ruined.death is death
    assert ruined.detail
    assert others == list(range(12))


async def test_the_detail_names_the_signal() -> None:
    async with Workers() as processes:
        (ruined,) = await results(processes, ("die", "SIGSEGV"))

    assert isinstance(ruined, Casualty)
    assert "SIGSEGV" in ruined.detail


async def test_workers_that_cannot_start_end_in_an_error_not_in_a_loop() -> None:
    rules = WorkerRules(call=calls.call, prepare=calls.prepare_badly, options=None)
    async with Workers(1, rules) as processes:
        with pytest.raises(WorkersLost, match="before they are ready"):
            await processes(("echo", 1))


async def test_closing_ends_workers_in_the_middle_of_their_work() -> None:
    rules = WorkerRules(call=calls.call, prepare=calls.prepare, options=None)
    async with Workers(2, rules) as processes:
        busy = [asyncio.create_task(processes(("loop", None))) for _ in range(2)]
        await asyncio.sleep(0)

    assert all(isinstance(outcome, BaseException) for outcome in await asyncio.gather(*busy, return_exceptions=True))


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\n"
        "from crawler.executors import Processes\n"
        "from crawler.worker import WorkerRules\n"
        "from tests import calls\n"
        "print('once')\n"
        "async def main():\n"
        "    workers = Processes(WorkerRules(calls.call, calls.prepare, None), 2)\n"
        "    workers.start()\n"
        "    print((await workers(('echo', 'answered')))[0])\n"
        "    await workers.close()\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    root = Path(__file__).parent.parent
    ended = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.stdout, ended.stderr, ended.returncode) == ("once\nanswered\n", "", 0)
