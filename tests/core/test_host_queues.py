from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.host_queue import HostQueue
from crawler.core.host_queues import Again, HostQueues, Wait
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.core.robots import Robots
from crawler.core.window import Want

A, B = "http://a", "http://b"


def url(id_: int, host: str = A, *, due: float = 0.0) -> CrawlURL:
    return CrawlURL(id_, f"{host}/{id_}", host, due=due)


def queues(
    *urls: CrawlURL, delay: float = 0.0, per_host: int = 1, robots: bool = False, now: float = 0.0
) -> HostQueues:
    made = HostQueues(delay=delay, per_host=per_host, robots=robots)
    for host in dict.fromkeys(one.host for one in urls):
        own = [one for one in urls if one.host == host]
        made.open(HostQueue(host, delay), own, len(own), now)
    return made


def fetch(made: HostQueues, now: float) -> CrawlURL:
    """Take a turn and send its request at once."""
    turn = made.next(now)
    assert isinstance(turn, CrawlURL)
    made.sent(turn.host, now)
    return turn


def test_urls_of_one_host_come_in_the_order_of_discovery() -> None:
    made = queues(url(1), url(2), per_host=2)

    assert [made.next(0.0), made.next(0.0)] == [url(1), url(2)]


def test_a_host_waits_its_delay_from_the_moment_its_request_was_sent() -> None:
    made = queues(url(1), url(2), delay=5.0)
    assert made.next(0.0) == url(1)
    made.sent(A, 1.5)
    made.done(url(1), 2.0)

    assert made.next(2.0) == Wait(6.5)
    assert made.next(6.5) == url(2)


def test_no_second_url_goes_out_while_the_first_request_is_not_sent() -> None:
    made = queues(url(1), url(2), delay=1.0, per_host=4)
    made.next(0.0)

    assert made.next(100.0) is None


def test_a_host_has_no_more_in_flight_than_allowed() -> None:
    made = queues(url(1), url(2), url(3), per_host=2)
    fetch(made, 0.0)
    second = fetch(made, 0.0)
    assert made.next(0.0) is None

    made.done(second, 0.0)

    assert made.next(0.0) == url(3)


def test_a_slow_host_does_not_block_another() -> None:
    made = queues(url(1), url(2), url(3, B), url(4, B), delay=10.0)

    assert {fetch(made, 0.0).host, fetch(made, 0.0).host} == {A, B}


def test_of_two_due_hosts_the_one_with_more_urls_left_comes_first() -> None:
    made = queues(url(1), url(2, B), url(3, B), url(4, B))

    assert made.next(0.0) == url(2, B)


def test_a_host_that_asks_for_a_longer_delay_takes_longer_with_fewer_urls() -> None:
    slow = url(4, B)
    made = HostQueues(delay=1.0, per_host=1, robots=False)
    made.open(HostQueue(A, 1.0), [url(1), url(2), url(3)], 3, 0.0)
    made.open(HostQueue(B, 5.0), [slow], 1, 0.0)

    assert made.next(0.0) == slow


def test_a_host_that_has_shown_no_page_comes_before_those_that_are_smaller_than_the_average() -> None:
    hosts = [f"http://h{number}" for number in range(4)]
    made = queues(*(url(number, host) for number, host in enumerate(hosts, 1)))
    for number in (1, 2):
        made.done(fetch(made, 0.0), 0.0)
        for more in range(2 * number):  # the first has three URLs in all, the second five: four on average
            made.add(url(10 * number + more, hosts[number - 1]), 0.0)

    turns = [fetch(made, 1.0).host for _ in hosts]

    assert turns == [hosts[1], hosts[2], hosts[3], hosts[0]]


def test_a_host_whose_robots_txt_is_known_shows_its_size_before_others_are_begun() -> None:
    made = queues(url(1), url(2, B), robots=True, delay=1.0)
    made.done(fetch(made, 0.0), 0.0)
    made.obey(A, Robots.allow_all(), delay=0.0, until=inf, now=0.0)

    assert fetch(made, 1.0) == url(1)


def test_hosts_are_opened_in_the_order_in_which_they_were_met() -> None:
    hosts = [f"http://h{number}" for number in range(50)]
    made = HostQueues(delay=0.0, per_host=1, robots=False)
    for number, host in enumerate(hosts):
        made.add(url(number, host), 0.0)

    assert [want.host for want in made.window.wants()] == hosts
    assert not made.window.hungry


def test_a_url_to_be_tried_again_waits_until_it_is_due() -> None:
    made = queues(url(1))
    made.done(fetch(made, 0.0), 0.0)

    made.retry(url(1, due=7.0), 0.0)

    assert made.next(0.0) == Wait(7.0)
    assert made.next(7.0) == url(1, due=7.0)


def test_a_url_that_waits_for_its_next_attempt_does_not_hold_up_the_others() -> None:
    made = queues(url(1, due=9.0), url(2))

    assert made.next(0.0) == url(2)


