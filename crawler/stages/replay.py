"""THREAD: CrawlURL → Fetched without a request, where the archive of a lost run has the answer.

Such an answer goes the way of every other: it is parsed, its outlinks become known, and it is archived anew.
So a state that is rebuilt is made by the very code that makes it in the first place.
"""

from __future__ import annotations

from msgspec.structs import replace

from crawler.core.headers import Headers
from crawler.core.outcomes import Outcome, Retry
from crawler.core.records import CrawlURL, Fetched
from crawler.core.redirect import follow, outcome_of
from crawler.core.text import printable
from crawler.executors import Threads
from crawler.storage.earlier import Answer, EarlierArchive


class Replay:
    """Answer from an earlier archive.

    Args:
        earlier: what it holds.
        thread: the one thread that reads it.
        redirects: in a row, at most.
    """

    def __init__(self, earlier: EarlierArchive, thread: Threads, *, redirects: int) -> None:
        self._earlier = earlier
        self._thread = thread
        self._redirects = redirects

    async def __call__(self, source: CrawlURL) -> Fetched | None:
        """Return the archived answer; None if there is none, or a new attempt may bring a better one."""
        if source.attempts:
            return None
        answer = await self._thread(self._earlier.answer, source.url)
        return None if answer is None else self._fetched(replace(source, attempts=1), answer)

    def _fetched(self, source: CrawlURL, answer: Answer) -> Fetched | None:
        headers = Headers(answer.head)
        outcome, location, detail = outcome_of(headers.status), "", ""
        if outcome is Outcome.REDIRECT:
            outcome, location, detail = follow(source, headers.get("location"), limit=self._redirects)
        elif outcome is not None:
            detail = str(headers.status)
        if answer.truncated == "length" and outcome is None:
            outcome, detail = Outcome.TOO_LARGE, f"more than {len(answer.body)} bytes"
        elif answer.truncated or (outcome is not None and outcome.retry is not Retry.NEVER):
            return None
        return Fetched(
            source,
            answer.began_at,
            0.0,
            outcome,
            printable(detail),
            status=headers.status,
            request=answer.request,
            head=answer.head,
            body=answer.body,
            truncated=answer.truncated,
            address=answer.address,
            location=location,
        )
