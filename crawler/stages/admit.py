"""LOOP: the leave to fetch a URL, and what the answer means for its host and for the URL itself.

The only place that changes a host's standing: its robots.txt, its holds, and that it is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from crawler.config import Fetch, Politeness
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched
from crawler.core.retry import retry_at
from crawler.core.robots import Robots, RobotsVerdict, judge_answer
from crawler.storage.frontier import StoredHost
from crawler.storage.journal import Robots as StoredRobots

HOST_PATIENCE = 10
"""Failures in a row, each after a longer pause, after which a host that does not answer is given up for this run."""

_MOST_SPARED = 5
"""Requests for one URL in a row that may meet a connection which the server has closed, before they count."""

_HOST_FAILS = frozenset(
    {
        Outcome.CONNECT_REFUSED,
        Outcome.CONNECT_TIMEOUT,
        Outcome.CONNECT_UNREACHABLE,
        Outcome.CONNECT_FAILED,
        Outcome.DNS_FAILED,
        Outcome.DNS_NXDOMAIN,
        Outcome.DNS_TIMEOUT,
        Outcome.PROXY_FAILED,
        Outcome.TLS_TIMEOUT,
        Outcome.HEAD_TIMEOUT,
    }
)
"""Failures that speak of the host, not of the page."""
_HOST_ASKS = frozenset({Outcome.HTTP_RATE_LIMITED, Outcome.HTTP_UNAVAILABLE})
"""Answers by which a host asks to be left alone for a while."""


class Fate(Struct, frozen=True):
    """What is to become of a URL after a fetch."""

    again: CrawlURL | None = None
    """The URL as it is to be tried again; None if this was its last attempt."""
    hold_until: float = 0.0
    """Unix seconds until which its host is left alone; 0.0 if it need not be."""


class Admit:
    """The leave to fetch, host by host.

    Args:
        queues: the hosts in memory.
        politeness: its settings.
        fetch: attempts and pauses.
        now: Unix seconds, by a clock that is never set back.
        jitter: a random number in 0..1 at each call.
        sitemaps: whether those that robots.txt names are followed.
    """

    def __init__(
        self,
        queues: HostQueues,
        politeness: Politeness,
        fetch: Fetch,
        *,
        now: Callable[[], float],
        jitter: Callable[[], float],
        sitemaps: bool = False,
    ) -> None:
        self._queues = queues
        self._politeness = politeness
        self._fetch = fetch
        self._now = now
        self._jitter = jitter
        self._sitemaps = sitemaps
        self.agent = fetch.user_agent
        self._spared: dict[int, int] = {}
        """URLs whose requests met connections that the server had closed, and how many did."""

    def __call__(self, source: CrawlURL) -> Fetched | None:
        """Return None if ``source`` may be fetched; else how it ends, and its host is free again."""
        queue = self._queues.hosts[source.host]
        refusal = queue.refusal
        if refusal is None and queue.rules is not None and not queue.rules.admits(source.url):
            refusal = (Outcome.ROBOTS_DENIED, "")
        if refusal is None:
            return None
        now = self._now()
        self._queues.done(source, now, sent=False)
        return Fetched(source, now, 0.0, refusal[0], refusal[1])

    def open(self, stored: StoredHost) -> None:
        """Bring a host into memory as it was stored.

        An earlier run may have asked it a moment ago, so its delay begins now.
        """
        now = self._now()
        queue = HostQueue(stored.key, self._politeness.delay, trusted=stored.trusted, next_at=stored.next_at)
        self._queues.open(queue, stored.urls, stored.queued, now)
        until = min(stored.robots_until, now + self._politeness.robots_ttl)  # the clock may have been set back
        if until > now and self._politeness.robots == "obey":
            self.obey(stored.key, stored.robots, until)
        if stored.asked:
            self._queues.hold(stored.key, now + queue.delay, now)

    def host(self, source: CrawlURL) -> HostQueue:
        """Return what is known of the URL's host."""
        return self._queues.hosts[source.host]

    def has_place(self, source: CrawlURL, address: str) -> bool:
        """Tell whether there is a place at its host's IP address; if there is none, its turn is taken back."""
        now = self._now()
        self._queues.located(source.host, address, now)
        if not self._queues.crowded(source.host):
            return True
        self._queues.give_back(source, now)
        return False

    def sent(self, source: CrawlURL) -> None:
        """Start the host's delay: a request to it goes out now.

        The delay counts from the loop's next turn. What is written in this one may leave only at its end, behind the
        work of all other fetches (uvloop gathers writes), and the next request, in a quiet moment, at once:
        the server would see a gap under the delay.
        """
        asyncio.get_running_loop().call_soon(self._written, source.host)

    def _written(self, host: str) -> None:
        if host in self._queues.hosts:  # it may have failed meanwhile, and been let go of
            self._queues.sent(host, self._now())

    def judge(self, fetched: Fetched) -> Fate:
        """Free the host after a fetch, and decide whether URL and host are tried again, and when."""
        source, now = fetched.source, self._now()
        queue = self._queues.hosts[source.host]
        if fetched.address:
            self._queues.located(source.host, fetched.address, now)
        if fetched.answered:
            queue.ease.see(fetched.timings.first_byte, queue.in_flight)
        self._queues.done(source, now, sent=bool(fetched.sent_at))
        hold = self._hold(queue, fetched, now) if self._troubles(queue, fetched, now) else 0.0
        if fetched.outcome is None:
            self._spared.pop(source.id, None)
            return Fate()
        spared = self._spared.get(source.id, 0)
        if fetched.outcome is Outcome.DISCONNECTED and fetched.timings.reused and spared < _MOST_SPARED:
            # The server had closed a connection that we kept, so no attempt was made.
            # Not without end: a server that hangs up on the same URL every time must not keep us for ever.
            self._spared[source.id] = spared + 1
            return Fate(replace(source, attempts=source.attempts - 1, due=now))
        at = self._next_attempt(fetched.outcome, source.attempts, fetched.retry_after)
        if at is None:
            self._spared.pop(source.id, None)
            return Fate(hold_until=hold)
        return Fate(replace(source, due=at), hold)

    def again(self, source: CrawlURL) -> None:
        """Let a URL come up for its next attempt."""
        self._queues.retry(source, self._now())

    def _next_attempt(self, outcome: Outcome, attempts: int, retry_after: float | None) -> float | None:
        jitter = self._jitter()
        return retry_at(outcome, attempts, self._now(), limits=self._fetch, retry_after=retry_after, jitter=jitter)

    def _troubles(self, queue: HostQueue, fetched: Fetched, now: float) -> bool:
        """Tell whether the answer speaks of its host, which must then be left alone."""
        if fetched.outcome in _HOST_ASKS:
            queue.rate_limited += 1
        elif fetched.outcome not in _HOST_FAILS:
            queue.failures = 0
            return bool(fetched.retry_after)
        # Several requests in flight that fail together are one failure of the host.
        queue.failures += now >= queue.held_until
        return True

    def _hold(self, queue: HostQueue, fetched: Fetched, now: float) -> float:
        """Leave a host in trouble alone, longer each time, and give it up when it does not come back."""
        if queue.failures >= HOST_PATIENCE and fetched.outcome in _HOST_FAILS:
            refusal = (fetched.outcome, f"no answer {queue.failures} times in a row")
            self._queues.give_up(queue.key, refusal, now)
            return 0.0
        doubled = self._fetch.backoff * 2.0 ** min(queue.failures - 1, 32) if queue.failures else 0.0
        until = now + max(fetched.retry_after or 0.0, min(doubled, self._fetch.max_backoff))
        self._queues.hold(queue.key, max(until, queue.held_until), now)
        return until

    # robots.txt

    def take_robots(self, source: CrawlURL, fetched: Fetched) -> StoredRobots | None:
        """Take the answer to a robots.txt request into account.

        Returns:
            What to store, or None where it cannot be had: then it is asked for again later, and after
            the usual attempts every URL of the host ends with the reason.
        """
        now = self._now()
        queue = self._queues.hosts[source.host]
        self._queues.done(source, now, sent=bool(fetched.sent_at))
        verdict = judge_answer(fetched.status) if fetched.status else RobotsVerdict.UNREACHABLE
        if verdict is RobotsVerdict.UNREACHABLE:
            self._without_robots(queue, fetched, now)
            return None
        body = fetched.body if verdict is RobotsVerdict.PARSE else None
        until = now + self._politeness.robots_ttl
        queue.robots_attempts = 0
        rules = self.obey(queue.key, body, until)
        return StoredRobots(queue.key, body, fetched.status, until, rules.sitemaps if self._sitemaps else ())

    def obey(self, host: str, body: bytes | None, until: float) -> Robots:
        """Go by a robots.txt, fetched now or kept from before; None is one that allows everything."""
        rules = Robots.allow_all() if body is None else Robots.parse(body, self.agent)
        delay = min(rules.crawl_delay or 0.0, self._politeness.max_crawl_delay)
        self._queues.hosts[host].has_robots = body is not None
        self._queues.obey(host, rules, delay=delay, until=until, now=self._now())
        return rules

    def _without_robots(self, queue: HostQueue, fetched: Fetched, now: float) -> None:
        queue.robots_attempts += 1
        attempts = queue.robots_attempts
        outcome = fetched.outcome or Outcome.ROBOTS_UNREACHABLE
        again = self._next_attempt(outcome, attempts, fetched.retry_after)
        if again is not None:
            self._queues.hold(queue.key, again, now)
            return
        if fetched.status:
            refusal = (Outcome.ROBOTS_UNREACHABLE, f"robots.txt: {fetched.status} to {attempts} attempts")
        else:
            refusal = (outcome, f"robots.txt: {fetched.detail or outcome.meaning}, {attempts} attempts")
        self._queues.give_up(queue.key, refusal, now)
