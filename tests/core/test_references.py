from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core.references import MAX_BASE, MAX_REFERENCE, References, absolute, base_of
from crawler.core.url import normalise

PAGE = "http://example.org/docs/api/page.html?version=3"

pieces = st.sampled_from(
    [
        *(
            "",
            "a",
            "b.html",
            "/",
            "//",
            "..",
            ".",
            "?",
            "q=1",
            ":",
            "@",
            "\\",
            "http:",
            "HTTPS:",
            "mailto:",
            "host",
            ":0",
        ),
        *("\t", "\n", " ", "\x00", "%2e", "é", "\ud800", "[", ":80", "javascript:", "ftp://", "user:pw@", "[::1]", ";"),
    ]
)
references = st.lists(pieces, max_size=8).map("".join)
pages = st.sampled_from(
    [
        PAGE,
        "http://example.org/",
        "https://example.org/a/b/?/c/d",
        "http://h:8080/x//y/",
        "http://h/a?b=/c",
        "https://[::1]/a",
    ]
)


def crawl_url(reference: str, base: str) -> str:
    """Say what the full, slow way of the package makes of a reference."""
    try:
        return normalise(reference, base)
    except ValueError:
        return ""


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("other.html", "http://example.org/docs/api/other.html"),
        ("../index.html", "http://example.org/docs/index.html"),
        ("./", "http://example.org/docs/api/"),
        ("/top", "http://example.org/top"),
        ("//cdn.example.org/x", "http://cdn.example.org/x"),
        ("?version=4", "http://example.org/docs/api/page.html?version=4"),
        ("http:other.html", "http://example.org/docs/api/other.html"),
        ("http:?version=4", "http://example.org/docs/api/page.html?version=4"),
        (" \n/to\tp\r ", "http://example.org/top"),
        ("\\top", "http://example.org/top"),
        ("HTTPS://EXAMPLE.org:443/a b", "https://example.org/a%20b"),
        ("http://user:secret@example.org/x@y", "http://example.org/x@y"),
        ("/mail/me@example.org", "http://example.org/mail/me@example.org"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ],
)
def test_a_reference_leads_where_a_browser_would_go(reference: str, url: str) -> None:
    assert References().on(PAGE)[reference] == url
    assert absolute(reference, PAGE) == url


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "",
            " ",
            "javascript:void(0)",
            "JavaScript:x",
            " java\nscript:x",
            "mailto:me@example.org",
            "tel:+1",
            "data:,x",
        ),
        *(
            "ftp://example.org/",
            "file:///etc/passwd",
            "about:blank",
            "http://",
            "http://[",
            "http://a b/",
            "//h:99999/",
        ),
        *("http://example.org:0/", "x" * (MAX_REFERENCE + 1)),
    ],
)
def test_what_leads_to_no_http_url_leads_nowhere(reference: str) -> None:
    assert References().on(PAGE)[reference] == ""
    assert absolute(reference, PAGE) == ""


@given(st.lists(st.tuples(pages, references), max_size=12))
@example([(PAGE, "http:?x"), ("http://example.org/docs/api/other", "http:?x")])
@example([(PAGE, "?x"), ("http://example.org/docs/api/other", "?x")])
def test_remembering_changes_no_answer(visits: list[tuple[str, str]]) -> None:
    memory = References()

    for page, reference in visits:
        assert memory.on(page)[reference] == absolute(reference, page)


@given(references, pages)
@example("//user@h:0/", PAGE)
def test_the_result_is_the_crawl_url_that_the_rest_of_the_package_would_make(reference: str, page: str) -> None:
    cleaned = reference.replace("\ud800", "").strip("".join(map(chr, range(33))))
    if cleaned:
        assert absolute(cleaned, page) == crawl_url(cleaned, page)


@pytest.mark.parametrize("reference", ["?next", " ?next", "\t?next", "http:?next", "HT\ntp:?next"])
def test_what_hangs_on_the_page_is_not_remembered_for_its_folder(reference: str) -> None:
    memory = References()

    assert memory.on("http://example.org/a?x=1")[reference] == "http://example.org/a?next"
    assert memory.on("http://example.org/b")[reference] == "http://example.org/b?next"


def test_a_remembered_reference_is_found_again_from_another_page_of_its_folder() -> None:
    memory = References()
    first = memory.on("http://example.org/docs/a")["c"]

    assert memory.on("http://example.org/docs/b?q=/elsewhere/")["c"] is first


def test_the_memory_is_bounded() -> None:
    memory = References(room=10_000)

    for number in range(1_000):
        memory.on(f"http://example.org/{number}/")["page"]

    assert len(memory._folders) < 50


def test_a_page_that_is_no_url_has_only_dead_references() -> None:
    assert References().on("nonsense")["a"] == ""
    assert References().on("")["http://example.org/"] == ""


@pytest.mark.parametrize(
    ("reference", "base"),
    [
        ("/other/", "http://example.org/other/"),
        ("https://elsewhere.example/x/", "https://elsewhere.example/x/"),
        ("http://user:pw@example.org/#top", "http://example.org/"),
        ("data:text/html,x", PAGE),
        ("javascript:x", PAGE),
        ("ftp://example.org/", PAGE),
        ("http://[", PAGE),
        ("", PAGE),
        ("/" + "x" * MAX_BASE, PAGE),
    ],
)
def test_a_base_must_be_http_and_of_reasonable_length(reference: str, base: str) -> None:
    assert base_of(reference, PAGE) == base
