from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.fingerprint import fingerprint

KEY = bytes(range(16))
KEYS = st.binary(min_size=1, max_size=64)
ANYTHING = st.text(st.characters(exclude_categories=()))


def test_fingerprints_never_change() -> None:
    assert fingerprint("https://example.org/", KEY) == -3713242670632098857
    assert fingerprint("https://example.org/a?b=c", KEY) == 1196037404139212247


@given(st.text(), KEYS)
def test_a_fingerprint_is_keyed_blake2b_as_a_signed_number(url: str, key: bytes) -> None:
    digest = hashlib.blake2b(url.encode(), digest_size=8, key=key).digest()

    assert fingerprint(url, key) == int.from_bytes(digest, "little", signed=True)


@given(ANYTHING, KEYS)
def test_any_text_has_a_fingerprint_that_fits_an_integer_of_sqlite(url: str, key: bytes) -> None:
    assert -(2**63) <= fingerprint(url, key) < 2**63


@given(ANYTHING, KEYS, KEYS)
def test_the_key_decides_and_nothing_else_does(url: str, key: bytes, other: bytes) -> None:
    first, second = fingerprint(url, key), fingerprint(url, other)

    assert fingerprint(url, key) == first
    assert (first == second) == (key == other)


def test_different_urls_have_different_fingerprints() -> None:
    assert len({fingerprint(f"http://example.org/{number}", KEY) for number in range(10_000)}) == 10_000
