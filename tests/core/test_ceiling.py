from __future__ import annotations

from msgspec.structs import replace

from crawler.core.bottleneck import Bottleneck
from crawler.core.ceiling import Ceiling, ceiling
from crawler.core.evidence import Evidence, Reading, Rules

RULES = Rules(concurrency=10, per_host=1, workers=2, cores=4, most_pages=100)


def bound(**used: float) -> Ceiling | None:
    return ceiling(Evidence(used=replace(Reading(at=10.0, samples=10.0), **used), rules=RULES))


def test_the_busiest_resource_bounds_the_pages_by_the_part_of_it_that_is_used() -> None:
    assert bound(pages=100, main_cpu=5.0, allowed=1e6) == Ceiling(Bottleneck.LOOP, 20.0)
    assert bound(pages=100, main_cpu=2.0, parse_ran=16.0, allowed=1e6) == Ceiling(Bottleneck.PARSE, 12.5)


def test_hosts_that_allow_less_than_the_machine_carries_are_the_bound() -> None:
    assert bound(pages=100, main_cpu=1.0, allowed=120.0) == Ceiling(Bottleneck.POLITENESS, 12.0)


def test_hosts_bound_a_crawl_that_does_nothing_yet() -> None:
    assert bound(pages=0, allowed=20.0) == Ceiling(Bottleneck.POLITENESS, 2.0)


def test_no_bound_is_below_what_was_done() -> None:
    assert bound(pages=100, main_cpu=10.0, loop_starved=5.0, allowed=200.0) == Ceiling(Bottleneck.LOOP, 10.0)
    assert bound(pages=100, main_cpu=10.0, loop_starved=5.0, allowed=1.0) == Ceiling(Bottleneck.POLITENESS, 10.0)


def test_where_nothing_was_sampled_there_is_no_bound() -> None:
    assert ceiling(Evidence(used=Reading(at=1.0), rules=RULES)) is None
