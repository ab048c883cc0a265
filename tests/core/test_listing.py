from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from crawler.core.listing import MOST_ENTRIES, Bomb, Listing, moment, read_listing
from crawler.core.records import Kind

HERE = "http://a/sitemap.xml"
LAUGHS = (
    "<!DOCTYPE {0} [<!ENTITY l0 'lol'>"
    + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    + "]><{0}><url><loc>&l9;</loc></url></{0}>"
)


def read(text: str | bytes, *, expected: bool = False) -> Listing | None:
    return read_listing(text.encode() if isinstance(text, str) else text, HERE, expected=expected)


def links(text: str | bytes, *, expected: bool = False) -> dict[str, str]:
    listing = read(text, expected=expected)
    assert listing is not None
    return {link: str(kind) for link, kind in listing.links.items()}


def test_a_sitemap_lists_pages_and_when_they_changed() -> None:
    listing = read(
        '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="i">'
        "<url><loc> http://a/1?x=1&amp;y=2 </loc><lastmod>2026-11-25</lastmod></url>"
        "<url><loc>http://b/2</loc><image:image><image:loc>http://a/no.png</image:loc></image:image></url></urlset>"
    )

    assert listing is not None
    assert listing.links == {"http://a/1?x=1&y=2": Kind.LISTED, "http://b/2": Kind.LISTED}
    assert listing.dates == {"http://a/1?x=1&y=2": 1_795_651_200.0}, "the end of that day"


def test_an_index_lists_sitemaps_and_never_itself() -> None:
    found = links(
        f"<sitemapindex><sitemap><loc>{HERE}</loc></sitemap><sitemap><loc>http://a/2.xml</loc></sitemap></sitemapindex>"
    )

    assert found == {"http://a/2.xml": "sitemap"}


@pytest.mark.parametrize(
    "feed",
    [
        "<rss><channel><link>http://a/home</link><item><title>T</title><link>http://a/1</link></item></channel></rss>",
        "<rss><channel><item><guid>http://a/1</guid></item></channel></rss>",
        '<feed xmlns="http://www.w3.org/2005/Atom"><link href="/home"/><entry><link href="/1"/></entry></feed>',
        '<feed><entry><link rel="edit" href="/2"/><link rel="alternate" href="/1"/></entry></feed>',
        '<rdf:RDF xmlns:rdf="r"><item><link>http://a/1</link></item></rdf:RDF>',
    ],
)
def test_a_feed_lists_its_entries(feed: str) -> None:
    assert links(feed) == {"http://a/1": "listed"}


def test_lines_of_urls_are_a_sitemap_where_one_is_expected() -> None:
    text = "\ufeffhttp://a/1\r\n\r\nhttp://a/2\n"

    assert links(text, expected=True) == {"http://a/1": "listed", "http://a/2": "listed"}
    assert read(text) is None
    assert read("http://a/1\nsome words", expected=True) is None


def test_other_encodings_are_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?><urlset><url><loc>http://a/\xe9</loc></url></urlset>'

    for encoding in ("utf-8", "iso-8859-1", "utf-16"):
        assert links(text.format(encoding).encode(encoding)) == {"http://a/%C3%A9": "listed"}


@pytest.mark.parametrize("text", ["<html><body>", "<svg/>", "<", "no xml", "", "<urlset2><url/></urlset2>"])
def test_what_is_neither_sitemap_nor_feed_is_left_alone(text: str) -> None:
    assert read(text) is None


def test_what_came_before_a_file_breaks_counts() -> None:
    assert links("<urlset><url><loc>http://a/1</loc></url><url><loc>http://a/2<") == {"http://a/1": "listed"}


