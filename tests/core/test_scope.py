from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.config import Scope
from crawler.core.outcomes import Outcome
from crawler.core.scope import DEEPEST_FOLDER, ScopeRule
from crawler.core.url import normalise

SEGMENTS = st.lists(st.sampled_from(["a", "b", "c.html", "", "d?x=/y", "%2F"]), max_size=6).map("/".join)
URLS = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.org", "www.example.org", "other.co.uk", "localhost", "127.0.0.1", "[::1]"]),
    st.sampled_from(["", ":8080", ":443", ":80"]),
    SEGMENTS,
).map(normalise)
RULES = ["page", "prefix", "host", "domain", "any"]


def in_scope(rule: str, seed: str, url: str) -> bool:
    scope = rule_of(rule=rule)
    outcome = scope.judge(url, 0, roots(scope, seed))
    assert outcome in {None, Outcome.OUT_OF_SCOPE}
    return outcome is None


def rule_of(**settings: object) -> ScopeRule:
    return ScopeRule(Scope(**settings))  # type: ignore[arg-type]  # any mix of settings, checked by the cases below


def roots(scope: ScopeRule, *seeds: str) -> Callable[[str], bool]:
    return {key for seed in seeds for key in scope.roots(seed)}.__contains__


def nothing(_key: str) -> bool:
    return False


SEED = "https://www.example.org/docs/guide.html"


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("https://www.example.org/docs/guide.html", "page prefix host domain any"),
        ("https://www.example.org/docs/guide.html?x=1", "prefix host domain any"),
        ("http://www.example.org/docs/guide.html", "prefix host domain any"),
        ("https://www.example.org/docs/", "prefix host domain any"),
        ("https://www.example.org/docs/a/b/c", "prefix host domain any"),
        ("https://www.example.org/docs", "host domain any"),
        ("https://www.example.org/docs2/", "host domain any"),
        ("https://www.example.org/?x=/docs/", "host domain any"),
        ("http://www.example.org/", "host domain any"),
        ("https://www.example.org:8443/docs/", "domain any"),
        ("http://example.org/", "domain any"),
        ("https://cdn.static.example.org/docs/logo.png", "domain any"),
        ("https://example.com/docs/", "any"),
        ("https://www.example.org.evil.com/docs/", "any"),
        ("https://evil-example.org/", "any"),
    ],
)
def test_a_seed_stands_for_what_its_rule_says(url: str, rules: str) -> None:
    assert [rule for rule in RULES if in_scope(rule, SEED, url)] == rules.split()


@pytest.mark.parametrize(
    ("rule", "seed", "expected"),
    [
        ("page", "http://example.org/a?b", ("http://example.org/a?b",)),
        ("prefix", "https://example.org/a/b/c?d/e", ("example.org/a/b/",)),
        ("prefix", "http://example.org/", ("example.org/",)),
        ("host", "http://example.org:8080/a", ("example.org:8080",)),
        ("host", "https://[::1]:8443/a", ("[::1]:8443",)),
        ("domain", "http://a.b.example.co.uk:8080/", ("example.co.uk",)),
        ("domain", "http://127.0.0.1:8000/", ("127.0.0.1",)),
        ("domain", "http://someone.github.io/", ("someone.github.io",)),
        ("domain", "http://localhost/", ("localhost",)),
        ("any", "http://example.org/", ()),
    ],
)
def test_the_root_of_a_seed_is_one_key(rule: str, seed: str, expected: tuple[str, ...]) -> None:
    assert rule_of(rule=rule).roots(seed) == expected


def test_the_keys_of_a_url_are_its_folders_the_nearest_first() -> None:
    assert rule_of(rule="prefix").keys("https://a:81/b/c/d?e/f") == ("a:81/b/c/", "a:81/b/", "a:81/")


def test_default_ports_of_both_schemes_are_the_same_host() -> None:
    assert in_scope("host", normalise("http://a.org:80/"), normalise("https://a.org:443/"))
    assert not in_scope("host", normalise("http://a.org/"), normalise("http://a.org:443/"))


