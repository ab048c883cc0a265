from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from crawler.core.outcomes import Outcome
from crawler.core.records import Kind, Page
from crawler.core.tally import OTHERS, Tally

PAGE = Page(
    url="http://a/",
    outcome=Outcome.OK,
    detail="",
    status=200,
    depth=0,
    kind=Kind.SEED,
    via=None,
    attempts=1,
    fetched_at=datetime.fromtimestamp(0, UTC),
    seconds=0.1,
    wire_size=100,
)


def test_pages_are_counted_by_how_they_ended() -> None:
    tally = Tally()
    tally.add(PAGE)
    tally.add(replace(PAGE, outcome=Outcome.HTTP_CLIENT_ERROR, status=404))
    tally.add(replace(PAGE, outcome=Outcome.ROBOTS_DENIED, status=0))

    assert (tally.done, tally.failed, tally.pages, tally.bytes) == (1, 1, 2, 200)
    assert tally.outcomes[Outcome.ROBOTS_DENIED] == 1


def test_failures_of_one_cause_are_grouped_with_the_first_as_example() -> None:
    tally = Tally()
    for path in ("one", "two"):
        tally.add(replace(PAGE, url=f"http://a/{path}", outcome=Outcome.HTTP_CLIENT_ERROR, status=404))

    ((key, cause),) = tally.causes.items()

    assert key == (Outcome.HTTP_CLIENT_ERROR, 404)
    assert (cause.count, cause.example) == (2, "http://a/one")


def test_hosts_past_the_bound_are_counted_together() -> None:
    tally = Tally()
    for number in range(10_002):
        tally.add(replace(PAGE, url=f"http://h{number}/"))

    assert len(tally.hosts) == 10_001
    assert tally.hosts[OTHERS].pages == 2


def test_only_the_first_bad_seeds_are_kept_word_for_word() -> None:
    tally = Tally()
    for number in range(25):
        tally.bad_seed(f"bad {number}")

    assert tally.seeds_bad == 25
    assert tally.bad_seeds == [f"bad {number}" for number in range(20)]
