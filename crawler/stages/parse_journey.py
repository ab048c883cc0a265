"""LOOP: the two ends of an answer's journey to a worker and back.

``task_of`` makes a plain tuple of a :class:`Fetched`, and ``parsed_of`` a :class:`Parsed` of the one that comes back.
They stand apart from ``parse_worker.py``, because what a worker imports it pays for at every start.
"""

from __future__ import annotations

from crawler.core.changes import Earlier
from crawler.core.outcomes import Outcome
from crawler.core.records import Cost, Fetched, Parsed
from crawler.stages.extract_worker import unpacked
from crawler.stages.parse_worker import LETTERS, Held, Result, Task

_KINDS = {letter: kind for kind, letter in LETTERS.items()}


def task_of(fetched: Fetched, *, extract: bool = True) -> Task:
    """Take out of an answer what a worker needs of it."""
    source = fetched.source
    return (
        source.url,
        source.depth,
        fetched.status,
        fetched.request,
        fetched.head,
        fetched.body,
        fetched.truncated,
        fetched.address,
        fetched.began_at,
        _held(source.earlier),
        extract,
        str(source.kind),
    )


def _held(earlier: Earlier) -> Held | None:
    return None if earlier.payload is None else (earlier.digest, *earlier.payload)


def parsed_of(result: Result) -> Parsed:
    """Make a record of what a worker returned."""
    (
        outcome,
        *found,
        packed,
        seen,
        capped,
        size,
        decoded,
        etag,
        modified,
        listing,
        dates,
        same,
        pickled,
        failure,
        ran,
        cpu,
    ) = result
    outlinks = tuple([(_KINDS[line[0]], line[1:]) for line in packed.split("\n")]) if packed else ()
    told = seen, capped, size, decoded, etag, modified, listing, _dates(dates), same
    fields = [Outcome[outcome], *found, outlinks, *told]
    if ran:
        fields += [*unpacked(pickled, failure), len(pickled), Cost(0, ran, cpu)]
    return Parsed(*fields)


def _dates(packed: str) -> tuple[tuple[str, float], ...]:
    lines = [line.split(" ", 1) for line in packed.split("\n")] if packed else []
    return tuple([(link, float(at)) for at, link in lines])
