"""When a page is looked at again: sooner if it had changed, later if it had not.

The interval follows the page by a constant factor each way, within bounds, and needs no history but itself.
A page that is gone is asked for a few times more, at growing intervals, and then no longer.
"""

from __future__ import annotations

from math import inf

from msgspec import Struct

from crawler.config import Recrawl
from crawler.core.changes import Change, Earlier
from crawler.core.outcomes import Outcome, State

NEVER = inf
_GONE_FOR_GOOD = 410
_LOST = frozenset({404, _GONE_FOR_GOOD})
_DIFFERENT = frozenset({Change.NEW, Change.CHANGED, Change.MOVED})


class Standing(Struct, frozen=True):
    """When a URL that is finished is due again, and why then."""

    due: float = NEVER
    """Unix seconds; infinite if never."""
    interval: float = 0.0
    misses: int = 0
    there: bool = False
    """Whether its page is there, so that a later answer is compared with this one."""


UNDECIDED = Standing()


def standing(
    earlier: Earlier, outcome: Outcome, change: Change | None, status: int, at: float, rules: Recrawl
) -> Standing:
    """Decide when a URL is due again.

    Args:
        earlier: how it stood before.
        outcome: how it ended now.
        change: what became of its page.
        status: of the answer; 0 without one.
        at: when it was fetched, Unix seconds.
        rules: factors and bounds.
    """
    lost = status in _LOST
    misses = earlier.misses + 1 if lost else 0 if status else earlier.misses
    interval = earlier.interval or rules.first
    if (earlier.interval and change is not None) or lost:
        interval *= rules.sooner if change in _DIFFERENT else rules.later
    interval = min(max(interval, rules.shortest), rules.longest)
    given_up = outcome is Outcome.GONE and (misses >= rules.patience or status == _GONE_FOR_GOOD)
    return Standing(NEVER if given_up else at + interval, interval, misses, _is_there(earlier, outcome))


def _is_there(earlier: Earlier, outcome: Outcome) -> bool:
    """Whether the answer tells how the page is; a 304 that was not asked for does not."""
    return outcome.state is State.DONE and (outcome is not Outcome.NOT_MODIFIED or earlier.payload is not None)
