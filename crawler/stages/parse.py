"""PROCESS: Fetched → Parsed, as the loop sees it; what happens over there is in ``parse_worker.py``."""

from __future__ import annotations

from crawler.core.ledger import Stage
from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Parsed
from crawler.executors import Processes
from crawler.stages.parse_worker import Result, Task, parsed_of, task_of
from crawler.worker import Casualty, Death

_OVERHEAD = 4096
"""Bytes a task weighs besides its body."""
_OUTCOMES = {
    Death.CRASH: Outcome.PARSE_CRASH,
    Death.TIMEOUT: Outcome.PARSE_TIMEOUT,
    Death.MEMORY: Outcome.PARSE_MEMORY,
}


class Parse:
    """Read answers in worker processes, in batches."""

    def __init__(self, processes: Processes[Task, Result], stage: Stage) -> None:
        self._processes = processes
        self._stage = stage

    @property
    def bytes_waiting(self) -> int:
        """Bytes of the answers that wait for a worker."""
        return self._processes.bytes_waiting

    async def __call__(self, fetched: Fetched) -> Parsed:
        """Read one answer; a page that kills its worker gets the outcome that says so."""
        result, cost = await self._processes(task_of(fetched), len(fetched.body) + _OVERHEAD)
        self._stage.add(cost.queued / 1e9, cost.ran / 1e9, cost.cpu / 1e9)
        if isinstance(result, Casualty):
            return Parsed(_OUTCOMES[result.death], result.detail)
        return parsed_of(result)
