from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL
from crawler.core.redirect import REDIRECTS, follow, outcome_of

SOURCE = CrawlURL(7, "http://a.example/dir/page", "http://a.example")


@given(status=st.integers(200, 299))
def test_a_body_is_read_only_after_success(status: int) -> None:
    assert outcome_of(status) is None


@given(status=st.integers(-1, 9999).filter(lambda status: not 200 <= status < 300))
def test_every_other_status_is_an_outcome(status: int) -> None:
    assert outcome_of(status) is not None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0, Outcome.HTTP_UNEXPECTED),
        (101, Outcome.HTTP_UNEXPECTED),
        (300, Outcome.HTTP_UNEXPECTED),
        (304, Outcome.NOT_MODIFIED),
        (305, Outcome.HTTP_UNEXPECTED),
        (306, Outcome.HTTP_UNEXPECTED),
        (400, Outcome.HTTP_CLIENT_ERROR),
        (407, Outcome.HTTP_CLIENT_ERROR),
        (408, Outcome.HTTP_REQUEST_TIMEOUT),
        (409, Outcome.HTTP_CLIENT_ERROR),
        (429, Outcome.HTTP_RATE_LIMITED),
        (499, Outcome.HTTP_CLIENT_ERROR),
        (500, Outcome.HTTP_SERVER_ERROR),
        (503, Outcome.HTTP_UNAVAILABLE),
        (599, Outcome.HTTP_SERVER_ERROR),
        (600, Outcome.HTTP_UNEXPECTED),
        (999, Outcome.HTTP_UNEXPECTED),
        *((status, Outcome.REDIRECT) for status in sorted(REDIRECTS)),
    ],
)
def test_a_status_has_its_outcome(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://b.example/", "http://b.example/"),
        ("//b.example", "http://b.example/"),
        ("/x", "http://a.example/x"),
        ("x?q#part", "http://a.example/dir/x?q"),
        ("?q", "http://a.example/dir/page?q"),
        ("http://user:secret@b.example/", "http://b.example/"),
        ("  /spaces  ", "http://a.example/spaces"),
    ],
)
def test_a_location_is_resolved_against_the_url_that_answered(location: str, target: str) -> None:
    assert follow(SOURCE, location, limit=20) == (Outcome.REDIRECT, target, "")


@pytest.mark.parametrize("location", [None, ""])
def test_a_redirect_needs_a_location(location: str | None) -> None:
    assert follow(SOURCE, location, limit=20)[:2] == (Outcome.REDIRECT_BAD, "")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "data:,x", "javascript:1", "ftp://b/", "mailto:a@b"])
def test_other_schemes_are_not_followed(location: str) -> None:
    assert follow(SOURCE, location, limit=20)[:2] == (Outcome.SCHEME_BLOCKED, "")


@pytest.mark.parametrize("location", ["http://b:99999/", "http://b:0/", "http://[::1/", "http://%zz/", "http:///"])
def test_what_is_no_url_is_not_followed(location: str) -> None:
    assert follow(SOURCE, location, limit=20)[:2] == (Outcome.URL_INVALID, "")


@pytest.mark.parametrize("location", ["page", "/dir/page#top", "http://a.example:80/dir/page", "/first", "/second"])
def test_a_way_back_into_the_chain_is_a_loop(location: str) -> None:
    chain = ("http://a.example/first", "http://a.example/second")
    source = CrawlURL(7, SOURCE.url, SOURCE.host, chain=chain)

    assert follow(source, location, limit=20)[:2] == (Outcome.REDIRECT_LOOP, "")


@given(made=st.integers(0, 30), limit=st.integers(0, 30))
def test_a_chain_has_at_most_so_many_redirects(made: int, limit: int) -> None:
    chain = tuple(f"http://a.example/{number}" for number in range(made))
    source = CrawlURL(7, SOURCE.url, SOURCE.host, chain=chain)

    outcome, _, _ = follow(source, "/next", limit=limit)

    assert outcome is (Outcome.REDIRECT if made < limit else Outcome.REDIRECT_LIMIT)


@given(location=st.text())
def test_no_location_is_an_exception(location: str) -> None:
    outcome, target, _ = follow(SOURCE, location, limit=20)

    assert (outcome is Outcome.REDIRECT) == bool(target)
    assert outcome.state is State.DONE or outcome.state is State.FAILED
