"""The most pages a second that a crawl could have finished, as things stood.

Two kinds of bounds are known for any stretch of time, and the lowest counts:

- what the hosts allow: those with URLs left may be asked once per delay each;
- what our own resources carry: one that is busy for a share U of the time carries 1/U times the load (utilisation law).
"""

from __future__ import annotations

from msgspec import Struct

from crawler.core.bottleneck import Bottleneck, busy
from crawler.core.evidence import Evidence

_IDLE = 0.02
"""Utilisation below which a resource tells nothing about its limit."""


class Ceiling(Struct, frozen=True):
    """A bound, and what sets it."""

    by: Bottleneck
    pages_per_second: float


def ceiling(evidence: Evidence) -> Ceiling | None:
    """Return the lowest bound; None where nothing is near one, as when nothing is done at all."""
    used = evidence.used
    rate = used.pages / evidence.used_time
    bounds = []
    if used.samples:
        allowed = used.allowed / used.samples
        bounds.append(Ceiling(Bottleneck.POLITENESS, max(rate, allowed)))  # a burst is counted where it ends
    bounds += [Ceiling(kind, rate / share) for kind, share in busy(evidence).items() if share >= _IDLE and rate]
    return min(bounds, key=lambda bound: bound.pages_per_second, default=None)
