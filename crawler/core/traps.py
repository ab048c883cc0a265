"""Traps: URLs whose form shows a site that has no end.

Three signs, each with its limit: a path deeper than sites are, path segments that come again and again
(a relative link that adds its own folder at each step: ``/a/a/a/``, ``/a/b/a/b/``), a query longer than forms are.
Traps whose URLs look ordinary, such as calendars, are held by the budget of pages per host, which is not here.
"""

from __future__ import annotations

from collections import Counter

from crawler.config import Traps
from crawler.core.outcomes import Outcome

PATTERN_RUN = 3
"""Times that a pattern of two or more segments must stand in a row, at least, to be taken for a trap."""
_LONGEST_PATTERN = 8


def trap(url: str, limits: Traps) -> Outcome | None:
    """Say which kind of trap a crawl URL looks like, or None if it looks like a page.

    Path segments are counted as the slashes between them, so empty ones count for depth (``//``);
    they do not count as repeated.
    A pattern of two to eight segments that stands in a row more than half as often as one segment may occur
    (and at least three times) is a trap too: by default ``/a/b/a/b/a/b``, but not ``/01/01/01``.
    Query parameters are what ``&`` separates.
    """
    # A pattern that counts has more slashes than one segment may occur; those of the query only err to the safe side.
    slashes = url.count("/") - 2
    if slashes > limits.repeated_segment or slashes > limits.path_depth:
        outcome = _path_trap(url, limits)
        if outcome:
            return outcome
    if url.count("&") >= limits.query_parameters and url.partition("?")[2].count("&") >= limits.query_parameters:
        return Outcome.TRAP_LONG_QUERY
    return None


def _path_trap(url: str, limits: Traps) -> Outcome | None:
    segments = url.partition("?")[0].split("/")[3:]
    if len(segments) - (not segments[-1]) > limits.path_depth:
        return Outcome.TRAP_DEEP_PATH
    extra = len(segments) - len(set(segments))
    if extra < min(limits.repeated_segment, 2 * (PATTERN_RUN - 1)):
        return None
    counts = Counter(segments)
    del counts[""]
    most = max(counts.values(), default=0)
    run = max(PATTERN_RUN, limits.repeated_segment // 2 + 1)
    if most > limits.repeated_segment or (most >= run and _has_run(segments, run)):
        return Outcome.TRAP_REPEATED_SEGMENT
    return None


def _has_run(segments: list[str], run: int) -> bool:
    """Tell whether a pattern of 2 to 8 segments, not all empty or all the same, stands ``run`` times in a row."""
    for period in range(2, min(_LONGEST_PATTERN, len(segments) // run) + 1):
        needed = period * (run - 1)
        length = 0
        for at in range(period, len(segments)):
            length = length + 1 if segments[at] == segments[at - period] else 0
            if length >= needed and len(set(segments[at - period + 1 : at + 1]) - {""}) > 1:
                return True
    return False
