from __future__ import annotations

from math import inf

import pytest

from crawler.config import Recrawl
from crawler.core.changes import NOWHERE, Change, Earlier, change_of, outcome_of
from crawler.core.main_text import main_text
from crawler.core.outcomes import Outcome
from crawler.core.schedule import standing

RULES = Recrawl(first=100.0, shortest=10.0, longest=1_000.0, sooner=0.8, later=1.4, patience=3)
PAGE = Earlier(interval=100.0, status=200, digest=b"one", payload=("segment", 0, 9))
POINTER = Earlier(interval=100.0, status=301, digest=b"nothing", location="http://a/there")
MISSED = Earlier(interval=100.0, misses=1, status=200, digest=b"one")


@pytest.mark.parametrize(
    ("earlier", "outcome", "digest", "location", "change"),
    [
        (NOWHERE, Outcome.OK, b"one", "", Change.NEW),
        (PAGE, Outcome.OK, b"one", "", Change.UNCHANGED),
        (PAGE, Outcome.OK, b"two", "", Change.CHANGED),
        (PAGE, Outcome.NOT_MODIFIED, b"one", "", Change.UNCHANGED),
        (PAGE, Outcome.REDIRECT, b"nothing", "http://a/there", Change.MOVED),
        (PAGE, Outcome.GONE, b"no", "", Change.GONE),
        (PAGE, Outcome.HTTP_SERVER_ERROR, b"no", "", None),
        (POINTER, Outcome.REDIRECT, b"other body", "http://a/there", Change.UNCHANGED),
        (POINTER, Outcome.REDIRECT, b"nothing", "http://a/elsewhere", Change.MOVED),
        (POINTER, Outcome.OK, b"nothing", "", Change.CHANGED),
        (MISSED, Outcome.OK, b"one", "", Change.NEW),
        (MISSED, Outcome.GONE, b"no", "", None),
        (NOWHERE, Outcome.GONE, b"no", "", None),
        (NOWHERE, Outcome.ROBOTS_DENIED, b"", "", None),
    ],
)
def test_a_page_is_compared_with_how_it_was_when_it_was_last_there(
    earlier: Earlier, outcome: Outcome, digest: bytes, location: str, change: Change | None
) -> None:
    assert change_of(earlier, outcome, digest=digest, location=location, same_text=False) is change


def test_other_bytes_around_the_same_text_are_boilerplate() -> None:
    found = change_of(PAGE, Outcome.OK, digest=b"two", location="", same_text=True)

    assert found is Change.BOILERPLATE


@pytest.mark.parametrize(
    ("earlier", "status", "outcome"),
    [
        (PAGE, 404, Outcome.GONE),
        (PAGE, 410, Outcome.GONE),
        (PAGE, 403, Outcome.HTTP_CLIENT_ERROR),
        (NOWHERE, 404, Outcome.HTTP_CLIENT_ERROR),
        (Earlier(misses=1), 404, Outcome.HTTP_CLIENT_ERROR),
        (Earlier(misses=2), 404, Outcome.GONE),
    ],
)
def test_gone_is_what_was_there_or_was_missed_often(earlier: Earlier, status: int, outcome: Outcome) -> None:
    assert outcome_of(earlier, Outcome.HTTP_CLIENT_ERROR, status, patience=3) is outcome


@pytest.mark.parametrize(
    ("change", "interval"),
    [(Change.CHANGED, 80.0), (Change.MOVED, 80.0), (Change.UNCHANGED, 140.0), (Change.BOILERPLATE, 140.0)],
)
def test_what_changed_is_due_sooner_and_what_did_not_later(change: Change, interval: float) -> None:
    found = standing(PAGE, Outcome.OK, change, 200, 5_000.0, RULES)

    assert found.interval == pytest.approx(interval)
    assert found.due == pytest.approx(5_000 + interval)
    assert found.there


@pytest.mark.parametrize(("interval", "change", "kept"), [(11.0, Change.CHANGED, 10.0), (900.0, None, 900.0)])
def test_an_interval_stays_within_its_bounds_and_a_failure_does_not_touch_it(
    interval: float, change: Change | None, kept: float
) -> None:
    outcome = Outcome.OK if change else Outcome.HTTP_SERVER_ERROR

    assert standing(Earlier(interval=interval, status=200), outcome, change, 200, 0.0, RULES).interval == kept


def test_a_page_seen_for_the_first_time_has_the_first_interval() -> None:
    assert standing(NOWHERE, Outcome.OK, Change.NEW, 200, 7.0, RULES).due == 107.0


@pytest.mark.parametrize(("misses", "status", "due"), [(0, 404, 140.0), (1, 404, 140.0), (2, 404, inf), (0, 410, inf)])
def test_what_is_gone_is_asked_for_a_few_times_more(misses: int, status: int, due: float) -> None:
    found = standing(Earlier(100.0, misses, status=200), Outcome.GONE, None, status, 0.0, RULES)

    assert found.due == pytest.approx(due)
    assert (found.misses, found.there) == (misses + 1, False)


def test_no_answer_says_nothing_about_what_is_missing() -> None:
    assert standing(MISSED, Outcome.CONNECT_REFUSED, None, 0, 0.0, RULES).misses == 1
    assert standing(MISSED, Outcome.OK, Change.NEW, 200, 0.0, RULES).misses == 0


@pytest.mark.parametrize(
    "around",
    [
        "<nav>9 visitors</nav>",
        "<header>9</header><footer>9</footer>",
        "<script>var token = 9</script><style>.a9 {}</style>",
        "<aside>9</aside><form><input value=9>9</form>",
        "<div role=navigation>9</div><p hidden>9</p>",
        "<!-- 9 -->",
    ],
)
def test_what_stands_around_the_main_text_does_not_count(around: str) -> None:
    page = "<title>T</title><body>{}<h1>Head</h1> <p>Some  text.</p>{}"

    assert main_text(page.format(around, around)) == "T Head Some text." == main_text(page.format("", ""))


def test_where_a_main_part_is_marked_nothing_else_counts() -> None:
    assert main_text("<title>T</title><body><p>9</p><main>The text</main><p>9</p>") == "T The text"


@pytest.mark.parametrize(("html", "text"), [("", ""), ("<frameset><frame src=a>", ""), ("<title>T", "T")])
def test_a_page_without_a_body_has_a_main_text_too(html: str, text: str) -> None:
    assert main_text(html) == text
