"""The sentence that names the bottleneck, with its evidence and its counterfactual.

Theory of operation
-------------------
The feed starts a page whenever it may; so what it waits for is what bounds the crawl, and for how much of the time.
Each cause of waiting speaks for one kind of bottleneck, with three corrections:

- Full slots mean slow servers only while the loop has time to spare. As its utilisation nears 1, the slots are full
  because it does not get round to them.
- Pages that wait for workers or for a journal which are not busy wait for the way there, the loop's work too.
- By Little's law the requests in flight are the rate times the time of one; what that time consists of
  tells a slow answer from a slow body.

One kind is named only if it has most of the time and nothing else comes near it, and no other resource would be full
as soon as it is relieved; else the verdict is *mixed*. A wrong verdict is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping

from crawler.core.bottleneck import Bottleneck, Verdict, busy
from crawler.core.evidence import Cause, Evidence
from crawler.core.naming import NAMERS, mixed

__all__ = ["Bottleneck", "Verdict", "judge", "shares_of"]

SHORTEST = 1.0
FEWEST = 10
LONGEST_WITHOUT = 10.0
"""Fewer seconds than the first, or fewer pages than the second before the third have passed, tell nothing."""
NAMED = 0.6
"""Share of the time that a kind must have to be named..."""
RIVAL = 0.5
"""...and the part of that share that the next one may have."""
FULL = 0.85
"""Utilisation from which a resource counts as full: nothing gains more than a sixth before it is."""
PLACE_EASY = 0.8
"""Utilisation of workers and journal from which it is them that pages wait for, and not the way to them."""
LOOP_EASY, LOOP_FULL = 0.7, 0.9
"""Utilisation of the loop up to which full slots are not its fault, and from which they are."""


def judge(evidence: Evidence) -> Verdict:
    """Say what bounds a crawl."""
    used, shares = evidence.used, shares_of(evidence)
    if not shares or evidence.seconds < SHORTEST or (used.pages < FEWEST and evidence.seconds < LONGEST_WITHOUT):
        return Verdict(
            kind=Bottleneck.TOO_SHORT,
            sentence="Bottleneck: too short to tell",
            evidence=f"Pages could be started for {evidence.seconds:.1f} s;"
            f" a verdict takes {SHORTEST:g} s and {FEWEST} pages.",
        )
    kind, share, rival = _first(shares)
    full = {one: part for one, part in busy(evidence).items() if part >= FULL and one not in _SAME.get(kind, (kind,))}
    if share < NAMED or rival > RIVAL * share or (full and kind in _OURS):
        return mixed(evidence, shares, full)
    return NAMERS[kind](evidence, shares)


def _first(shares: Mapping[Bottleneck, float]) -> tuple[Bottleneck, float, float]:
    """Return the kind with the largest share, that share, and the largest of the others.

    Kinds that bind one resource stand together against the others: the larger is named, and tells both.
    """
    whole = dict.fromkeys(shares, 0.0)
    for kind, share in shares.items():
        whole[max(_TOGETHER.get(kind, (kind,)), key=lambda one: shares.get(one, 0.0))] += share
    (kind, first), *rest = sorted(whole.items(), key=lambda one: -one[1])
    return kind, first, rest[0][1] if rest else 0.0


def shares_of(evidence: Evidence) -> dict[Bottleneck, float]:
    """Return for which share of the time each kind bound the crawl, the largest first."""
    causes = evidence.causes()
    shares = {kind: sum(causes[cause] for cause in of) for kind, of in _SPEAKS_FOR.items()}
    away = causes[Cause.SLOTS] + causes[Cause.PLACES] + causes[Cause.ADDRESSES]
    blame = min(1.0, max(0.0, (evidence.loop_busy - LOOP_EASY) / (LOOP_FULL - LOOP_EASY)))
    # Pages that wait for a place which is not at work wait for the way there.
    idle = 1.0 - min(1.0, evidence.pool_busy / PLACE_EASY)
    unwritten = 1.0 - evidence.journal_works * min(1.0, evidence.journal_busy / PLACE_EASY)
    ours = shares[Bottleneck.LOOP] + idle * shares[Bottleneck.PARSE] + unwritten * shares[Bottleneck.JOURNAL]
    ours += blame * (away + shares[Bottleneck.FEW_URLS]) + (1.0 - blame) * evidence.own * away
    theirs = (1.0 - blame) * (1.0 - evidence.own) * away
    wire = evidence.used.body / evidence.slot_time if evidence.slot_time else 0.0
    starved = evidence.starved
    shares[Bottleneck.FEW_URLS] *= 1.0 - blame
    workers = shares[Bottleneck.PARSE] * (1.0 - idle)
    extract = evidence.extract_share
    shares[Bottleneck.PARSE], shares[Bottleneck.EXTRACT] = workers * (1.0 - extract), workers * extract
    shares[Bottleneck.JOURNAL] *= 1.0 - unwritten
    shares[Bottleneck.LOOP], shares[Bottleneck.CORES] = ours * (1.0 - starved), ours * starved
    shares[Bottleneck.LATENCY], shares[Bottleneck.WIRE] = theirs * (1.0 - wire), theirs * wire
    found = sorted(((share, kind) for kind, share in shares.items() if share > 0), reverse=True)
    return {kind: share for share, kind in found}


_SPEAKS_FOR: dict[Bottleneck, tuple[Cause, ...]] = {
    Bottleneck.POLITENESS: (Cause.DELAY,),
    Bottleneck.THROTTLING: (Cause.HOLD,),
    Bottleneck.LOOP: (Cause.WORKING,),
    Bottleneck.PARSE: (Cause.PARSE,),
    Bottleneck.JOURNAL: (Cause.COMMIT, Cause.LOADING),
    Bottleneck.MIRROR: (Cause.MIRROR,),
    Bottleneck.CALLER: (Cause.CALLER,),
    Bottleneck.FEW_URLS: (Cause.FEW,),
}
"""Causes that speak for one kind alone."""
_MAIN = (Bottleneck.LOOP, Bottleneck.CORES)
_WORKERS = (Bottleneck.PARSE, Bottleneck.EXTRACT)
_TOGETHER = {kind: kinds for kinds in (_MAIN, _WORKERS) for kind in kinds}
"""Kinds that bind one resource: the loop with the core that it needs, and the workers."""
_SAME = {
    Bottleneck.WIRE: (Bottleneck.WIRE, Bottleneck.LATENCY),
    Bottleneck.EXTRACT: _WORKERS,
    # Slots fill and workers seem busy when the loop, or a core, is what they wait for.
    Bottleneck.LOOP: tuple(Bottleneck),
    Bottleneck.CORES: tuple(Bottleneck),
}
"""Resources whose being full is no second bottleneck."""
_OURS = {Bottleneck.LATENCY, Bottleneck.WIRE, *_WORKERS, Bottleneck.JOURNAL, Bottleneck.MIRROR}
"""Kinds that are relieved only to run into our own next limit."""
