"""PROCESS: Fetched → Parsed, as the loop sees it; what happens over there is in ``parse_worker.py``.

What broke its worker goes through the quarantine, on a THREAD.
"""

from __future__ import annotations

from crawler.core.ledger import Stage
from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Parsed
from crawler.executors import Processes
from crawler.stages.parse_worker import Result, Task, parsed_of, task_of
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
        keep_sample: where answers go that broke their worker.
        stage: where the costs are counted.
    """

    def __init__(self, processes: Processes[Task, Result], keep_sample: KeepSample, stage: Stage) -> None:
        self._processes = processes
        self._keep_sample = keep_sample
        self._stage = stage

    @property
    def bytes_waiting(self) -> int:
        """Bytes of the answers that wait for a worker."""
        return self._processes.bytes_waiting

    async def __call__(self, fetched: Fetched) -> Parsed:
        """Read one answer; a page that kills its worker gets the outcome that says so."""
        self._stage.enter()
        result, cost = await self._processes(task_of(fetched), len(fetched.body) + _OVERHEAD)
        self._stage.leave(cost.queued / 1e9, cost.ran / 1e9, cost.cpu / 1e9)
        if isinstance(result, Casualty):
            return await self._keep_sample(fetched, Parsed(_OUTCOMES[result.death], result.detail))
        parsed = parsed_of(result)
        return await self._keep_sample(fetched, parsed) if parsed.outcome in BROKEN else parsed
