"""PROCESS: Fetched → Parsed, as the loop sees it; what happens over there is in ``parse_worker.py``.

What broke its worker goes through the quarantine, on a THREAD.
"""

from __future__ import annotations

from msgspec.structs import replace

from crawler.core.ledger import Ledger
from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Parsed
from crawler.executors import Processes
from crawler.stages.parse_journey import parsed_of, task_of
from crawler.stages.parse_worker import Result, Task
from crawler.stages.quarantine import BROKEN, KeepSample
from crawler.worker import Casualty, Death

_OVERHEAD = 4096
"""Bytes a task weighs besides its body."""
_OUTCOMES = {
    Death.CRASH: Outcome.PARSE_CRASH,
    Death.TIMEOUT: Outcome.PARSE_TIMEOUT,
    Death.MEMORY: Outcome.PARSE_MEMORY,
}


class Parse:
    """Read answers in worker processes, in batches.

    Args:
        processes: the workers.
        keep_sample: where answers go that broke their worker; None if they go nowhere.
        ledger: where the costs are counted.
        extracts: whether the workers call a function of the user.
    """

    def __init__(
        self, processes: Processes[Task, Result], keep_sample: KeepSample | None, ledger: Ledger, *, extracts: bool
    ) -> None:
        self._processes = processes
        self._keep_sample = keep_sample
        self._ledger = ledger
        self._extracts = extracts

    @property
    def bytes_waiting(self) -> int:
        """Bytes of the answers that wait for a worker."""
        return self._processes.bytes_waiting

    async def __call__(self, fetched: Fetched) -> Parsed:
        """Read one answer; a page that kills its worker gets the outcome that says so.

        Where it was the user's function that did, the page is read once more without it: its outlinks are not lost.
        """
        parsed = await self._parsed(fetched, extract=self._extracts)
        if self._extracts and parsed.outcome in BROKEN:
            again = await self._parsed(fetched, extract=False)
            if again.outcome not in BROKEN:
                return replace(again, extract_failure=f"{parsed.outcome.meaning}: {parsed.detail}")
        if self._keep_sample and parsed.outcome in BROKEN:
            return await self._keep_sample(fetched, parsed)
        return parsed

    async def _parsed(self, fetched: Fetched, *, extract: bool) -> Parsed:
        stage = self._ledger.parse
        stage.enter()
        result, cost = await self._processes(task_of(fetched, extract=extract), len(fetched.body) + _OVERHEAD)
        ran, cpu = cost.ran / 1e9, cost.cpu / 1e9
        if isinstance(result, Casualty):
            stage.leave(cost.queued / 1e9, ran, cpu)
            return Parsed(_OUTCOMES[result.death], result.detail)
        parsed = parsed_of(result)
        if theirs := parsed.extract_cost:
            ran, cpu = ran - theirs.ran / 1e9, cpu - theirs.cpu / 1e9
            self._ledger.extract.add(0.0, theirs.ran / 1e9, theirs.cpu / 1e9)
        stage.leave(cost.queued / 1e9, ran, cpu)
        return parsed