@pytest.mark.parametrize(
    "bomb",
    [
        LAUGHS.format("urlset"),
        f"<!DOCTYPE urlset [<!ENTITY a '{'a' * 100_000}'>]><urlset><url><loc>{'&a;' * 10_000}</loc></url></urlset>",
        "<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><rss><channel><item><link>&x;</link></item></channel></rss>",
        "<!DOCTYPE feed [<!ENTITY % p SYSTEM 'http://evil/'> %p;]><feed/>",
    ],
    ids=["billion laughs", "quadratic", "external", "parameter"],
)
def test_a_file_that_declares_entities_is_refused(bomb: str) -> None:
    with pytest.raises(Bomb, match="declares the entity"):
        read(bomb)


def test_a_bomb_under_another_name_is_refused_where_a_sitemap_is_expected_and_else_not_read() -> None:
    with pytest.raises(Bomb):
        read(LAUGHS.format("lolz"), expected=True)

    assert read(LAUGHS.format("lolz")) is None


def test_a_document_type_from_elsewhere_is_never_looked_up() -> None:
    assert links("<!DOCTYPE rss SYSTEM 'http://a/rss.dtd'><rss><item><link>http://a/1</link></item></rss>") == {
        "http://a/1": "listed"
    }


def test_no_more_is_read_than_a_sitemap_may_hold() -> None:
    entries = "".join(f"<url><loc>http://a/{number}</loc></url>" for number in range(MOST_ENTRIES + 1))

    listing = read(f"<urlset>{entries}</urlset>")

    assert listing is not None
    assert (len(listing.links), listing.capped) == (50_000, True)


@pytest.mark.parametrize(
    "hostile",
    [
        "<urlset>" * 200_000,
        "<urlset><url><loc>" + "x" * 5_000_000,
        "<urlset a='" + "y" * 5_000_000,
        "<rss " + "z " * 10**6,
    ],
    ids=["nested", "one long text", "one long attribute", "no end"],
)
def test_nothing_hostile_takes_long(hostile: str) -> None:
    began = time.process_time()

    read(hostile)

    assert time.process_time() - began < 20  # a guard against what never ends


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-25", 1_795_564_800.0 + 86_400),
        ("2026-11", 1_793_491_200.0),
        ("2026", 1_767_225_600.0),
        ("2026-11-25T02:00:00+02:00", 1_795_564_800.0),
        ("2026-11-25T00:00:00Z", 1_795_564_800.0),
        ("Wed, 25 Nov 2026 00:00:00 GMT", 1_795_564_800.0),
        ("Wed, 25 Nov 2026 02:00:00 +0200", 1_795_564_800.0),
        ("", None),
        ("yesterday", None),
        ("2026-13-45", None),
        ("9" * 100, None),
    ],
)
def test_times_are_read_as_sitemaps_and_feeds_write_them(text: str, at: float | None) -> None:
    assert moment(text) == at


@pytest.mark.parametrize(
    ("label", "codec"), [("GB2312", "gb2312"), ("Shift_JIS", "shift_jis"), ("windows-1251", "cp1251")]
)
def test_a_feed_is_read_in_the_encoding_that_it_declares(label: str, codec: str) -> None:
    letters = {"GB2312": "\u4e2d", "Shift_JIS": "\u65e5"}.get(label, "\u041f")
    feed = f'<?xml version="1.0" encoding="{label}"?><rss><item><link>http://a.example/{letters}</link></item></rss>'

    listing = read_listing(feed.encode(codec), "http://a.example/feed", expected=False)

    assert listing is not None
    assert list(listing.links) == [f"http://a.example/{quote(letters)}"]


@pytest.mark.parametrize("label", ["utf-7", "klingon", "utf8mb4"])
def test_a_feed_in_an_unknown_encoding_counts_as_utf_8(label: str) -> None:
    feed = f'<?xml version="1.0" encoding="{label}"?><rss><item><link>http://a.example/\u00e9</link></item></rss>'

    listing = read_listing(feed.encode(), "http://a.example/feed", expected=False)

    assert listing is not None
    assert list(listing.links) == ["http://a.example/%C3%A9"]
