"""Every URL known, once, with its state and its reason."""

from __future__ import annotations

from pathlib import Path

from crawler.config import Scope
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Kind
from crawler.core.window import Want
from crawler.storage.frontier import Sown
from tests.storage.room import room, urls

SHALLOW = Scope(rule="any", max_depth=1)


# becoming known


def test_seeds_are_queued_in_their_order_at_depth_0(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        sown = opened.sow("http://a/1", "http://b/", "http://a/2")

        assert sown == Sown(
            [
                CrawlURL(1, "http://a/1", "http://a"),
                CrawlURL(2, "http://b/", "http://b"),
                CrawlURL(3, "http://a/2", "http://a"),
            ],
            known=0,
        )
        assert opened.totals() == {(State.QUEUED, ""): 3}
        assert len(opened.frontier) == 3


def test_a_seed_given_twice_is_known_once(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        assert opened.sow("http://a/", "http://a/").known == 1
    with room(tmp_path) as opened:
        assert opened.sow("http://a/", "http://a/2") == Sown([CrawlURL(2, "http://a/2", "http://a")], known=1)


def test_a_seed_that_the_patterns_refuse_is_counted_by_reason(tmp_path: Path) -> None:
    scope = Scope(rule="any", exclude=("private",), max_url_length=30)
    with room(tmp_path, scope, query_parameters=2) as opened:
        sown = opened.sow(
            "http://a/private", "http://a/private2", "http://a/?a&b&c&d", "http://a/" + "x" * 30, "http://a/"
        )

        assert sown.refused == {Outcome.EXCLUDED: 2, Outcome.TRAP_LONG_QUERY: 1, Outcome.URL_TOO_LONG: 1}
        assert urls(sown.queued) == ["http://a/"]
        assert opened.totals() == {
            (State.QUEUED, ""): 1,
            (State.SKIPPED, "excluded"): 2,
            (State.SKIPPED, "trap_long_query"): 1,
            (State.SKIPPED, "url_too_long"): 1,
        }
        assert opened.rows("SELECT length(url) FROM url WHERE outcome = 'url_too_long'") == [(30,)]


def test_outlinks_are_known_once_whoever_names_them(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        one, two = opened.sow("http://a/1", "http://a/2").queued

        first = opened.discover(one, "http://a/3", "http://a/3", "http://a/2", "http://a/1")
        second = opened.discover(two, "http://a/3", "http://a/4")

        assert first == [CrawlURL(3, "http://a/3", "http://a", 1, Kind.LINK, "http://a/1")]
        assert second == [CrawlURL(4, "http://a/4", "http://a", 1, Kind.LINK, "http://a/2")]


def test_what_is_out_of_scope_has_its_reason_in_the_table(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="host")) as opened:
        (seed,) = opened.sow("http://a/").queued

        assert opened.discover(seed, "http://b/", "http://a/2")[0].url == "http://a/2"
        assert opened.discover(seed, "http://b/") == []
        assert opened.rows("SELECT url, host, state, outcome FROM url WHERE url LIKE '%b/'") == [
            ("http://b/", 0, 3, "out_of_scope")
        ]


def test_a_redirect_keeps_the_depth_and_remembers_its_chain(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        (seed,) = opened.sow("http://a/1").queued
        (second,) = opened.discover(seed, "http://a/2", kind=Kind.REDIRECT)
        (third,) = opened.discover(second, "http://b/3", kind=Kind.REDIRECT)
        (page,) = opened.discover(third, "http://b/4")

        assert third == CrawlURL(
            3, "http://b/3", "http://b", 0, Kind.REDIRECT, "http://a/2", ("http://a/1", "http://a/2")
        )
        assert page == CrawlURL(4, "http://b/4", "http://b", 1, Kind.LINK, "http://b/3")
    with room(tmp_path) as opened:
        assert opened.load("http://b") == (third, page)


def test_a_seed_that_moves_within_its_domain_takes_its_scope_with_it(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="host")) as opened:
        (seed,) = opened.sow("http://example.org/").queued

        (moved,) = opened.discover(seed, "http://www.example.org/", kind=Kind.REDIRECT)
        assert opened.discover(moved, "http://elsewhere.com/", kind=Kind.REDIRECT) == []

        assert urls(opened.discover(moved, "http://www.example.org/2")) == ["http://www.example.org/2"]


def test_a_host_has_a_budget(tmp_path: Path) -> None:
    with room(tmp_path, pages_per_host=2) as opened:
        (seed,) = opened.sow("http://a/1").queued
        found = opened.discover(seed, "http://a/2", "http://a/3", "http://b/1")
        opened.finish(seed)
        opened.finish(found[0])

        assert urls(found) == ["http://a/2", "http://b/1"]
    with room(tmp_path, pages_per_host=2) as opened:
        assert urls(opened.discover(found[1], "http://a/4", "http://b/2", "http://b/3")) == ["http://b/2"]
        assert opened.totals()[State.SKIPPED, "trap_host_budget"] == 3


# being taken back


def test_a_url_refused_as_too_deep_is_taken_back_when_it_is_found_nearer(tmp_path: Path) -> None:
    with room(tmp_path, SHALLOW) as opened:
        one, two = opened.sow("http://a/1", "http://a/2").queued
        (near,) = opened.discover(one, "http://a/3")
        assert opened.discover(near, "http://a/4") == []
        assert opened.totals()[State.SKIPPED, "too_deep"] == 1

        assert opened.discover(two, "http://a/4") == [CrawlURL(5, "http://a/4", "http://a", 1, Kind.LINK, "http://a/2")]

        assert opened.totals() == {(State.QUEUED, ""): 4}
        assert opened.discover(two, "http://a/4") == []


def test_a_url_that_has_ended_is_not_taken_back_whatever_its_outcome(tmp_path: Path) -> None:
    with room(tmp_path, SHALLOW) as opened:
        (one,) = opened.sow("http://a/1").queued
        opened.finish(one, Outcome.TOO_DEEP)

        sown = opened.sow("http://a/1")

        assert (sown.queued, sown.known) == ([], 1)


def test_a_url_refused_and_found_nearer_on_the_same_page_is_taken_back(tmp_path: Path) -> None:
    with room(tmp_path, SHALLOW) as opened, opened.transaction():
        one, two = opened.frontier.sow(["http://a/1", "http://a/2"]).queued
        (near,) = opened.frontier.discover(one, [(Kind.LINK, "http://a/3")])
        assert not list(opened.frontier.discover(near, [(Kind.LINK, "http://a/4")]))

        assert urls(list(opened.frontier.discover(two, [(Kind.LINK, "http://a/4")]))) == ["http://a/4"]


def test_whoever_has_read_past_a_refused_url_meets_it_when_it_is_taken_back(tmp_path: Path) -> None:
    with room(tmp_path, SHALLOW) as opened:
        one, two = opened.sow("http://a/1", "http://a/2").queued
        (near,) = opened.discover(one, "http://a/3")
        opened.discover(near, "http://a/deep")
        opened.discover(two, "http://a/5")
        cursor = opened.load("http://a")[-1].id

        opened.discover(two, "http://a/deep")

        assert urls(opened.load("http://a", after=cursor)) == ["http://a/deep"]


def test_a_url_out_of_scope_becomes_a_page_when_a_seed_names_it(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="host", max_depth=1)) as opened:
        (seed,) = opened.sow("http://a/").queued
        (near,) = opened.discover(seed, "http://a/1")
        opened.discover(near, "http://b/", "http://b/2", "http://c/")
        assert opened.sow("http://b/") == Sown([], known=1)

        found = opened.reconsider()

        assert found == [CrawlURL(6, "http://b/", "http://b")]
        assert opened.load("http://b") == tuple(found)
        assert opened.totals() == {
            (State.QUEUED, ""): 3,
            (State.SKIPPED, "too_deep"): 1,
            (State.SKIPPED, "out_of_scope"): 1,
        }
        assert opened.reconsider() == []


def test_a_seed_that_comes_during_the_second_look_is_heeded(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="host")) as opened:
        (seed,) = opened.sow("http://a/").queued
        opened.discover(seed, "http://b/2")
        with opened.transaction():
            assert opened.frontier.reconsider() == []
        opened.sow("http://b/")

        assert urls(opened.reconsider()) == ["http://b/2"]