def test_a_held_host_is_left_alone_until_then() -> None:
    made = queues(url(1))

    made.hold(A, 60.0, 0.0)

    assert made.next(0.0) == Wait(60.0)


def test_robots_txt_comes_before_the_first_page_and_alone() -> None:
    made = queues(url(1), robots=True, per_host=4)

    asked = made.next(0.0)

    assert asked == CrawlURL(0, f"{A}/robots.txt", A, kind=Kind.ROBOTS)
    assert made.next(0.0) is None


def test_after_robots_txt_the_page_waits_the_delay_it_asks_for() -> None:
    made = queues(url(1), robots=True, delay=1.0)
    asked = fetch(made, 0.0)
    made.done(asked, 0.5)
    assert made.next(0.5) == Wait(1.0)

    made.obey(A, Robots.allow_all(), delay=3.0, until=1_000.0, now=0.5)

    assert made.next(0.5) == Wait(3.0)
    assert made.next(3.0) == url(1)


def test_robots_txt_is_asked_for_again_when_it_has_expired() -> None:
    made = queues(url(1), robots=True)
    made.obey(A, Robots.allow_all(), delay=0.0, until=10.0, now=0.0)

    turn = made.next(10.0)

    assert isinstance(turn, CrawlURL)
    assert turn.kind is Kind.ROBOTS


def test_what_is_left_of_a_host_that_is_given_up_comes_out_at_once() -> None:
    made = queues(url(1), url(2), robots=True, delay=60.0)
    made.hold(A, 1_000.0, 0.0)

    made.give_up(A, (Outcome.CONNECT_REFUSED, ""), 0.0)

    assert made.next(0.0) == url(1)
    made.done(url(1), 0.0, sent=False)
    assert made.next(0.0) == url(2)


def test_a_url_of_an_unknown_host_makes_it_wanted() -> None:
    made = queues()

    made.add(url(1), 0.0)

    assert list(made.window.wants()) == [Want(A, after=0, limit=4_096)]
    assert list(made.window.wants()) == []
    assert not made.drained


def test_urls_beyond_the_window_stay_on_disk_until_memory_runs_low() -> None:
    made = HostQueues(delay=0.0, per_host=99, robots=False, window=16)
    made.open(HostQueue(A, 0.0), [url(n) for n in range(1, 17)], 40, 0.0)
    assert not made.window.hungry

    for _ in range(12):
        made.next(0.0)

    assert list(made.window.wants()) == [Want(A, after=16, limit=16)]
    made.loaded(A, [url(n) for n in range(17, 33)], 0.0)
    assert len(made) == 40 - 12


def test_a_url_that_becomes_known_during_a_load_is_not_taken_twice() -> None:
    made = HostQueues(delay=0.0, per_host=99, robots=False, window=16)
    made.open(HostQueue(A, 0.0), [url(1)], 3, 0.0)
    (want,) = made.window.wants()
    made.add(url(4), 0.0)

    made.loaded(A, [url(2), url(3)], 0.0)

    assert list(made.window.wants()) == [Want(A, after=3, limit=want.limit)]
    made.loaded(A, [url(4)], 0.0)
    assert [made.next(0.0) for _ in range(5)] == [url(1), url(2), url(3), url(4), None]


def test_hosts_beyond_the_bound_stay_on_disk_until_another_is_done() -> None:
    made = HostQueues(delay=0.0, per_host=1, robots=False, most_hosts=1)
    made.open(HostQueue(A, 0.0), [url(1)], 1, 0.0)
    made.add(url(2, B), 0.0)
    rooms = [made.window.room_for_hosts(0.0)]

    made.done(fetch(made, 0.0), 0.0)

    rooms.append(made.window.room_for_hosts(0.0))
    made.finished(A)
    rooms.append(made.window.room_for_hosts(0.0))
    assert (made.window.elsewhere, rooms) == (True, [0, 0, 1])
    made.window.expect([B], more=False)
    assert [want.host for want in made.window.wants()] == [B]


def test_a_host_with_nothing_left_and_nothing_in_flight_is_drained() -> None:
    made = queues(url(1))
    drained = [made.drained]
    turn = fetch(made, 0.0)
    drained.append(made.drained)

    made.done(turn, 0.0)

    assert [*drained, made.drained] == [False, False, True]
    assert made.next(0.0) is None


def test_the_smallest_gap_between_two_requests_is_kept() -> None:
    made = queues(url(1), url(2), url(3))
    for now in (0.5, 3.0, 4.5):
        made.done(fetch(made, now), now)

    assert made.hosts[A].smallest_gap == 1.5


def test_waiting_for_the_delay_and_for_a_slot_are_told_apart() -> None:
    made = queues(url(1), url(2), delay=2.0)
    made.done(fetch(made, 0.0), 0.5)

    assert made.next(5.0) == url(2)

    assert made.hosts[A].polite_wait == 1.5
    assert made.hosts[A].slot_wait == 3.0


