from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.core.evidence import Blamed, Cause, Estimate, Evidence, Reading, Rules, between
from crawler.core.ledger import Feed
from crawler.core.verdict import Bottleneck, judge, shares_of

RULES = Rules(concurrency=64, per_host=8, workers=2, cores=4, most_pages=192)
DELAYED = {Cause.DELAY: (Blamed(host="https://docs.example.org", share=0.9, delay=1.0),)}
HELD = {Cause.HOLD: (Blamed(host="https://docs.example.org", share=0.9, rate_limited=4),)}


def crawled(
    feed: dict[Feed, float],
    *,
    hosts: Mapping[Cause, tuple[Blamed, ...]] | None = None,
    rules: Rules = RULES,
    **used: Any,
) -> Evidence:
    """A hundred seconds of a crawl, busy with nothing but what is said; of the slots, nine tenths are taken."""
    usual: dict[str, Any] = {
        "at": 100.0,
        "pages": 1000.0,
        "requests": 1000.0,
        "first_byte": 5760.0,
        "samples": 100.0,
        "slots": 5760.0,
        "spare": 6400.0,
    }
    return Evidence(used=Reading(feed=feed, **(usual | used)), rules=rules, hosts=hosts or {})


SLOTS = {Feed.SLOTS: 97.0, Feed.WORKING: 3.0}


def test_a_crawl_that_waits_for_the_delay_of_a_host_is_bound_by_politeness() -> None:
    verdict = judge(crawled({Feed.WAIT: 91.0, Feed.SLOTS: 9.0}, hosts=DELAYED, first_byte=10.0, slots=10.0))

    assert verdict.kind is Bottleneck.POLITENESS
    assert verdict.sentence == (
        "Bottleneck: politeness of docs.example.org (1.0 s delay): 91 % of the time no host was due"
    )
    assert "More concurrency will not help" in verdict.counterfactual
    assert verdict.gain == pytest.approx(1 / (1 - 0.455))


def test_nobody_is_told_to_break_the_delay_that_a_robots_txt_asks_for() -> None:
    asked = {Cause.DELAY: (Blamed(host="http://a", share=0.9, delay=5.0, robots_delay=5.0),)}

    verdict = judge(crawled({Feed.WAIT: 100.0}, hosts=asked, slots=10.0))

    assert "half the delay" not in verdict.counterfactual
    assert "robots.txt asks" in verdict.counterfactual


def test_hosts_that_ask_to_be_left_alone_are_throttling() -> None:
    sampled = {(Feed.WAIT, Cause.HOLD): 90.0}

    verdict = judge(crawled({Feed.WAIT: 95.0, Feed.WORKING: 5.0}, hosts=HELD, sampled=sampled, rate_limited=40.0))

    assert verdict.kind is Bottleneck.THROTTLING
    assert "40 of 1000 answers were 429 or 503" in verdict.evidence


def test_hosts_that_fail_do_not_throttle() -> None:
    verdict = judge(crawled({Feed.WAIT: 95.0}, hosts=HELD, sampled={(Feed.WAIT, Cause.HOLD): 90.0}))

    assert verdict.sentence.startswith("Bottleneck: failures of docs.example.org")


def test_full_slots_that_wait_for_first_bytes_are_remote_latency() -> None:
    verdict = judge(crawled(SLOTS, loop_cpu=20.0))

    assert verdict.kind is Bottleneck.LATENCY
    assert verdict.counterfactual == "A concurrency of 128 ≈ 1.9 ×."  # noqa: RUF001  the sign that is meant


def test_no_more_is_foretold_than_the_next_resource_allows() -> None:
    assert judge(crawled(SLOTS, loop_cpu=65.0)).gain == pytest.approx(1 / 0.65)
    assert judge(crawled(SLOTS, parse_ran=140.0)).gain == pytest.approx(1 / 0.7)
    assert judge(crawled(SLOTS, spare=1280.0)).gain == pytest.approx(1.2)


def test_more_slots_are_not_recommended_where_no_host_is_ready() -> None:
    verdict = judge(crawled(SLOTS, spare=0.0))

    assert (verdict.kind, verdict.gain) == (Bottleneck.LATENCY, 0.0)
    assert "More concurrency alone will not help" in verdict.counterfactual


def test_hosts_whose_places_are_taken_are_remote_latency_too() -> None:
    sampled = {(Feed.IDLE, Cause.PLACES): 100.0}

    verdict = judge(crawled({Feed.IDLE: 100.0}, sampled=sampled, first_byte=400.0, slots=400.0))

    assert verdict.kind is Bottleneck.LATENCY
    assert "8 at a time per host" in verdict.sentence


def test_full_slots_that_wait_for_bodies_are_the_wire() -> None:
    assert judge(crawled(SLOTS, first_byte=760.0, body=5000.0)).kind is Bottleneck.WIRE


