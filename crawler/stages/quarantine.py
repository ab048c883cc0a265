"""THREAD: what becomes of an answer that broke its parse worker: a sample of it, and its record all the same.

A worker that died brought nothing back, neither digest nor record. Both need no reading of the page, so they are made
here, in a thread: that a page cannot be parsed is no reason to lose it.
"""

from __future__ import annotations

from msgspec.structs import replace

from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Parsed
from crawler.executors import Threads
from crawler.stages.parse_journey import task_of
from crawler.stages.parse_worker import kept_of
from crawler.storage.quarantine import Quarantine

BROKEN = frozenset({Outcome.PARSE_CRASH, Outcome.PARSE_TIMEOUT, Outcome.PARSE_MEMORY})


class KeepSample:
    """Keep samples of answers that broke their worker.

    Args:
        quarantine: where they are kept.
        thread: the one thread that writes them.
        archive: whether answers are archived at all.
    """

    def __init__(self, quarantine: Quarantine, thread: Threads, *, archive: bool) -> None:
        self._quarantine = quarantine
        self._thread = thread
        self._archive = archive

    async def __call__(self, fetched: Fetched, parsed: Parsed) -> Parsed:
        """Return what was parsed, with digest, record, and the sample's name in the detail."""
        return await self._thread(self._keep, fetched, parsed)

    def _keep(self, fetched: Fetched, parsed: Parsed) -> Parsed:
        if not parsed.digest:
            kept = kept_of(task_of(fetched), archive=self._archive)
            parsed = replace(parsed, **kept._asdict(), size=len(fetched.body))
        sample = self._quarantine.keep(fetched.source.url, str(parsed.outcome), parsed.detail, fetched.body)
        return replace(parsed, detail=f"{parsed.detail}; sample in {sample}") if sample else parsed
