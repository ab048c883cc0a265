"""How a crawl went over time, and how long its fetches took: what the pictures of a report are drawn from."""

from __future__ import annotations

from crawler.core.ceiling import ceiling
from crawler.core.evidence import Evidence, Reading, Rules
from crawler.core.ledger import Histogram
from crawler.core.timeline import Timeline
from crawler.core.verdict import shares_of
from crawler.report.measured import Bucket, Slot

_SMALLEST = 0.005
"""Share of a slot below which a kind of waiting is left out."""


def course(timeline: Timeline, rules: Rules) -> tuple[Slot, ...]:
    """Tell a crawl slot by slot, from the first to the last one seen."""
    return tuple(_slot(at, Evidence(used=used, rules=rules)) for at, used in timeline.slots())


def _slot(at: float, evidence: Evidence) -> Slot:
    used = evidence.used
    bound = ceiling(evidence)
    return Slot(
        at=round(at, 3),
        seconds=round(used.at, 3),
        outcomes=_outcomes(used),
        bytes=round(used.bytes),
        ceiling=round(bound.pages_per_second, 3) if bound else None,
        ceiling_by=bound.by.value if bound else "",
        shares={kind.value: round(share, 3) for kind, share in shares_of(evidence).items() if share >= _SMALLEST},
    )


def _outcomes(used: Reading) -> dict[str, int]:
    return {outcome.value: round(count) for outcome, count in used.outcomes.items() if count}


def spread(histogram: Histogram) -> tuple[Bucket, ...]:
    """Tell how durations are spread, from the first bucket that holds any to the last."""
    buckets = [Bucket(upto=upto, count=count) for upto, count in histogram.spread()]
    held = [number for number, bucket in enumerate(buckets) if bucket.count]
    return tuple(buckets[held[0] : held[-1] + 1]) if held else ()