def test_waiting_until_a_url_is_tried_again_is_waiting_for_neither() -> None:
    made = queues(url(1), delay=2.0)
    made.done(fetch(made, 0.0), 0.5)
    made.retry(url(1, due=30.0), 0.5)

    assert made.next(31.0) == url(1, due=30.0)

    assert made.hosts[A].polite_wait == 1.5
    assert made.hosts[A].slot_wait == 1.0


@given(
    st.lists(st.tuples(st.sampled_from([A, B]), st.floats(0, 3)), min_size=1, max_size=40),
    st.floats(0, 2),
    st.integers(1, 3),
)
def test_every_url_comes_out_once_and_no_host_is_hurried(
    given_urls: list[tuple[str, float]], delay: float, per_host: int
) -> None:
    urls = [url(id_, host, due=due) for id_, (host, due) in enumerate(given_urls, 1)]
    made = queues(*urls, delay=delay, per_host=per_host)
    now, seen, sent = 0.0, [], {A: -inf, B: -inf}
    while (turn := made.next(now)) is not None:
        if isinstance(turn, Wait):
            assert turn.until > now
            now = turn.until
            continue
        assert turn.due <= now
        assert now - sent[turn.host] >= delay - 1e-9
        sent[turn.host] = now
        seen.append(turn.id)
        made.sent(turn.host, now)
        made.done(turn, now)

    assert sorted(seen) == [one.id for one in urls]
    assert made.drained


def test_a_clock_set_back_by_a_day_keeps_no_host_and_no_url_waiting_for_a_day() -> None:
    now, day = 1_000.0, 86_400.0
    made = HostQueues(delay=1.0, per_host=1, robots=False, longest=60.0)

    made.open(HostQueue(A, 1.0, next_at=now + day), [url(1), url(2, due=now + day)], 2, now)

    assert made.next(now) == Wait(now + 60.0)
    assert fetch(made, now + 60.0) == url(2, due=now + day)
    made.done(url(2), now + 60.0)
    assert made.next(now + 61.0) == url(1)


class Disk:
    """One host's rows, and the crawl of them: what is queued, in flight, and how often each was handed out."""

    def __init__(self, rows: int) -> None:
        self.made = HostQueues(delay=0.0, per_host=3, robots=False, window=16)
        self.queued = dict.fromkeys(range(1, rows + 1), True)
        self.given: list[int] = []
        self.again: set[int] = set()
        self.flying: list[CrawlURL] = []
        first = [url(row) for row in range(1, min(rows, 16) + 1)]
        self.made.open(HostQueue(A, 0.0), first, rows, 0.0)

    def take(self) -> None:
        turn = self.made.next(0.0)
        if isinstance(turn, CrawlURL):
            assert self.queued[turn.id], "it is committed already"
            assert turn not in self.flying, "it is being fetched already"
            self.made.sent(A, 0.0)
            self.given.append(turn.id)
            self.flying.append(turn)

    def commit(self) -> None:
        if self.flying:
            turn = self.flying.pop()
            self.made.done(turn, 0.0)
            self.queued[turn.id] = False
            self.made.finished(A)

    def fail(self) -> None:
        if self.flying:
            turn = self.flying.pop()
            self.made.done(turn, 0.0)
            self.given.remove(turn.id)
            self.made.retry(turn, 0.0)
            self.made.finished(A)

    def load(self) -> None:
        for want in list(self.made.window.wants()):
            rows = [row for row, queued in self.queued.items() if queued and row > want.after]
            self.made.loaded(A, [url(row) for row in rows[: want.limit]], 0.0)

    def discover(self) -> None:
        row = len(self.queued) + 1
        self.queued[row] = True
        self.made.add(url(row), 0.0)

    def renew(self) -> None:
        """Queue half of what has ended, and has not been queued again before."""
        ended = [row for row, queued in self.queued.items() if not queued and row not in self.again]
        chosen = ended[::2]
        self.again.update(chosen)
        self.queued.update(dict.fromkeys(chosen, True))
        if chosen:
            self.made.again(Again(A, len(chosen)), 0.0)

    def to_the_end(self) -> None:
        for _ in range(1_000):
            if self.made.drained:
                return
            self.load()
            self.take()
            self.commit()
        raise AssertionError("it does not end")


ACTIONS = ["take", "commit", "load", "discover", "renew", "fail"]


@given(rows=st.integers(1, 60), actions=st.lists(st.sampled_from(ACTIONS), max_size=150))
def test_what_is_queued_again_is_handed_out_once_more_and_only_once(rows: int, actions: list[str]) -> None:
    disk = Disk(rows)

    for action in actions:
        getattr(disk, action)()
    disk.to_the_end()

    assert not any(disk.queued.values())
    assert sorted(disk.given) == sorted([*disk.queued, *disk.again])


def test_what_is_queued_again_of_a_host_that_memory_has_let_go_of_makes_it_wanted() -> None:
    made = queues()

    made.again(Again(A, 3), 0.0)

    assert list(made.window.wants()) == [Want(A, after=0, limit=4_096)]
