"""THREAD: the body as a file below ``mirror/``, written before the commit that names it."""

from __future__ import annotations

from crawler.core.ledger import Stage
from crawler.core.mirror_name import mirror_name
from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Parsed
from crawler.executors import Threads
from crawler.storage.mirror import Mirror


class WriteMirror:
    """Write the bodies of pages that were fetched well, decoded, through a few threads."""

    def __init__(self, mirror: Mirror, threads: Threads, stage: Stage) -> None:
        self._mirror = mirror
        self._threads = threads
        self._stage = stage

    async def __call__(self, fetched: Fetched, parsed: Parsed) -> str:
        """Write the body; return the file's name, empty where there is nothing to write."""
        if fetched.outcome is not None or fetched.truncated or parsed.outcome is not Outcome.OK:
            return ""  # what could not be decoded is not the page
        source = fetched.source
        name = mirror_name(source.url, parsed.mime)
        body = fetched.body if parsed.decoded is None else parsed.decoded
        self._stage.enter()
        _, cost = await self._threads.measured(self._mirror.write, name, body, source.id)
        self._stage.leave(cost.queued / 1e9, cost.ran / 1e9, cost.cpu / 1e9)
        return name
