"""LOOP: CrawlURL → Fetched. One request, one answer; whatever goes wrong has a name.

Three deadlines follow one another: to the connection, to the complete header, and to the end of the body,
where the time in total and the lowest rate both count. The body is kept as it came, content coding and all.

Here is the seam at which a client is put in, and what is made of an answer, whichever client brought it.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from typing import Protocol

from crawler.config import Fetch
from crawler.core.headers import Headers, is_whole, retry_after
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind, Timings
from crawler.core.redirect import follow, outcome_of
from crawler.core.text import printable
from crawler.net.exchange import Exchange
from crawler.net.failures import failure, too_late
from crawler.net.room import FREE, LargeBody, Room

MAX_ROBOTS = 512 * 1024
"""Bytes of a robots.txt that count; RFC 9309 §2.5 asks for 500 KiB at least."""

_PARTIAL = 206
_asks_for_a_pause = re.compile(rb"\nretry-after[ \t]*:", re.IGNORECASE).search


class Fetcher(Protocol):
    """Fetches one URL."""

    async def __call__(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        """Fetch ``source``; never raise for what a server or the network does.

        Args:
            source: what to fetch.
            trusted: whether a seed names its host, so that its address may be private.
            sent: to be called once, at the moment the request goes out; ``Fetched.sent_at`` is then not 0.0.
        """


class Answer:
    """What is known of an answer so far; the :class:`Fetched` is made of it once, at the end.

    Args:
        source: what was asked for.
        exchange: the request on its way.
        room: where a large body is counted while it comes.
        max_retry_after: seconds; a longer Retry-After is cut to this.
    """

    __slots__ = (
        "_chunks",
        "_exchange",
        "_large",
        "_max_retry_after",
        "_most",
        "_room",
        "_size",
        "_start",
        "detail",
        "head",
        "location",
        "outcome",
        "request",
        "retry_after",
        "source",
        "status",
        "truncated",
    )

    def __init__(self, source: CrawlURL, exchange: Exchange, room: Room, *, max_retry_after: float) -> None:
        self.source = source
        self._exchange = exchange
        self._room = room
        self._large: LargeBody | None = None
        self._max_retry_after = max_retry_after
        # Of a robots.txt the beginning is of use even where all of it would be too much.
        self._most = MAX_ROBOTS if source.kind is Kind.ROBOTS else exchange.settings.max_body
        self._chunks: list[bytes] = []
        self._size = 0
        self._start = 0.0
        self.outcome: Outcome | None = None
        self.detail = ""
        self.status = 0
        self.request = b""
        self.head = b""
        self.truncated = ""
        self.location = ""
        self.retry_after: float | None = None

    def headed(self, now: float, status: int, reason: str, head: bytes) -> None:
        """Take the header of the answer, which is complete at loop time ``now``."""
        self._exchange.headed = now
        self.status, self.head = status, head
        self.outcome = outcome_of(status)
        if status == _PARTIAL and not is_whole(Headers(head).get("content-range")):
            self.outcome = Outcome.HTTP_UNEXPECTED
        if self.outcome is Outcome.REDIRECT and self.source.kind is not Kind.ROBOTS:
            target, limit = Headers(head).get("location"), self._exchange.settings.redirects
            self.outcome, self.location, detail = follow(self.source, target, limit=limit)
            self.detail = printable(detail)
        elif self.outcome is not None:
            self.detail = printable(f"{status} {reason}".rstrip())
        if _asks_for_a_pause(head) and (wait := Headers(head).get("retry-after")) is not None:
            self.retry_after = retry_after(wait, time.time(), limit=self._max_retry_after)

    def refuses(self, announced: int) -> bool:
        """Tell whether a body of so many bytes is not even begun to be read."""
        if announced <= self._most or self.source.kind is Kind.ROBOTS:
            return False
        self.cut("length", Outcome.TOO_LARGE, f"{announced} bytes announced")
        return True

    def take(self, chunk: bytes) -> bool:
        """Take a piece of the body; return whether more of it is wanted."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > FREE:
            self._large = self._large or LargeBody(self._exchange, self._room)
            self._large.grown(self._size)
        if self._size <= self._most:
            return True
        self._chunks = [b"".join(self._chunks)[: self._most]]
        self.cut("length", Outcome.TOO_LARGE, f"more than {self._most} bytes")
        return False

    def expect_more(self, now: float) -> None:
        """Set the deadline for what is still to come of the body, which began to come at the first such call."""
        exchange, settings, large = self._exchange, self._exchange.settings, self._large
        if large is not None and large.held:
            return  # this was read ahead
        self._start = self._start or now
        rate, patience = settings.lowest_rate, settings.lowest_rate_after
        began = self._start if large is None else self._start + large.waited
        exchange.within(began, max(patience, self._size / rate) if rate else inf)
        if large is not None:
            large.reads_on()

    def ended(self) -> None:
        """Take note that no more of it comes, whatever the reason."""
        if self._large is not None:
            self._large.ended()

    def cut(self, truncated: str, outcome: Outcome, detail: str) -> None:
        """Take note that the body is not whole; what the status says already is the better outcome."""
        self.truncated = truncated
        if self.outcome is None:
            self.outcome, self.detail = outcome, detail

    def failed(self, outcome: Outcome, detail: str) -> None:
        """Take note that the answer broke off."""
        broken = "length" if outcome is Outcome.TOO_LARGE else "disconnect"
        self.cut(broken if self._exchange.headed else "", outcome, printable(detail))

    def late(self) -> None:
        """Take note that the time is up."""
        late = too_late(self._exchange, tls=self.source.url.startswith("https:"))
        self.cut("time" if self._exchange.headed else "", late, "")

    def fetched(self, began_at: float, ended: float) -> Fetched:
        """Return the whole as a record; the fetch began at Unix time ``began_at`` and ended at loop time ``ended``."""
        exchange = self._exchange
        headed = exchange.headed or ended
        timings = Timings(
            dns=exchange.dns,
            connect=exchange.connect,
            first_byte=headed - exchange.sent if exchange.sent else 0.0,
            body=ended - headed - (self._large.waited if self._large is not None else 0.0),
            reused=not exchange.fresh,
        )
        return Fetched(
            self.source,
            began_at,
            exchange.sent_at,
            self.outcome,
            self.detail,
            self.status,
            self.request,
            self.head,
            self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks),
            self.truncated,
            exchange.address if self.head else "",
            self.location,
            self.retry_after,
            timings,
        )


