"""When a URL whose fetch failed is tried again.

The kind of failure says how often another attempt is worth it (:class:`~crawler.core.outcomes.Retry`), the settings
how long to wait: a pause that doubles with each attempt, a little longer at random so that URLs which failed together
do not come back together, and never less than the server asked for.
"""

from __future__ import annotations

from crawler.config import Fetch
from crawler.core.outcomes import Outcome, Retry

_JITTER = 0.25
_PATIENT = 5
_MOST_DOUBLINGS = 64  # more than any pause needs, less than a float can bear


def retry_at(
    outcome: Outcome, attempts: int, now: float, *, limits: Fetch, retry_after: float | None, jitter: float
) -> float | None:
    """Return when a URL is to be tried again.

    Args:
        outcome: how the last fetch ended.
        attempts: fetches made so far, the last one included.
        now: Unix time, seconds.
        limits: how many attempts a URL has, and the pauses between them.
        retry_after: seconds the server asked us to stay away, already capped.
        jitter: 0..1, drawn at random by the caller; 1 makes the pause a quarter longer.

    Returns:
        Unix time, seconds; None if the outcome is final.
    """
    if attempts >= _allowed(outcome, limits):
        return None
    doublings = min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    pause = min(limits.backoff * 2.0**doublings, limits.max_backoff) * (1.0 + _JITTER * jitter)
    return now + max(pause, retry_after or 0.0)


def _allowed(outcome: Outcome, limits: Fetch) -> int:
    if outcome.retry is Retry.NEVER:
        return 0
    if outcome.retry is Retry.PATIENT:
        return limits.attempts + _PATIENT
    return min(2, limits.attempts) if outcome.retry is Retry.ONCE else limits.attempts
