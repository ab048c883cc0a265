from __future__ import annotations

import random

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spelling import Spot, relative, spell

NAMES = st.sampled_from(("a", "b", "docs", "caf%C3%A9", "a%20b", "%E2%82%AC", "x%22y%3C", "~me", "%7Eme", "v1.0"))
PATHS = st.builds(
    lambda folders, leaf, query: "/" + "".join(f"{folder}/" for folder in folders) + leaf + query,
    st.lists(NAMES, max_size=4),
    NAMES | st.just(""),
    st.sampled_from(("", "?q=1", "?q=%20&r=%C3%A9")),
)


@given(st.integers(0, 2**32), PATHS, PATHS, st.booleans(), st.booleans())
def test_each_spelling_means_the_same_url(seed: int, base: str, path: str, here: bool, header: bool) -> None:  # noqa: FBT001  # drawn, not passed
    target = Spot("127.0.0.3", 8123, path)
    page = Spot(target.address if here else "127.0.0.2", target.port, base)

    text = spell(random.Random(seed), base, target, same_host=here, header=header)  # noqa: S311  # no secret

    assert ada_url.join_url(page.url, text).partition("#")[0] == target.url
    assert not header or (text.isascii() and text.isprintable())


def test_spellings_differ() -> None:
    rng = random.Random(1)  # noqa: S311  # no secret
    target = Spot("127.0.0.3", 8123, "/docs/caf%C3%A9")

    found = {spell(rng, "/docs/", target, same_host=True) for _ in range(200)}

    assert len(found) > 100


@pytest.mark.parametrize(
    ("base", "target", "reference"),
    [
        ("/a/b", "/a/c/d?e", "c/d?e"),
        ("/a/b", "/a/", "./"),
        ("/a/b/c", "/a", "../../a"),
        ("/a", "/?x", "./?x"),
        ("/a?b/c/d", "/e", "e"),
        ("/a/", "/a/", "./"),
    ],
)
def test_a_reference_is_relative_to_the_folder_of_its_base(base: str, target: str, reference: str) -> None:
    assert relative(base, target) == reference
