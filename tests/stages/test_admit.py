from __future__ import annotations

import asyncio
from collections.abc import Iterator

from crawler.config import Fetch, Politeness
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues, Wait
from crawler.core.records import CrawlURL
from crawler.stages.admit import Admit

HOST = "http://a"
FIRST, SECOND = CrawlURL(1, f"{HOST}/1", HOST), CrawlURL(2, f"{HOST}/2", HOST)


def admit_at(times: Iterator[float]) -> tuple[Admit, HostQueues]:
    queues = HostQueues(delay=1.0, per_host=1, robots=False)
    queues.open(HostQueue(HOST, 1.0), (FIRST, SECOND), 2, 0.0)
    return Admit(queues, Politeness(), Fetch(), now=lambda: next(times), jitter=lambda: 0.0), queues


async def test_the_delay_counts_from_the_turn_of_the_loop_after_the_one_in_which_a_request_was_written() -> None:
    admit, queues = admit_at(iter([5.0]))
    queues.next(0.0)

    admit.sent(FIRST)

    assert queues.hosts[HOST].requests == 0
    assert queues.next(100.0) is None  # it may not have left yet

    await asyncio.sleep(0)
    queues.done(FIRST, 5.5)

    assert queues.next(5.5) == Wait(6.0)


async def test_a_request_to_a_host_that_was_let_go_of_counts_for_nobody() -> None:
    admit, queues = admit_at(iter([]))

    admit.sent(FIRST)
    del queues.hosts[HOST]
    await asyncio.sleep(0)

    assert not queues.hosts