def test_a_kill_before_the_second_look_only_puts_it_off(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="host")) as opened:
        (seed,) = opened.sow("http://a/").queued
        opened.discover(seed, "http://b/2")
        assert opened.reconsider() == []
        opened.sow("http://b/")
    with room(tmp_path, Scope(rule="host")) as opened:
        assert urls(opened.reconsider()) == ["http://b/2"]
    with room(tmp_path, Scope(rule="host")) as opened:
        assert opened.reconsider() == []


def test_a_greater_depth_goes_on_where_the_smaller_one_ended(tmp_path: Path) -> None:
    with room(tmp_path, SHALLOW) as opened:
        (seed,) = opened.sow("http://a/").queued
        (near,) = opened.discover(seed, "http://a/1")
        opened.discover(near, "http://a/2")
        assert opened.reconsider() == []

    with room(tmp_path, Scope(rule="any", max_depth=2)) as opened:
        assert opened.reconsider() == [CrawlURL(4, "http://a/2", "http://a", 2, Kind.LINK, "http://a/1")]


def test_urls_that_were_cut_for_their_length_are_never_taken_back(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="any", max_url_length=20)) as opened:
        opened.sow("http://a/" + "x" * 20)

    with room(tmp_path) as opened:
        assert opened.reconsider() == []


