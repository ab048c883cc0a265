from __future__ import annotations

import re
import string
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.mirror_name import LONGEST_PART, LONGEST_PATH, mirror_name
from crawler.core.url import normalise

ANYTHING = st.text(st.characters(exclude_categories=()))
MIMES = st.sampled_from(["text/html", "text/plain", "", "application/octet-stream", "image/svg+xml", "\x00/../x"])
HASH = re.compile(r"~[a-z2-7]{16}\.")
DEVICES = {"con", "prn", "aux", "nul", "com1", "com¹", "lpt9", "conin$"}

ALIKE = [
    "a",
    "A",
    "a.html",
    "a.HTML",
    "a~.html",
    "a~",
    "index",
    "index.html",
    "index~.html",
    "b",
    "%61",
    "%41",
    "a.",
    "a_",
]
ODD = [
    *[
        "",
        "_",
        ".a",
        "-a",
        "a%20",
        "a%2Fb",
        "..%2F",
        "%00",
        "%C3%A9",
        "e%CC%81",
        "%ED%A0%80",
        "%E2%80%AE",
        "%5C",
        "a:b",
    ],
    *[
        "con",
        "NUL.txt",
        "aux.",
        "com1",
        "x~1",
        "a.html_",
        "k" * 99,
        "k" * 100,
        "k" * 101,
        "%C3%9F",
        "ss",
        "%C5%BF",
        "c%C5%BFs",
    ],
]
SEGMENTS = st.one_of(st.sampled_from(ALIKE), st.sampled_from(ODD), st.text(string.printable, max_size=12))
HOSTS = st.sampled_from(
    ["h", "h.", "-h", "con", "nul.x", "_", "h:80", "h:443", "h:8080", "[::1]", "[::1]:81", "1.2.3.4", "h~", "h*"]
)
QUERIES = st.sampled_from(["", "", "", "?", "?x=1", "?x=2", "?X=1", "?/", "?.html", "?" + "q" * 500])
PATHS = st.lists(SEGMENTS, max_size=4).map("/".join)
HOSTILE = st.builds("{}://{}/{}{}".format, st.sampled_from(["http", "https"]), HOSTS, PATHS, QUERIES)
DEEP = st.builds(
    lambda part, times: f"https://h/{f'{part}/' * times}",
    st.sampled_from(["a", "é", "A", "x" * 90]),
    st.integers(0, 300),
)


def normalised(url: str) -> str:
    try:
        return normalise(url)
    except ValueError:
        return "https://h/"


URLS = st.one_of(HOSTILE, DEEP).map(normalised)


@pytest.mark.parametrize(
    ("url", "mime", "name"),
    [
        ("https://example.org/", "text/html", "example.org/index.html"),
        ("https://example.org/docs/guide.html", "text/html", "example.org/docs/guide.html"),
        ("https://example.org/docs/", "text/html", "example.org/docs/index.html"),
        ("https://example.org/docs", "text/html", "example.org/docs~.html"),
        ("https://example.org/docs/3.11", "text/html; charset=utf-8", "example.org/docs/3.11~.html"),
        ("https://example.org/v1.2/api.json", "text/html", "example.org/v1.2/api.json"),
        ("https://example.org/@scope/x-1.0.tar.gz", "application/gzip", "example.org/@scope/x-1.0.tar.gz"),
        ("https://example.org/~me/a_b+c.png", "image/png", "example.org/~me/a_b+c.png"),
        ("http://example.org/a.txt", "text/plain", "example.org@http/a.txt"),
        ("http://localhost:8000/", "text/html", "localhost@http-8000/index.html"),
        ("https://example.org:8443/", "text/html", "example.org@https-8443/index.html"),
        ("http://[2001:db8::1]:81/", "text/html", "ipv6@2001-db8--1@http-81/index.html"),
        ("https://example.org/data", "application/json", "example.org/data~.json"),
        ("https://example.org/data", "application/x-problem+json", "example.org/data~.json"),
        ("https://example.org/data", "application/x-other+xml", "example.org/data~.xml"),
        ("https://example.org/data", "text/x-unknown", "example.org/data~.txt"),
        ("https://example.org/data", "application/octet-stream", "example.org/data~.bin"),
        ("https://example.org/data", "", "example.org/data~.bin"),
    ],
)
def test_an_ordinary_url_has_the_name_one_expects(url: str, mime: str, name: str) -> None:
    assert mirror_name(url, mime) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/Docs/Guide.html", "h/Docs/Guide~#.html"),
        ("https://h/docs/index.html", "h/docs/index~#.html"),
        ("https://h/list?p=2&q=x", "h/list_p=2&q=x~#.html"),
        ("https://h/?p=2", "h/index_p=2~#.html"),
        ("https://h/a?", "h/a_~#.html"),
        ("https://h/caf%C3%A9/%E4%B8%96.pdf", "h/café/世~#.pdf"),
        ("https://h/a%20b.html", "h/a_b~#.html"),
        ("https://h/a.html/b.html", "h/a.html_/b~#.html"),
        ("https://h/..%2f..%2Fetc%2fpasswd", "h/_.._.._etc_passwd~#.html"),
        ("https://h/.git/config", "h/_.git/config~#.html"),
        ("https://h/-rf/con/nul.txt", "h/_-rf/_con/_nul~#.txt"),
        ("https://h/nul.txt", "h/_nul~#.txt"),
        ("https://h/a//b.html", "h/a/_/b~#.html"),
        ("https://h/docume~1.htm", "h/docume_1~#.htm"),
        ("https://h./a.html", "h_/a~#.html"),
        ("mailto:me@example.org", "_/_~#.html"),
        ("", "_/_~#.html"),
    ],
)
def test_another_url_has_the_nearest_safe_name_and_a_hash(url: str, name: str) -> None:
    assert HASH.sub("~#.", mirror_name(url, "text/html")) == name


