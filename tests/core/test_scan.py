from __future__ import annotations

from crawler.core.evidence import Cause
from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.records import CrawlURL
from crawler.core.scan import Scan

NOW = 1000.0


def opened(*, delay: float = 1.0, per_host: int = 1, urls: int = 3) -> HostQueues:
    """One host with URLs, of which none has been handed out."""
    queues = HostQueues(delay=delay, per_host=per_host, robots=False)
    waiting = [CrawlURL(number, f"http://a/{number}", "http://a") for number in range(1, urls + 1)]
    queues.open(HostQueue("http://a", delay), waiting, urls, NOW)
    return queues


def kept(queues: HostQueues, now: float) -> list[Cause]:
    return list(Scan(queues, now).kept)


def test_a_host_that_is_due_is_ready_and_has_room_for_one_more_request() -> None:
    scan = Scan(opened(), NOW)

    assert ([queue.key for queue in scan.ready], scan.spare, scan.kept) == (["http://a"], 1, {})


def test_without_a_delay_there_is_room_for_as_many_as_it_has_places_or_urls() -> None:
    assert Scan(opened(delay=0.0, per_host=8), NOW).spare == 3
    assert Scan(opened(delay=0.0, per_host=2), NOW).spare == 2


def test_a_host_that_was_just_asked_is_kept_by_its_delay_even_while_the_request_is_in_flight() -> None:
    queues = opened()
    url = queues.next(NOW)
    queues.sent("http://a", NOW)

    assert isinstance(url, CrawlURL)
    assert kept(queues, NOW + 0.5) == [Cause.DELAY]

    queues.done(url, NOW + 0.6)

    assert kept(queues, NOW + 0.7) == [Cause.DELAY]


def test_a_host_that_takes_longer_than_its_delay_is_kept_by_its_places() -> None:
    queues = opened()
    queues.next(NOW)
    queues.sent("http://a", NOW)

    assert kept(queues, NOW + 1.5) == [Cause.PLACES]


def test_a_host_that_asked_to_be_left_alone_is_held() -> None:
    queues = opened()
    url = queues.next(NOW)
    queues.sent("http://a", NOW)
    assert isinstance(url, CrawlURL)
    queues.done(url, NOW + 0.1)
    queues.hold("http://a", NOW + 30.0, NOW + 0.1)

    assert kept(queues, NOW + 5.0) == [Cause.HOLD]


def test_a_host_with_nothing_left_keeps_nobody() -> None:
    queues = opened(urls=1)
    queues.next(NOW)

    assert kept(queues, NOW) == []


def test_a_host_with_urls_allows_a_request_per_delay_whether_it_is_due_or_not() -> None:
    queues = opened(delay=0.5, urls=1)

    assert Scan(queues, NOW).allowed == 2.0

    queues.next(NOW)
    queues.sent("http://a", NOW)

    assert Scan(queues, NOW + 0.1).allowed == 2.0


def test_a_host_that_asked_to_be_left_alone_allows_nothing() -> None:
    queues = opened()
    url = queues.next(NOW)
    queues.sent("http://a", NOW)
    assert isinstance(url, CrawlURL)
    queues.done(url, NOW + 0.1)
    queues.hold("http://a", NOW + 60.0, NOW + 0.1)

    assert Scan(queues, NOW + 5.0).allowed == 0.0