# ending, and coming back to memory


def test_a_finished_url_is_no_longer_waiting(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        one, two = opened.sow("http://a/1", "http://a/2").queued

        opened.finish(CrawlURL(one.id, one.url, one.host, attempts=3), Outcome.CONNECT_REFUSED)

        assert opened.load("http://a") == (two,)
        assert opened.totals() == {(State.QUEUED, ""): 1, (State.FAILED, "connect_refused"): 1}
        assert opened.rows("SELECT attempts FROM url WHERE id = 1") == [(3,)]


def test_a_postponed_url_waits_with_its_attempts_and_its_time(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        (seed,) = opened.sow("http://a/1").queued
        again = CrawlURL(seed.id, seed.url, seed.host, attempts=2, due=99.5)
        with opened.transaction():
            opened.frontier.postpone(again, Outcome.HTTP_UNAVAILABLE)

        assert opened.totals() == {(State.QUEUED, ""): 1}
    with room(tmp_path) as opened:
        assert opened.load("http://a") == (again,)


def test_queued_urls_come_back_in_parts_and_in_their_order(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        opened.sow(*(f"http://{host}/{number}" for number in range(5) for host in "ab"))

    with room(tmp_path) as opened:
        first = opened.load("http://a", limit=2)
        second = opened.load("http://a", after=first[-1].id, limit=2)
        third = opened.load("http://a", after=second[-1].id, limit=2)

        assert urls((*first, *second, *third)) == [f"http://a/{number}" for number in range(5)]
        assert opened.load("http://nowhere") == ()


def test_a_host_opens_with_what_is_known_of_it(tmp_path: Path) -> None:
    with room(tmp_path, Scope(rule="any")) as opened:
        (seed,) = opened.sow("http://a/1").queued
        opened.discover(seed, "http://a/2", "http://b/1")
        with opened.transaction():
            opened.frontier.hosts.keep_robots("http://a", b"User-agent: *", 200, 500.0)
            opened.frontier.hosts.hold("http://a", 60.0)
            opened.frontier.hosts.hold("http://a", 50.0)

        new = opened.frontier.open(Want("http://a", 0, 1))
        assert (new.asked, new.trusted, new.queued, new.next_at) == (False, True, 2, 60.0)
        assert (new.robots, new.robots_until) == (b"User-agent: *", 500.0)
        assert new.urls == (seed,)
    with room(tmp_path, Scope(rule="any")) as opened:
        old = opened.frontier.open(Want("http://a", 0, 1))
        linked = opened.frontier.open(Want("http://b", 0, 9))
        assert (old.asked, old.robots, old.next_at) == (True, b"User-agent: *", 60.0)
        assert (linked.asked, linked.trusted, linked.robots, linked.robots_until) == (True, False, None, 0.0)
        opened.sow("http://c/")
        assert not opened.frontier.open(Want("http://c", 0, 9)).asked


def test_hosts_with_most_urls_come_first_and_those_in_memory_not_at_all(tmp_path: Path) -> None:
    with room(tmp_path) as opened:
        seeds = opened.sow(
            "http://a/1", "http://b/1", "http://b/2", "http://c/1", "http://c/2", "http://c/3", "http://d/"
        )
        opened.finish(seeds.queued[-1])
        waiting = opened.frontier.waiting_hosts

        assert waiting(set(), 9) == ["http://c", "http://b", "http://a"]
        assert waiting({"http://b"}, 9) == ["http://c", "http://a"]
        assert waiting(set(), 1) == ["http://c"]