def test_urls_that_differ_by_little_all_have_a_name_of_their_own() -> None:
    paths = [
        "a",
        "a/",
        "a.html",
        "a.html/b",
        "A",
        "a?x=1",
        "a?",
        "a%2Fb",
        "a/b",
        "a//b",
        "a/index.html",
        "%61",
        "a~.html",
    ]
    urls = [f"{scheme}://h{port}/{path}" for scheme in ("http", "https") for port in ("", ":81") for path in paths]

    check_apart([mirror_name(url, "text/html") for url in urls])


def test_no_url_can_take_the_hashed_name_of_another() -> None:
    taken = mirror_name("https://h/A", "text/html")

    assert mirror_name(f"https://{taken}", "text/html") != taken


def check_apart(names: list[str]) -> None:
    folded = [name.casefold() for name in names]
    assert len(set(folded)) == len(names)
    folders = {folder for name in folded for folder in list(accumulate(name.split("/"), "{}/{}".format))[:-1]}
    assert not folders & set(folded)


@settings(max_examples=300)
@given(st.lists(st.tuples(URLS, MIMES), unique_by=lambda pair: pair[0], max_size=30))
def test_distinct_urls_never_meet_nor_stand_in_each_others_way(pages: list[tuple[str, str]]) -> None:
    check_apart([mirror_name(url, mime) for url, mime in pages])


@given(URLS)
def test_a_url_that_is_spelt_like_a_name_does_not_take_it(url: str) -> None:
    name = mirror_name(url, "text/html")
    alike = normalised(f"https://h/{name.partition('/')[2]}")

    if alike != url:
        check_apart([name, mirror_name(alike, "text/html")])


@given(st.one_of(URLS, ANYTHING, st.builds("https://h/{}".format, ANYTHING)), st.one_of(MIMES, ANYTHING))
def test_every_name_is_safe(url: str, mime: str) -> None:
    name = mirror_name(url, mime)

    assert len(name.encode()) <= LONGEST_PATH
    assert name.isprintable()
    assert not set(name) & set('<>:"\\|?*% ')
    assert len(name.split("/")) >= 2
    for part in name.split("/"):
        assert 0 < len(part.encode()) <= LONGEST_PART
        assert part[0] not in ".-"
        assert part[-1] not in ". "
        assert part.partition(".")[0].casefold() not in DEVICES
    assert re.search(r"\.[a-z0-9]+$", name)


@given(URLS, MIMES, MIMES)
def test_the_mime_type_changes_the_extension_at_most(url: str, one: str, other: str) -> None:
    first, second = mirror_name(url, one), mirror_name(url, other)

    assert first.rpartition(".")[0][:40] == second.rpartition(".")[0][:40]
    assert mirror_name(url, one) == first


def test_each_two_of_many_similar_paths_are_kept_apart() -> None:
    firsts = [*ALIKE, *ODD]
    paths = [*firsts, *(f"{one}/{two}" for one in firsts for two in ALIKE)]
    urls = {normalise(f"https://h/{path}") for path in paths}

    check_apart([mirror_name(url, "text/html") for url in sorted(urls)])
