"""A look at all hosts at one moment: which may be asked, and what keeps the others from it."""

from __future__ import annotations

from math import inf

from crawler.core.evidence import Cause
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues

_SLACK = 1e-3
_SHORTEST = 1e-6
"""Seconds of delay that stand for none."""


class Scan:
    """What keeps each host that has URLs left from being asked, at one moment."""

    def __init__(self, queues: HostQueues, now: float) -> None:
        self.ready: list[HostQueue] = []
        self.kept: dict[Cause, list[HostQueue]] = {}
        self.spare = 0.0
        """Requests that could go out now, to hosts that are ready."""
        self.allowed = 0.0
        """Requests a second that the delays of hosts with URLs allow, those in flight included."""
        for queue in queues.hosts.values():
            if queue.scheduled <= now:
                self.ready.append(queue)
                places = 1 if queue.delay else queue.places(queues.per_host)
                self.spare += min(places, max(1, queue.left))
                self.allowed += _pace(queue)
            elif queue.left:
                cause = _keeps(queue, now)
                self.kept.setdefault(cause, []).append(queue)
                self.allowed += 0.0 if cause is Cause.HOLD else _pace(queue)
            elif queue.in_flight:
                self.allowed += _pace(queue)


def _pace(queue: HostQueue) -> float:
    return 1.0 / max(queue.delay, _SHORTEST)


def _keeps(queue: HostQueue, now: float) -> Cause:
    if queue.parked:
        return Cause.ADDRESSES
    if queue.next_at > now:
        own = queue.last_sent + queue.delay if queue.last_sent > -inf else now + queue.delay
        return Cause.HOLD if queue.next_at > own + _SLACK else Cause.DELAY
    if queue.in_flight:
        return Cause.PLACES
    if queue.waiting:
        return Cause.WORKING
    return Cause.HOLD if queue.later else Cause.LOADING
