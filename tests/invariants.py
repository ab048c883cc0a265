"""The resumption invariant: what must hold after a crawl of a known web, however often it was killed.

I1   every 200 page of the closure is in the archive
I2   exactly once, ``response`` and ``revisit`` together
I3   every gzip member is whole and holds one whole record, for two readers
I4   nothing outside the closure is archived or even asked for; robots.txt is not archived
I5   the archived payload is the served payload
I6   at most (kills + 1) times the pages in flight are asked for again
I7   the page log and the archive agree both ways, and ``verify`` is happy
I8   robots.txt is asked for at most 1 + kills times per host
I9   no two requests to a host, robots.txt included, are closer than its delay, as the server sees it
I10  the set of (URL, payload digest) is that of an undisturbed crawl

A folder may be crawled in rounds. Then each of them is judged by its own edition of the web, with what it has added to
the folder; a page that the server calls unchanged is in the archive by the revisit that says so. One thing is added:

I11  the change log names each page that is not what it was in the round before, once, and no other

Each violation is a sentence that begins with the number of what it breaks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from crawler.testing.site import ROBOTS, Site
from tests.evidence import WELL, Evidence, Record
from tests.graph import Web

IN_FLIGHT = 32
"""Pages between request and commit that one crash may lose, unless told otherwise."""
CLOCK = 0.002
"""Seconds by which a gap may be misread: the clocks of crawler and kernel, and the way of a packet through loopback."""
SHOWN = 5
"""Violations of one kind that are spelled out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What a crawl was asked for and went through."""

    kills: int = 0
    delay: float = 0.0
    in_flight: int = IN_FLIGHT
    clock: float = CLOCK
    before: Evidence = field(default_factory=Evidence)
    """What the rounds before left, if there were any."""


def check(
    folder: Path, web: Web, ordeal: Ordeal, *, verify: Callable[[Path], int], evidence: Evidence | None = None
) -> list[str]:
    """Return the violations of I1 to I11 by a round, the last one; none if all is well.

    Args:
        folder: the output folder of a crawl that has ended.
        web: the truth of this round, with the sites that served it and still remember its requests.
        ordeal: what the crawl went through.
        verify: returns the exit code of the crawler's own check of the folder.
        evidence: what is in the folder, if it is not laid out as usual.
    """
    all_rounds = evidence or Evidence.of(folder)
    evidence = all_rounds.since(ordeal.before)
    kinds = (
        _missing(evidence, web),
        _doubled(evidence, web),
        all_rounds.wrong,
        _foreign(evidence, web),
        _altered(evidence, web, _payloads(all_rounds)),
        _refetched(web, ordeal),
        _disagreeing(evidence),
        _rewritten(ordeal.before, all_rounds),
        (f"I7 verify exits with {code}" for code in [verify(folder)] if code),
        _robots(web, ordeal),
        _hurried(web, ordeal),
        differing(truth(web), fates(evidence), "the truth", "the crawl"),
        _untold(evidence, web),
    )
    return [sentence for kind in kinds for sentence in shortened(list(kind))]


def truth(web: Web) -> set[tuple[str, str]]:
    """Return what an undisturbed crawl has: (URL, payload digest) of every 200 page."""
    return {(url, _digest(payload)) for url, payload in web.bodies.items()}


def fates(evidence: Evidence) -> set[tuple[str, str]]:
    """Return what a crawl says it has: (URL, payload digest) of each page in its page log that is well."""
    return {(line.get("url", ""), line.get("digest", "")) for line in evidence.lines if line.get("status") in WELL}


def differing(one: set[tuple[str, str]], other: set[tuple[str, str]], first: str, second: str) -> list[str]:
    """Say what only one of two crawls has (I10)."""
    only = [(pair, first, second) for pair in one - other] + [(pair, second, first) for pair in other - one]
    return [f"I10 {url} with {digest[:15]} is in {having}, not in {lacking}" for (url, digest), having, lacking in only]


def repeated(web: Web) -> int:
    """Return how many requests were made that an undisturbed crawl does not make."""
    failures = web.failures
    return sum(max(0, times - 1 - failures.get(url, 0)) for url, times in _asked(web).items())


def _missing(evidence: Evidence, web: Web) -> Iterator[str]:
    for url in web.bodies.keys() - {record.url for record in evidence.pages}:
        yield f"I1 {url} is not in the archive"


def _doubled(evidence: Evidence, web: Web) -> Iterator[str]:
    for (url, status), times in Counter((record.url, record.status) for record in evidence.records).items():
        allowed = web.failures.get(url, 0) if status == 503 else 1
        if times > allowed:
            yield f"I2 {url} is in the archive {times} times with status {status}"


def _foreign(evidence: Evidence, web: Web) -> Iterator[str]:
    closure = web.closure()
    for url in {record.url for record in evidence.records} - closure:
        yield f"I4 {url} is in the archive, but not in the closure"
    for url in _asked(web).keys() - closure:
        yield f"I4 {url} was asked for, but is not in the closure"
    if web.beyond and web.beyond.log:
        yield f"I4 {len(web.beyond.log)} requests to {web.beyond.origin}, which no seed names"


def _payloads(evidence: Evidence) -> dict[str, bytes]:
    return {record.digest: record.payload for record in evidence.records if record.kind == "response"}


def _altered(evidence: Evidence, web: Web, held: Mapping[str, bytes]) -> Iterator[str]:
    for record in evidence.pages:
        served = web.bodies.get(record.url)
        payload = held.get(record.digest) if record.kind == "revisit" else record.payload
        if payload is None:
            yield f"I5 the revisit of {record.url} refers to {record.digest[:15]}, which no response has"
        elif served is not None and payload != served:
            yield f"I5 the archived payload of {record.url} is not the served one"


def _refetched(web: Web, ordeal: Ordeal) -> Iterator[str]:
    again = repeated(web)
    allowed = (ordeal.kills + 1) * ordeal.in_flight if ordeal.kills else 0
    if again > allowed:
        yield f"I6 {again} requests were repeated, more than {allowed} after {ordeal.kills} kills"


def _disagreeing(evidence: Evidence) -> Iterator[str]:
    stored = {(record.segment, record.offset): record for record in evidence.records}
    logged = Counter(line.get("url") for line in evidence.lines)
    yield from (f"I7 {url} has {times} lines in pages.jsonl" for url, times in logged.items() if times > 1)
    told: set[Record] = set()
    for line in evidence.lines:
        record = stored.get((line.get("segment", ""), line.get("offset", 0)))
        if record and (record.url, record.length, record.status) == _claims(line):
            told.add(record)
        elif line.get("segment") or line.get("status") in WELL:
            yield f"I7 the line of {line.get('url')} names a place where its record is not"
        if record and record.digest != line.get("digest"):
            yield f"I7 the line of {line.get('url')} has another digest than its record"
    for record in set(evidence.pages) - told:
        yield f"I7 the record of {record.url} at {record.segment}:{record.offset} has no line in pages.jsonl"


def _rewritten(before: Evidence, now: Evidence) -> Iterator[str]:
    if not set(before.records) <= set(now.records) or before.lines != now.lines[: len(before.lines)]:
        yield "I7 what an earlier round left is not what it was"


def _untold(evidence: Evidence, web: Web) -> Iterator[str]:
    told = Counter(line.get("url", "") for line in evidence.changes)
    expected = Counter(web.changed if web.edition > 1 else ())
    for url in told.keys() | expected.keys():
        if told[url] != expected[url]:
            yield f"I11 {url} has {told[url]} lines in changes.jsonl, not {expected[url]}"


def _claims(line: dict[str, object]) -> tuple[object, object, object]:
    return line.get("url"), line.get("length"), line.get("status")


def _robots(web: Web, ordeal: Ordeal) -> Iterator[str]:
    for site in web.sites:
        if site.robots_requests > 1 + ordeal.kills:
            yield f"I8 robots.txt of {site.origin} was asked for {site.robots_requests} times"


def _hurried(web: Web, ordeal: Ordeal) -> Iterator[str]:
    for site in web.sites:
        for earlier, later in pairwise(sorted(site.log, key=lambda request: request.at)):
            gap = later.at - earlier.at
            if gap < ordeal.delay - ordeal.clock:
                yield f"I9 {gap:.4f} s between {earlier.path} and {later.path} of {site.origin}"


def _asked(web: Web) -> Counter[str]:
    return Counter(url for site in web.sites for url in _urls(site))


def _urls(site: Site) -> Iterator[str]:
    return (site.url(request.path) for request in site.log if request.path != ROBOTS)


def _digest(payload: bytes) -> str:
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


def shortened(sentences: list[str]) -> list[str]:
    """Spell out a few violations of a kind, and count the rest."""
    if len(sentences) <= SHOWN:
        return sentences
    return [*sentences[:SHOWN], f"{sentences[0].split()[0]} and {len(sentences) - SHOWN} more of this kind"]