class ByClient(ABC):
    """Fetch by an HTTP client: what is the same whichever it is; a :class:`Fetcher`.

    Args:
        settings: deadlines and caps.
        room: where large bodies are counted while they come.
        max_retry_after: seconds; a longer Retry-After is cut to this.
    """

    def __init__(self, settings: Fetch, room: Room, *, max_retry_after: float) -> None:
        self._settings = settings
        self._room = room
        self._max_retry_after = max_retry_after
        self._clock: Callable[[], float] = asyncio.get_running_loop().time

    async def __call__(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        """Fetch ``source``; see :class:`Fetcher`."""
        began_at, began = time.time(), self._clock()
        settings = self._settings
        ends = began + settings.total_timeout
        deadline = asyncio.timeout_at(min(ends, began + settings.head_timeout))
        exchange = Exchange(trusted, settings, deadline, began, ends, sent)
        answer = Answer(source, exchange, self._room, max_retry_after=self._max_retry_after)
        try:
            async with deadline:
                await self._ask(source, exchange, answer)
        except TimeoutError:
            answer.late()
        except Exception as error:  # noqa: BLE001  whatever a server sends, it ends its own page and not the crawl
            answer.failed(*self._failure(error, exchange))
        finally:
            answer.ended()
        return answer.fetched(began_at, self._clock())

    @abstractmethod
    async def _ask(self, source: CrawlURL, exchange: Exchange, answer: Answer) -> None:
        """Make the request, and tell ``answer`` what comes; raise what goes wrong."""

    def _failure(self, error: Exception, exchange: Exchange) -> tuple[Outcome, str]:
        """Give what went wrong its name."""
        return failure(error, exchange)


def conditions(source: CrawlURL) -> dict[str, str]:
    """Return the headers that ask for a page only if it is not what it was (RFC 9110 §13.1).

    None where the earlier payload is not at hand, for then it is wanted whatever it is.
    """
    earlier = source.earlier
    if earlier.payload is None:
        return {}
    asked = (("If-None-Match", earlier.etag), ("If-Modified-Since", earlier.modified))
    return {name: value for name, value in asked if value}