def test_a_seed_deeper_than_any_folder_counted_stands_for_the_deepest_that_is() -> None:
    deep = "http://a/" + "x/" * 1000
    scope = rule_of(rule="prefix")

    assert scope.roots(deep) == ("a/" + "x/" * (DEEPEST_FOLDER - 1),)
    assert len(scope.keys(deep)) == DEEPEST_FOLDER
    assert in_scope("prefix", deep, deep + "y")


@given(URLS, st.sampled_from(RULES))
def test_a_seed_is_in_its_own_scope(url: str, rule: str) -> None:
    assert in_scope(rule, url, url)


@given(URLS, URLS)
def test_each_rule_is_wider_than_the_one_before(seed: str, url: str) -> None:
    verdicts = [in_scope(rule, seed, url) for rule in RULES]

    assert verdicts == sorted(verdicts)


@given(URLS, URLS, st.sampled_from(RULES))
def test_a_key_in_common_with_a_root_decides(seed: str, url: str, rule: str) -> None:
    scope = rule_of(rule=rule)

    assert in_scope(rule, seed, url) == (rule == "any" or bool({*scope.roots(seed)} & {*scope.keys(url)}))


def test_the_first_reason_in_order_is_given() -> None:
    scope = rule_of(rule="host", include=(r"/docs/",), exclude=(r"\.pdf$",), max_depth=2, max_url_length=40)
    known = roots(scope, "http://a.org/")

    assert scope.judge("http://b.org/" + "x" * 40, 9, known) is Outcome.URL_TOO_LONG
    assert scope.judge("http://b.org/x.pdf", 9, known) is Outcome.OUT_OF_SCOPE
    assert scope.judge("http://a.org/x.pdf", 9, known) is Outcome.EXCLUDED
    assert scope.judge("http://a.org/x", 9, known) is Outcome.NOT_INCLUDED
    assert scope.judge("http://a.org/docs/x", 9, known) is Outcome.TOO_DEEP
    assert scope.judge("http://a.org/docs/x", 2, known) is None


def test_one_of_several_patterns_is_enough() -> None:
    scope = rule_of(rule="any", include=("/a/", "/b/"), exclude=("[?&]print", "logout"))

    assert scope.judge("http://x/b/", 0, nothing) is None
    assert scope.judge("http://x/c/", 0, nothing) is Outcome.NOT_INCLUDED
    assert scope.judge("http://x/a/?print=1", 0, nothing) is Outcome.EXCLUDED
    assert scope.judge("http://x/a/logout", 0, nothing) is Outcome.EXCLUDED


def test_depth_is_counted_from_the_seed_and_may_have_no_limit() -> None:
    assert rule_of(rule="any", max_depth=0).judge("http://x/", 0, nothing) is None
    assert rule_of(rule="any", max_depth=0).judge("http://x/", 1, nothing) is Outcome.TOO_DEEP
    assert rule_of(rule="any").judge("http://x/", 10**9, nothing) is None


def test_a_url_as_long_as_allowed_is_not_too_long() -> None:
    url = "http://x/"

    assert rule_of(rule="any", max_url_length=len(url)).judge(url, 0, nothing) is None
    assert rule_of(rule="any", max_url_length=len(url) - 1).judge(url, 0, nothing) is Outcome.URL_TOO_LONG


@pytest.mark.parametrize(
    ("seed", "target", "same"),
    [
        ("http://example.org/", "https://www.example.org/start", True),
        ("http://example.org/", "https://example.org/", True),
        ("http://a.example.co.uk/", "http://b.example.co.uk/", True),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:9000/", True),
        ("http://example.org/", "http://example.com/", False),
        ("http://a.co.uk/", "http://b.co.uk/", False),
        ("http://a.github.io/", "http://b.github.io/", False),
        ("http://127.0.0.1/", "http://127.0.0.2/", False),
        ("http://localhost/", "http://127.0.0.1/", False),
    ],
)
def test_a_redirect_takes_the_scope_along_within_its_domain_only(seed: str, target: str, *, same: bool) -> None:
    assert ScopeRule.alias(seed, target) is same
