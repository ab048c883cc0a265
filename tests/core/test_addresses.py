"""Hosts that share an IP address share its places."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import HostQueues
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind

ONE, OTHER = "192.0.2.1", "192.0.2.2"


def url(host: int, number: int = 0) -> CrawlURL:
    return CrawlURL(1 + host * 100 + number, f"http://{host}/{number}", f"http://{host}")


def queues(hosts: int, *, most: int, pages: int = 1, per_host: int = 1, robots: bool = False) -> HostQueues:
    made = HostQueues(delay=0.0, per_host=per_host, per_address=most, robots=robots)
    for host in range(hosts):
        made.open(HostQueue(f"http://{host}", 0.0), [url(host, page) for page in range(pages)], pages, 0.0)
    return made


def out(made: HostQueues, address: str = ONE) -> list[CrawlURL]:
    """Take all turns there are, locate their hosts, and give back those for which there is no place."""
    taken = []
    while isinstance(turn := made.next(0.0), CrawlURL):
        made.located(turn.host, address, 0.0)
        if made.crowded(turn.host):
            made.give_back(turn, 0.0)
        else:
            taken.append(turn)
    return taken


def test_many_hosts_at_one_address_have_no_more_in_flight_than_it_allows() -> None:
    made = queues(50, most=3)

    assert len(out(made)) == 3


def test_a_parked_host_comes_up_when_a_request_at_its_address_ends() -> None:
    made = queues(5, most=2)
    first, second = out(made)

    made.done(first, 0.0)

    assert len(out(made)) == 1
    made.done(second, 0.0)
    assert len(out(made)) == 1


def test_a_full_address_does_not_block_hosts_elsewhere() -> None:
    made = queues(4, most=1)
    out(made)
    made.open(HostQueue("http://9", 0.0), [url(9)], 1, 0.0)

    assert out(made, OTHER) == [url(9)]


def test_a_host_that_is_asked_more_at_once_than_an_address_allows_gets_its_own_limit() -> None:
    made = queues(1, most=2, pages=9, per_host=5)

    assert len(out(made)) == 5


def test_without_a_limit_no_host_is_parked() -> None:
    made = queues(50, most=0)

    assert len(out(made)) == 50


def test_a_host_that_has_moved_leaves_its_place_to_others() -> None:
    made = queues(3, most=1)
    (first,) = out(made)

    made.located(first.host, OTHER, 0.0)

    assert len(out(made)) == 1


def test_the_turn_of_a_robots_txt_that_was_given_back_comes_again() -> None:
    made = queues(2, most=1, robots=True)
    (first,) = out(made)
    assert first.kind is Kind.ROBOTS

    made.done(first, 0.0)

    (second,) = out(made)
    assert second.kind is Kind.ROBOTS
    assert second.host != first.host


def test_a_parked_host_that_is_given_up_comes_out_at_once() -> None:
    made = queues(2, most=1)
    (first,) = out(made)
    other = next(host for host in made.hosts if host != first.host)

    made.give_up(other, (Outcome.CONNECT_REFUSED, ""), 0.0)

    assert isinstance(turn := made.next(0.0), CrawlURL)
    assert turn.host == other


@given(
    hosts=st.integers(1, 12),
    most=st.integers(1, 4),
    pages=st.integers(1, 4),
    per_host=st.integers(1, 3),
    chance=st.randoms(use_true_random=False),
    robots=st.booleans(),
)
def test_whatever_the_order_no_url_is_lost_and_no_address_is_crowded(
    hosts: int,
    most: int,
    pages: int,
    per_host: int,
    chance: Random,
    *,
    robots: bool,
) -> None:
    made = queues(hosts, most=most, pages=pages, per_host=per_host, robots=robots)
    flying, seen = list[CrawlURL](), list[CrawlURL]()
    addresses = [ONE, OTHER]
    for _ in range(10_000):
        turn = made.next(0.0)
        if isinstance(turn, CrawlURL):
            made.located(turn.host, addresses[int(turn.host[7:]) % 2], 0.0)
            if made.crowded(turn.host):
                made.give_back(turn, 0.0)
                continue
            flying.append(turn)
            busy = [int(one.host[7:]) % 2 for one in flying]
            assert max(busy.count(0), busy.count(1)) <= max(most, per_host)
        elif flying:
            ended = flying.pop(chance.randrange(len(flying)))
            if ended.kind is Kind.ROBOTS:
                made.hosts[ended.host].robots_until = 1e9
            else:
                seen.append(ended)
            made.done(ended, 0.0)
        else:
            break

    assert made.drained
    assert len(set(seen)) == len(seen) == hosts * pages
