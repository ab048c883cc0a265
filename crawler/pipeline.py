"""One page, in a straight line, from its turn to its commit.

The ``await`` lines name the places: what waits runs on the loop, what computes in a process, what blocks in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Protocol

from msgspec.structs import replace

from crawler.core.ledger import Ledger
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Page, Parsed
from crawler.net.room import Room
from crawler.stages.admit import Admit, Fate
from crawler.stages.compare import Compare
from crawler.stages.fetch import Fetcher
from crawler.stages.robots import fetch_robots
from crawler.storage.attempt import Attempt
from crawler.storage.journal import Robots

_RATE_LIMITED = (429, 503)


class Locator(Protocol):
    """LOOP: URL → IP address."""

    async def __call__(self, url: str) -> str:
        """Look up the address of a URL's host; never raise."""


class Parser(Protocol):
    """PROCESS: Fetched → Parsed, in batches."""

    @property
    def bytes_waiting(self) -> int:
        """Bytes that wait for their batch."""

    async def __call__(self, fetched: Fetched) -> Parsed:
        """Read an answer."""


class Replay(Protocol):
    """THREAD: CrawlURL → Fetched, where an earlier archive has the answer."""

    async def __call__(self, source: CrawlURL) -> Fetched | None:
        """Look for an archived answer."""


class Mirror(Protocol):
    """THREAD: the body as a file."""

    async def __call__(self, fetched: Fetched, parsed: Parsed) -> str:
        """Write the body; return the file's name."""


class Committer(Protocol):
    """THREAD: Attempt → Page, in batches, one transaction each."""

    @property
    def bytes_waiting(self) -> int:
        """Bytes that wait for their batch."""

    async def __call__(self, attempt: Attempt, size: int) -> Page | None:
        """Make an attempt durable."""

    async def keep_robots(self, robots: Robots) -> None:
        """Make a robots.txt durable."""


class Pipeline:
    """The stages, put together.

    Args:
        admit: may it be fetched, and what does its answer mean.
        fetch: one request, one answer.
        parse: what is in the answer.
        mirror: the body as a file; None if nobody asked for it.
        compare: what became of the page, and when it is due again.
        commit: record, outcome and outlinks become durable together.
        ledger: what it all cost.
        room: where bodies are counted.
        locate: the IP address of a URL's host, empty if it cannot be had; None if it need not be known.
        replay: answers from an earlier archive; None if there is none.
    """

    def __init__(  # noqa: PLR0913  the stages, all by name
        self,
        *,
        admit: Admit,
        fetch: Fetcher,
        parse: Parser,
        mirror: Mirror | None,
        compare: Compare,
        commit: Committer,
        ledger: Ledger,
        room: Room,
        locate: Locator | None = None,
        replay: Replay | None = None,
    ) -> None:
        self.admit = admit
        self.parse = parse
        self.mirror = mirror
        self.compare = compare
        self.commit = commit
        self.ledger = ledger
        self._fetch = fetch
        self._locate = locate
        self._replay = replay
        self.room = room

    async def page(self, source: CrawlURL, freed: Callable[[], None]) -> Page | None:
        """Take one URL from its turn to its commit; None if it is to be tried again.

        ``freed`` is called when its fetch has ended, so that another may begin.
        """
        earlier = await self._replay(source) if self._replay else None  # THREAD
        refused = None if earlier else self.admit(source)
        if not (earlier or refused or await self._placed(source)):  # LOOP
            freed()
            return None
        fetched = earlier or refused or await self.fetch(source)  # LOOP
        freed()
        self.room.held += len(fetched.body)
        try:
            return await self._land(fetched, Fate() if refused else self.admit.judge(fetched))
        finally:
            self.room.left(len(fetched.body))

    async def _land(self, fetched: Fetched, fate: Fate) -> Page | None:
        """Take a URL that was fetched to its commit."""
        if fate.again is not None:
            await self.commit(_postponed(fetched, fate), 0)  # THREAD, batched
            self.admit.again(fate.again)
            return None
        parsed = await self.parse(fetched) if fetched.answered else None  # PROCESS, batched
        mirror = await self.mirror(fetched, parsed) if self.mirror and parsed else ""  # THREAD
        outcome, detail = _ending(fetched, parsed)
        seen = self.compare(fetched, parsed, outcome)
        attempt = Attempt(
            fetched,
            seen.parsed,
            seen.outcome,
            detail,
            hold_until=fate.hold_until,
            mirror=mirror,
            change=seen.change,
            standing=seen.standing,
        )
        return await self.commit(attempt, len(fetched.body) + (parsed.extract_size if parsed else 0))  # THREAD, batched

    async def robots(self, source: CrawlURL, freed: Callable[[], None]) -> None:
        """Ask a host for its robots.txt, and go by it."""
        if not await self._placed(source):
            freed()
            return
        host = self.admit.host(source)
        sent = partial(self.admit.sent, source)
        answer = await fetch_robots(self._ask, source, trusted=host.trusted, delay=host.delay, sent=sent)
        freed()
        robots = self.admit.take_robots(source, answer)
        if robots is not None:
            await self.commit.keep_robots(robots)

    async def _placed(self, source: CrawlURL) -> bool:
        """Find out where a host is, before its first request; False if nothing more may be asked there now."""
        if self._locate is None or self.admit.host(source).address is not None:
            return True
        began = perf_counter()
        address = await self._locate(source.url)
        self.ledger.requests.dns += perf_counter() - began
        return not address or self.admit.has_place(source, address)

    @property
    def bytes_waiting(self) -> int:
        """Bytes of bodies that wait for a process or for the journal."""
        return self.parse.bytes_waiting + self.commit.bytes_waiting

    async def fetch(self, source: CrawlURL) -> Fetched:
        """Ask for one URL; its host's delay begins when the request goes out."""
        attempt = replace(source, attempts=source.attempts + 1)
        sent = partial(self.admit.sent, source)
        fetched = await self._ask(attempt, trusted=self.admit.host(source).trusted, sent=sent)
        self._count(fetched)
        return fetched

    async def _ask(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        """Make one request, for a page or for a robots.txt, and count it."""
        fetched = await self._fetch(source, trusted=trusted, sent=sent)
        if fetched.sent_at:
            tls, limited = source.url.startswith("https:"), fetched.status in _RATE_LIMITED
            self.ledger.requests.add(fetched.timings, tls=tls, answered=fetched.status > 0, rate_limited=limited)
        return fetched

    def _count(self, fetched: Fetched) -> None:
        timings = fetched.timings
        if fetched.sent_at and not timings.reused:
            self.ledger.connect.add(timings.dns, timings.connect)
        if fetched.answered:
            self.ledger.fetch.add(timings.first_byte, timings.body)
            self.ledger.latency.add(timings.first_byte + timings.body)


def _postponed(fetched: Fetched, fate: Fate) -> Attempt:
    outcome = fetched.outcome or Outcome.FETCH_FAILED
    return Attempt(fetched, None, outcome, fetched.detail, again=fate.again, hold_until=fate.hold_until)


def _ending(fetched: Fetched, parsed: Parsed | None) -> tuple[Outcome, str]:
    """Say how the URL ended: by what the fetch says, and if that went well, by what the parse says."""
    if fetched.outcome is not None:
        return fetched.outcome, fetched.detail
    if parsed is not None:
        if parsed.outcome is Outcome.OK and parsed.extract_failure:
            return Outcome.EXTRACT_FAILED, parsed.extract_failure
        return parsed.outcome, parsed.detail
    return Outcome.FETCH_FAILED, "no answer"
