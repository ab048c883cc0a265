"""What was made of the seeds, told by who counted them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from crawler.core.tally import Tally
from crawler.report.report import SeedReport

BAD_SEEDS_KEPT = 20


@runtime_checkable
class CountsSeeds(Protocol):
    """Seeds that know more about where they come from than the engine can see."""

    def report(self) -> SeedReport:
        """Tell what has been read so far."""
        ...


def seed_report(seeds: object, tally: Tally) -> SeedReport:
    """Join what the engine counted with what the seeds themselves can tell.

    Args:
        seeds: what the caller gave: any iterable, or one that counts its bad lines too.
        tally: what came out of it.
    """
    if isinstance(seeds, CountsSeeds):
        own = seeds.report()
    else:
        read = tally.seeds + tally.seeds_bad
        own = SeedReport(read=read, bad=tuple(tally.bad_seeds), bad_count=tally.seeds_bad)
    return msgspec.structs.replace(own, accepted=tally.seeds, duplicates=tally.seeds_known)
