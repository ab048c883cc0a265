"""Index keys as pywb makes them, and whole index lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.cdxj import line, surt

DIGEST = bytes(range(32))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://example.org/", "org,example)/"),
        ("https://example.org", "org,example)/"),
        ("http://www.Example.org:8080/Path/?B=2&a=1", "org,example:8080)/path?a=1&b=2"),
        ("https://www2.example.org/", "org,example)/"),
        ("http://www12.a.www.org/", "org,www,a)/"),
        ("https://user:pass@example.org:443/", "org,example)/"),
        ("http://example.org:443/", "org,example:443)/"),
        ("http://example.org./x", "org,example)/x"),
        ("http://1.2.3.4/a", "4,3,2,1)/a"),
        ("http://[2001:db8::1]:8080/a", "2001:db8::1:8080)/a"),
        ("http://[::1]:80/a", "::1)/a"),
        ("http://xn--bcher-kva.de/%C3%BC", "de,xn--bcher-kva)/%c3%bc"),
        ("http://example.org/a%20b/%7Efoo//x/", "org,example)/a%20b/~foo/x"),
        ("http://example.org/%41%zz", "org,example)/a%25zz"),
        ("http://example.org/A%2FB?X=%41%2f", "org,example)/a/b?x=a/"),
        ("http://example.org/%252541", "org,example)/a"),
        ("http://example.org/a)b", "org,example)/a)b"),
        ("http://example.org/a//", "org,example)/a"),
        ("http://example.org/?", "org,example)/"),
        ("http://example.org/a/?x=1#f?g", "org,example)/a?x=1"),
        ("http://example.org/?b&a=&a", "org,example)/?a&a=&b"),
        ("http://example.org/?a=1&&b=2&a", "org,example)/?&a&a=1&b=2"),
        ("http://example.org/a?x=/../", "org,example)/a?x=/../"),
        ("http://example.org/?a?b", "org,example)/?a?b"),
    ],
)
def test_a_key_is_what_pywb_looks_up(url: str, key: str) -> None:
    assert surt(url) == key


@given(st.permutations(["a=1", "b=2", "b=1", "c"]))
def test_the_order_of_query_parts_does_not_matter(parts: list[str]) -> None:
    assert surt(f"http://example.org/?{'&'.join(parts)}") == "org,example)/?a=1&b=1&b=2&c"


@given(st.text())
def test_a_key_of_any_text_is_printable_and_holds_no_space(url: str) -> None:
    key = surt(url)

    assert key.isascii()
    assert key.isprintable()
    assert " " not in key


def test_a_line_holds_key_time_and_columns() -> None:
    written = line(
        "https://example.org/a",
        1795448401.999,
        mime="text/html",
        status=200,
        digest=DIGEST,
        length=345,
        offset=12,
        filename="crawl-00001.warc.gz",
    )

    key, time, columns = written.split(" ", 2)
    assert (key, time) == ("org,example)/a", "20261123154001")
    assert json.loads(columns) == {
        "url": "https://example.org/a",
        "mime": "text/html",
        "status": "200",
        "digest": f"sha256:{DIGEST.hex()}",
        "length": "345",
        "offset": "12",
        "filename": "crawl-00001.warc.gz",
    }


def test_a_line_without_a_payload_has_no_digest() -> None:
    written = line("http://a/", 0.0, mime="warc/revisit", status=304, digest=b"", length=1, offset=0, filename="f")

    assert '"digest"' not in written
    assert '"mime": "warc/revisit"' in written


@given(st.text())
def test_a_line_is_one_line_whatever_the_url(url: str) -> None:
    written = line(url, 0.0, mime="text/html", status=200, digest=b"", length=1, offset=0, filename="f")

    assert written.isascii()
    assert written.splitlines() == [written]
