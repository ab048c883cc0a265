"""What can bound a crawl, and how far a change can carry it.

By the utilisation law a resource that is busy for a share U of the time carries at most 1/U times the load,
so no change gains more than the fullest of the other resources allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from crawler.core.evidence import Evidence

_FAIR = 0.5
"""Part of the cores that a crawl can have at any time."""


class Bottleneck(StrEnum):
    """What bounds a crawl."""

    POLITENESS = "politeness"
    THROTTLING = "throttling"
    LATENCY = "remote latency"
    WIRE = "the wire"
    LOOP = "the event loop"
    CORES = "too few cores"
    PARSE = "parse"
    EXTRACT = "extract"
    JOURNAL = "the journal"
    MIRROR = "mirror files"
    CALLER = "the caller"
    FEW_URLS = "too few URLs"
    MIXED = "mixed"
    TOO_SHORT = "too short to tell"


class Verdict(Struct, frozen=True, kw_only=True):
    """What bounds a crawl, why that is said, and what would change it."""

    kind: Bottleneck
    sentence: str
    evidence: str = ""
    counterfactual: str = ""
    gain: float = 0.0
    """Pages a second after the change that the counterfactual names, as a multiple of now; 0.0 if none is foretold."""
    short: str = ""
    """A few words, for a line that is drawn again and again."""
    shares: Mapping[Bottleneck, float] = field(default_factory=dict)
    """Of the time, by kind, the largest first; they add up to 1."""


def busy(evidence: Evidence) -> dict[Bottleneck, float]:
    """Return the utilisation of each resource of ours, 0..1."""
    return {
        Bottleneck.LATENCY: evidence.slots_busy,
        Bottleneck.LOOP: evidence.loop_busy,
        Bottleneck.PARSE: evidence.pool_busy,
        Bottleneck.JOURNAL: evidence.journal_needed,
    }


def gain(evidence: Evidence, wanted: float, besides: Bottleneck | None = None) -> float:
    """Return how much of a gain the other resources allow."""
    most = [1.0 / max(busy, 1e-3) for kind, busy in busy(evidence).items() if kind is not besides]
    # Beside other programs a small crawl gets what it needs all the same: the system shares the cores out.
    cores = max(evidence.cores_used + evidence.cores_free, _FAIR * evidence.rules.cores)
    most.append(cores / max(evidence.cores_used, 1e-3))
    return max(1.0, min(wanted, *most))


def halved(share: float) -> float:
    """Return what is gained when something takes half of the share that it has of the time."""
    return 1.0 / (1.0 - 0.5 * min(1.0, share))