def test_full_slots_of_a_busy_loop_are_the_loops_fault() -> None:
    verdict = judge(crawled(SLOTS, loop_cpu=95.0))

    assert (verdict.kind, verdict.gain) == (Bottleneck.LOOP, 0.0)


def test_a_loop_that_is_blocked_is_busy_without_running() -> None:
    verdict = judge(crawled(SLOTS, loop_cpu=10.0, late=92.0))

    assert verdict.kind is Bottleneck.LOOP
    assert "belongs into a thread" in verdict.counterfactual


@pytest.mark.parametrize("leaner", [True, False])
def test_a_busy_loop_is_offered_the_lean_client_where_it_is_not_in_use(leaner: bool) -> None:  # noqa: FBT001  a parameter of the test
    found = crawled(SLOTS, loop_cpu=95.0)

    verdict = judge(replace(found, rules=replace(found.rules, leaner=leaner)))

    assert ("--client lean" in verdict.counterfactual) is leaner


def test_fetches_that_wait_for_nothing_outside_wait_for_the_loop() -> None:
    assert judge(crawled(SLOTS, first_byte=1000.0, loop_cpu=60.0)).kind is Bottleneck.LOOP


def test_a_loop_that_finds_no_core_is_short_of_cores() -> None:
    verdict = judge(crawled(SLOTS, loop_cpu=20.0, loop_starved=75.0, machine=400.0))

    assert verdict.kind is Bottleneck.CORES


def test_pages_that_wait_for_busy_workers_are_bound_by_parse() -> None:
    verdict = judge(crawled({Feed.PARSE: 97.0, Feed.WORKING: 3.0}, parse_ran=195.0, parse_cpu=190.0, slots=600.0))

    assert verdict.kind is Bottleneck.PARSE
    assert verdict.counterfactual.startswith("4 workers instead of 2 ≈ 1.9 ×")  # noqa: RUF001  the sign that is meant


def test_the_share_of_the_extract_function_in_the_work_of_the_workers_is_told() -> None:
    waiting = {Feed.PARSE: 97.0, Feed.WORKING: 3.0}

    verdict = judge(crawled(waiting, parse_ran=195.0, parse_cpu=190.0, extract_ran=78.0, slots=600.0))

    assert verdict.kind is Bottleneck.PARSE
    assert "40 % of it in the extract function" in verdict.evidence


def test_workers_that_spend_most_of_their_time_in_the_extract_function_are_bound_by_it() -> None:
    waiting = {Feed.PARSE: 97.0, Feed.WORKING: 3.0}

    verdict = judge(crawled(waiting, parse_ran=195.0, parse_cpu=190.0, extract_ran=156.0, slots=600.0))

    assert verdict.kind is Bottleneck.EXTRACT
    assert verdict.sentence == (
        "Bottleneck: the extract function, in 2 parse workers: 97 % of the time fetching had to wait for them"
    )
    assert verdict.counterfactual == (
        "4 workers instead of 2 ≈ 1.9 ×, and a function that takes half as long ≈ 1.6 ×."  # noqa: RUF001
    )


def test_more_workers_are_not_recommended_where_all_cores_are_taken() -> None:
    parsing = {Feed.PARSE: 100.0}
    rules = replace(RULES, cores=2)

    verdict = judge(crawled(parsing, rules=rules, parse_ran=195.0, parse_cpu=180.0, main_cpu=15.0, slots=600.0))

    assert (verdict.kind, verdict.gain) == (Bottleneck.PARSE, 0.0)
    assert "More workers will not help" in verdict.counterfactual


def test_pages_that_wait_for_idle_workers_are_not_bound_by_parse() -> None:
    assert judge(crawled({Feed.PARSE: 100.0}, parse_ran=10.0, slots=600.0)).kind is Bottleneck.LOOP


def test_pages_that_wait_for_commits_are_bound_by_the_journal() -> None:
    committing = {Feed.COMMIT: 96.0, Feed.SLOTS: 4.0}

    verdict = judge(
        crawled(
            committing, commit_ran=98.0, commit_cpu=3.0, synced=95.0, commits=100.0, committed=19_000.0, slots=600.0
        )
    )

    assert verdict.kind is Bottleneck.JOURNAL
    assert "97 % of that in waiting for the disk" in verdict.evidence
    assert verdict.gain == pytest.approx(1.87, abs=0.01)


def test_a_journal_that_waits_for_a_core_is_no_slow_disk() -> None:
    verdict = judge(
        crawled({Feed.COMMIT: 100.0}, commit_ran=100.0, synced=5.0, commit_cpu=5.0, loop_cpu=10.0, loop_starved=80.0)
    )

    assert verdict.kind is Bottleneck.CORES


