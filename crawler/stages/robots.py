"""LOOP: a host's robots.txt, asked for before the first page (RFC 9309 §2.3).

Up to five redirects are followed, also to other hosts; each hop keeps the host's delay and passes the address guard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from crawler.core.decode import decode_body
from crawler.core.headers import Headers, content_codings
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched
from crawler.core.redirect import REDIRECTS, outcome_of
from crawler.core.url import normalise
from crawler.stages.fetch import MAX_ROBOTS, Fetcher

_HOPS = 5
_MOST_DECODED = 8 * 1024**2
"""More than counts: what is unpacked is cut, but cannot be cut while it is unpacked."""


async def fetch_robots(
    fetch: Fetcher, source: CrawlURL, *, trusted: bool, delay: float, sent: Callable[[], None]
) -> Fetched:
    """Return the final answer, its body decoded; more than five redirects count as 404 (RFC 9309 §2.3.1.2).

    Args:
        fetch: the fetcher.
        source: the host's ``/robots.txt``.
        trusted: whether a seed names the host.
        delay: seconds between two requests to it.
        sent: to be called when a request to it goes out.
    """
    answer = await fetch(source, trusted=trusted, sent=sent)
    first = answer
    for _ in range(_HOPS):
        if answer.status not in REDIRECTS:
            break
        try:
            target = normalise(Headers(answer.head).get("location") or "", answer.source.url)
        except ValueError:
            return replace(first, status=404, body=b"")
        at_home = target.startswith(f"{source.host}/")
        if at_home:
            await asyncio.sleep(delay)
        hop = replace(source, url=target)
        answer = await fetch(hop, trusted=trusted and at_home, sent=sent if at_home else _unheard)
    if answer.status in REDIRECTS:
        return replace(first, status=404, body=b"")
    return _decoded(replace(answer, source=source, sent_at=first.sent_at))


def _unheard() -> None:
    """Take no note of a request to another host than the one that is being asked."""


def _decoded(answer: Fetched) -> Fetched:
    too_large = answer.outcome is Outcome.TOO_LARGE
    if answer.status and answer.outcome and not too_large and outcome_of(answer.status) is None:
        return replace(answer, status=0)  # it began well, but its body never came
    codings = content_codings(Headers(answer.head).get("content-encoding") or "")
    decoded = decode_body(answer.body, codings, limit=_MOST_DECODED, max_ratio=1_000)
    if decoded.outcome is Outcome.DECOMPRESSED_TOO_LARGE:
        return replace(answer, status=0, outcome=decoded.outcome, detail=decoded.detail)
    # Rules that are plain text under a false label are rules all the same, and none would allow everything.
    return replace(answer, body=(decoded.body or answer.body)[:MAX_ROBOTS])
