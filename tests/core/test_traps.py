from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.config import Traps
from crawler.core.outcomes import Outcome
from crawler.core.traps import PATTERN_RUN, trap

LIMITS = Traps()
DEEP, REPEATED, QUERY = Outcome.TRAP_DEEP_PATH, Outcome.TRAP_REPEATED_SEGMENT, Outcome.TRAP_LONG_QUERY


@pytest.mark.parametrize(
    "path",
    [
        "",
        "docs/guide.html",
        "archive/2001/01/01/01/01/",
        "wiki/Buffalo/buffalo/Buffalo/buffalo",
        "a/b/a/b/",
        "en/docs/en/api/en/ref/en/",
        "///x",
        "web/2020/http://example.org/a/b/c",
        "search?from=/a/a/a/a/a/a/a/a/a&to=/" + "b/" * 60,
        "x&" * 40,
        "form?" + "&".join("abcdefghijklmnopqrstuvwxyz012345"),
    ],
)
def test_pages_look_like_pages(path: str) -> None:
    assert trap(f"https://example.org/{path}", LIMITS) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/" * 5, REPEATED),
        ("a/a/a/a/a", REPEATED),
        ("a/b/a/b/a/b", REPEATED),
        ("x/y/z/w/" * 5, REPEATED),
        ("a/b/" * 3, REPEATED),
        ("start/" + "a/b/c/" * 3 + "end", REPEATED),
        ("a/1/a/2/a/3/a/4/a/5", REPEATED),
        ("/".join(map(str, range(25))), DEEP),
        ("a/" * 25, DEEP),
        ("/" * 25, DEEP),
        ("form?" + "&".join("abcdefghijklmnopqrstuvwxyz0123456"), QUERY),
        ("form?" + "&" * 32, QUERY),
    ],
)
def test_each_kind_of_trap_is_named(path: str, kind: Outcome) -> None:
    assert trap(f"https://example.org/{path}", LIMITS) is kind


def test_what_is_as_much_as_allowed_is_no_trap() -> None:
    deep = "https://example.org/" + "/".join(map(str, range(24)))

    assert trap(deep, LIMITS) is None
    assert trap(deep + "/", LIMITS) is None
    assert trap(deep + "/x", LIMITS) is DEEP


def test_higher_limits_let_more_through() -> None:
    generous = Traps(path_depth=100, repeated_segment=10, query_parameters=100)

    assert trap("http://a/" + "x/" * 10, generous) is None
    assert trap("http://a/" + "x/" * 11, generous) is REPEATED
    assert trap("http://a/" + "x/y/" * 5, generous) is None
    assert trap("http://a/" + "x/y/" * 6, generous) is REPEATED


FEW = st.lists(st.sampled_from(["a", "b", "c", "", "d"]), max_size=6)
SEGMENTS = st.builds(lambda start, again, times, end: start + again * times + end, FEW, FEW, st.integers(0, 6), FEW)


@given(SEGMENTS, st.integers(1, 20), st.integers(1, 6), st.sampled_from(["", "?x=/a/a/a/a/a/a/a"]))
def test_the_path_is_judged_as_if_every_pattern_had_been_tried(
    segments: list[str], depth: int, repeated: int, query: str
) -> None:
    limits = Traps(path_depth=depth, repeated_segment=repeated)

    found = trap(f"http://example.org/{'/'.join(segments)}{query}", limits)

    assert found is slowly_judged(segments or [""], depth, repeated)


def slowly_judged(segments: list[str], depth: int, repeated: int) -> Outcome | None:
    if len(segments) - (segments[-1] == "") > depth:
        return DEEP
    if any(segments.count(segment) > repeated for segment in segments if segment):
        return REPEATED
    run = max(PATTERN_RUN, repeated // 2 + 1)
    for period in range(2, 9):
        for at in range(len(segments)):
            pattern = segments[at : at + period]
            if len(set(pattern) - {""}) > 1 and segments[at : at + period * run] == pattern * run:
                return REPEATED
    return None


@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert trap(f"http://example.org/{text}", LIMITS) in {None, DEEP, REPEATED, QUERY}