def test_a_journal_that_is_always_busy_with_small_commits_bounds_nothing() -> None:
    evidence = crawled(SLOTS, commit_ran=99.0, synced=95.0, commits=10_000.0, committed=10_000.0)

    assert evidence.journal_busy > 0.9
    assert evidence.journal_needed < 0.1
    assert judge(evidence).kind is Bottleneck.LATENCY


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (Feed.MIRROR, Bottleneck.MIRROR),
        (Feed.CALLER, Bottleneck.CALLER),
        (Feed.IDLE, Bottleneck.FEW_URLS),
    ],
)
def test_each_other_wait_of_the_feed_has_its_kind(state: Feed, kind: Bottleneck) -> None:
    verdict = judge(crawled({state: 95.0, Feed.SLOTS: 5.0}, slots=100.0, first_byte=100.0))

    assert verdict.kind is kind
    assert verdict.evidence
    assert verdict.counterfactual


def test_two_kinds_that_share_the_time_are_mixed() -> None:
    verdict = judge(crawled({Feed.WAIT: 55.0, Feed.SLOTS: 45.0}, hosts=DELAYED))

    assert verdict.kind is Bottleneck.MIXED
    assert verdict.sentence == "Bottleneck: mixed: politeness 55 %, remote latency 45 %"


def test_a_bottleneck_behind_which_the_next_one_stands_is_mixed() -> None:
    verdict = judge(crawled(SLOTS, parse_ran=190.0))

    assert verdict.kind is Bottleneck.MIXED
    assert "parse busy 95 %" in verdict.sentence


def test_a_crawl_of_no_length_is_too_short_to_tell() -> None:
    assert judge(Evidence(used=Reading(), rules=RULES)).kind is Bottleneck.TOO_SHORT
    assert judge(crawled(SLOTS, pages=9.0, at=9.0)).kind is Bottleneck.TOO_SHORT
    assert judge(crawled(SLOTS, pages=9.0)).kind is Bottleneck.LATENCY


def test_the_end_of_a_crawl_that_nears_its_limit_does_not_count() -> None:
    evidence = crawled({Feed.WAIT: 10.0, Feed.CLOSING: 90.0})

    assert evidence.seconds == 10.0
    assert evidence.causes()[Cause.DELAY] == 1.0


def test_what_was_used_is_the_difference_of_two_readings() -> None:
    earlier = Reading(at=5.0, pages=10.0, feed={Feed.WAIT: 1.0})
    later = Reading(at=9.0, pages=30.0, feed={Feed.WAIT: 2.5, Feed.IDLE: 1.0})

    used = between(earlier, later)

    assert (used.at, used.pages, used.feed) == (4.0, 20.0, {Feed.WAIT: 1.5, Feed.IDLE: 1.0})


seconds = st.floats(0.0, 1e4)
AMOUNTS = (
    *("at", "pages", "bytes", "loop_cpu", "loop_starved", "main_cpu", "machine", "parse_ran", "parse_cpu"),
    *("commit_ran", "commits", "committed", "synced", "requests", "dns", "connect", "first_byte", "body"),
    *("rate_limited", "samples", "late", "slots", "ready", "spare", "mirror_ran", "journal_other"),
)


def test_work_that_is_away_is_taken_for_work_like_that_which_is_back() -> None:
    assert Estimate().read(counted=2.0, back=4.0, away=1.0) == 2.5


def test_a_meter_is_not_set_back_when_work_turns_out_to_be_less_than_it_was_taken_for() -> None:
    meter = Estimate()
    assert meter.read(counted=0.0, back=0.0, away=0.5) == 0.5

    assert meter.read(counted=0.1, back=0.6, away=0.0) == 0.5
    assert meter.read(counted=0.7, back=1.2, away=0.0) == 0.7


@given(
    st.dictionaries(st.sampled_from(Feed), seconds, min_size=1),
    st.dictionaries(st.tuples(st.sampled_from(Feed), st.sampled_from(Cause)), seconds),
    st.fixed_dictionaries(dict.fromkeys(AMOUNTS, seconds)),
)
def test_whatever_was_measured_there_is_a_verdict_whose_shares_add_up(
    feed: dict[Feed, float], sampled: dict[tuple[Feed, Cause], float], used: dict[str, Any]
) -> None:
    evidence = Evidence(used=Reading(feed=feed, sampled=sampled, **used), rules=RULES)

    verdict = judge(evidence)

    shares = shares_of(evidence)
    assert not shares or sum(shares.values()) == pytest.approx(1.0)
    assert verdict.gain == 0.0 or 1.0 <= verdict.gain <= 2.0
    assert verdict.sentence.startswith("Bottleneck: ")


def test_the_loop_and_the_core_it_waits_for_are_one_bottleneck_with_two_names() -> None:
    verdict = judge(crawled(SLOTS, loop_cpu=55.0, main_cpu=60.0, loop_starved=35.0))

    assert verdict.kind is Bottleneck.LOOP
    assert "it found no core 35 %" in verdict.evidence
    assert verdict.shares[Bottleneck.CORES] > 0.3
