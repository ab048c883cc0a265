from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.html import LinkReader, Outline
from crawler.core.records import Kind

PAGE = "http://example.org/docs/page.html"


def read(html: str, *, url: str = PAGE, assets: bool = False, max_links: int = 100, product: str = "tester") -> Outline:
    return LinkReader(assets=assets, max_links=max_links, product=product).read(html, url)


def links(html: str, *, assets: bool = False) -> dict[str, Kind]:
    return read(html, assets=assets).links


def paths(html: str, *, assets: bool = False) -> list[str]:
    """Shorten what stands on the page's own host."""
    return [link.removeprefix("http://example.org") for link in links(html, assets=assets)]


# What the page says about itself


def test_a_title_has_its_white_space_collapsed() -> None:
    assert read("<title>\n  One\t&amp;\n two  </title>").title == "One & two"


def test_a_title_is_cut_at_a_thousand_characters() -> None:
    assert read(f"<title>{'word ' * 100_000}</title>").title == ("word " * 200).rstrip()


def test_the_first_title_with_text_is_the_title() -> None:
    assert read("<title> </title><title>one</title><title>two</title>").title == "one"


def test_the_label_of_a_drawing_is_no_title() -> None:
    assert read("<body><svg><title>icon</title></svg><title>page</title>").title == "page"


def test_a_title_after_the_head_counts() -> None:
    assert read("<p>early</p><title>late</title>").title == "late"


def test_the_language_is_that_of_the_html_element() -> None:
    assert read("<html lang=' pt-BR '><p lang=de>").language == "pt-BR"
    assert read("<html xml:lang=fr>").language == "fr"
    assert read("<p lang=de>").language == ""


def test_the_canonical_url_is_absolute() -> None:
    assert read("<link rel='Canonical' href='../real#part'>").canonical == "http://example.org/real"
    assert read("<link rel=canonical href='android-app://x'>").canonical == ""


@pytest.mark.parametrize(
    ("meta", "noindex", "nofollow"),
    [
        ("name=robots content=noindex", True, False),
        ("name=ROBOTS content='NoFollow , noarchive'", False, True),
        ("name=robots content=none", True, True),
        ("name=' Tester ' content='noindex,nofollow'", True, True),
        ("name=robots content='index, follow'", False, False),
        ("name=otherbot content=none", False, False),
        ("name=robots", False, False),
        ("property=robots content=none", False, False),
    ],
)
def test_meta_elements_speak_to_robots_and_to_us(meta: str, noindex: bool, nofollow: bool) -> None:  # noqa: FBT001 - a table
    document = read(f"<meta {meta}>")

    assert (document.noindex, document.nofollow) == (noindex, nofollow)


def test_several_robots_elements_add_up() -> None:
    document = read("<meta name=robots content=noindex><meta name=tester content=nofollow>")

    assert document.noindex
    assert document.nofollow


def test_a_page_level_nofollow_is_reported_beside_the_links() -> None:
    document = read("<meta name=robots content=nofollow><a href=/x>")

    assert document.nofollow
    assert document.links == {"http://example.org/x": Kind.LINK}


# Where it points


def test_links_are_absolute_and_in_the_order_of_the_page() -> None:
    assert links("<a href=b>B</a> <a href='/a'>A</a> <map><area href='//other.example/'></map>") == {
        "http://example.org/docs/b": Kind.LINK,
        "http://example.org/a": Kind.LINK,
        "http://other.example/": Kind.LINK,
    }
    assert paths("<a href=2><a href=1><a href=2>") == ["/docs/2", "/docs/1"]


def test_references_that_differ_in_the_fragment_are_one_link() -> None:
    assert paths("<a href='x#1'><a href='x#2'><a href='x'><a href=' x '>") == ["/docs/x"]


def test_the_page_itself_is_no_link() -> None:
    assert links("<a href='#top'><a href=''><a href=page.html><a href='/docs/page.html#x'><a href><a>") == {}


def test_character_references_are_decoded_before_the_url_is_read() -> None:
    assert paths("<a href='?a=1&amp;b=2'>") == ["/docs/page.html?a=1&b=2"]


def test_a_nofollow_on_one_link_does_not_stop_us() -> None:
    assert paths("<a rel=nofollow href=x>") == ["/docs/x"]


def test_only_http_links_are_taken_and_the_others_counted() -> None:
    document = read(
        "<a href='mailto:a@b'><a href='javascript:x()'><a href='tel:1'><a href='data:,x'><a href='ftp://x/'>"
        "<a href='http://['><a href='http://['><a href=good>"
    )

    assert document.links == {"http://example.org/docs/good": Kind.LINK}
    assert document.dropped == 6


def test_a_frame_is_a_link_of_its_own_kind() -> None:
    assert links("<iframe src=/in></iframe>") == {"http://example.org/in": Kind.FRAME}
    assert links("<frameset><frame src=/f></frameset>") == {"http://example.org/f": Kind.FRAME}


@pytest.mark.parametrize(
    ("rel", "kind"),
    [
        ("canonical", Kind.CANONICAL),
        ("next", Kind.NEXT),
        ("PREV", Kind.NEXT),
        ("alternate", Kind.ALTERNATE),
        ("author\n Next", Kind.NEXT),
        ("alternate canonical", Kind.CANONICAL),
    ],
)
def test_a_link_element_is_a_link_by_its_relation(rel: str, kind: Kind) -> None:
    assert links(f"<link rel='{rel}' href=/x>") == {"http://example.org/x": kind}


@pytest.mark.parametrize(
    "rel", ["stylesheet", "alternate stylesheet", "icon", "shortcut icon", "preload", "nextish", ""]
)
def test_a_link_element_of_another_relation_is_no_link(rel: str) -> None:
    assert links(f"<link rel='{rel}' href=/x>") == {}


def test_the_kind_that_says_most_wins() -> None:
    html = "<a href=/x><img src=/x><img src=/y><a href=/y><link rel=next href='/x#a'>"

    assert links(html, assets=True) == {"http://example.org/x": Kind.NEXT, "http://example.org/y": Kind.LINK}


def test_the_first_base_element_moves_all_references() -> None:
    html = "<a href=x><a href='?q'><base target=_top><base href='/other/dir/file'><base href='/no/'>"

    assert paths(html) == ["/other/dir/x", "/other/dir/file?q"]


def test_a_base_that_is_not_http_moves_nothing() -> None:
    assert paths("<base href='data:,x'><a href=x>") == ["/docs/x"]


def test_links_in_noscript_count_and_those_in_templates_and_comments_do_not() -> None:
    html = (
        "<noscript><a href=a></noscript><template><a href=b></template><!-- <a href=c> --><script>'<a href=d>'</script>"
    )

    assert paths(html) == ["/docs/a"]


def test_the_link_of_a_drawing_is_a_link() -> None:
    assert paths("<svg><a xlink:href=old href=new></a></svg>") == ["/docs/new"]


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0; url=/x", "/x"),
        ("5;URL = '/x' ignored", "/x"),
        (' 1.5 , url="/x"', "/x"),
        (".5 /x", "/x"),
        ("0 ; /x", "/x"),
        ("0;'/x'", "/x"),
        ("0;url=\"/x'y", "/x'y"),
        ("0;ur", "/docs/ur"),
        ("0;url", "/docs/url"),
        ("0; u'x'", "/docs/u'x'"),
        ("0; url=/x#part", "/x"),
    ],
)
def test_a_meta_refresh_is_a_link(content: str, target: str) -> None:
    content = content.replace('"', "&quot;")

    assert links(f'<meta http-equiv=Refresh content="{content}">') == {f"http://example.org{target}": Kind.REFRESH}


@pytest.mark.parametrize(
    "content", ["", "5", "5;", "5; url=", "x; url=/x", "; url=/x", "-1; url=/x", "5x; url=/x", "5;url=''"]
)
def test_a_refresh_without_a_target_is_none(content: str) -> None:
    assert links(f'<meta http-equiv=refresh content="{content}">') == {}


# Assets


def test_assets_are_links_only_if_asked_for() -> None:
    html = (
        "<link rel=stylesheet href=a.css><link rel='shortcut icon' href=b.ico>"
        "<link rel='alternate stylesheet' href=c.css>"
        "<script src=d.js></script><img src=e.png><video poster=f.png src=g.mp4><source src=h.webm></video>"
        "<audio src=i.ogg></audio><picture><source srcset='j.png 2x'></picture><input type=image src=k.png>"
    )

    assert links(html) == {}
    assert "".join(sorted(path.removeprefix("/docs/")[0] for path in paths(html, assets=True))) == "abcdefghijk"
    assert set(links(html, assets=True).values()) == {Kind.ASSET}


@pytest.mark.parametrize(
    ("srcset", "names"),
    [
        ("a 1x, b 2x", ["a", "b"]),
        ("a, b", ["a", "b"]),
        (" ,, a 100w , b(1) (x,y) 3x,c", ["a", "b(1)", "c"]),
        ("a,b 1x", ["a,b"]),
        ("a,, b", ["a", "b"]),
        ("a (", ["a"]),
        ("data:,x 1x, b", ["b"]),
        ("", []),
        (",", []),
    ],
)
def test_a_srcset_names_several_images(srcset: str, names: list[str]) -> None:
    assert paths(f"<img srcset='{srcset}'>", assets=True) == [f"/docs/{name}" for name in names]


# Bounds and hostile pages


def test_as_many_links_as_allowed_are_not_capped() -> None:
    document = read("<a href=1><a href=2><a href=1#x><a href=page.html>", max_links=2)

    assert len(document.links) == 2
    assert not document.capped


def test_one_link_more_is_left_out_and_said() -> None:
    document = read("<a href=1><a href=2><a href=3>", max_links=2)

    assert list(document.links) == ["http://example.org/docs/1", "http://example.org/docs/2"]
    assert document.capped


def test_a_small_page_with_a_long_base_is_not_blown_up() -> None:
    html = f"<base href='/{'x' * 16_000}/'>" + "".join(f"<a href={number}>" for number in range(3_000))

    document = read(html, max_links=10_000)

    assert document.capped
    assert sum(map(len, document.links)) <= 8 * 1024**2


@pytest.mark.parametrize(
    "html",
    [
        "",
        "\x00",
        "\ufeff",
        "\ud800<a href='\udfff'>",
        "<" * 100_000,
        "<a href=" * 10_000,
        "<a href='&#xD800;&#x110000;'>",
        "<div>" * 2_000,
        f"<a {' '.join(f'a{number}=x' for number in range(3_000))} href=x>",
        f"<a href='{'x' * 1_000_000}'>",
        f"<meta http-equiv=refresh content='{'1' * 100_000}'>",
        f"<meta http-equiv=refresh content='{' ' * 100_000}'>",
        f"<img srcset='{'(' * 100_000}'>",
        f"<img srcset='{'a (' * 50_000}'>",
        "<base href='http://['><a href=x>",
        "<html lang=" + "x" * 100_000,
    ],
)
def test_any_page_is_read_without_an_error(html: str) -> None:
    assert isinstance(read(html, assets=True), Outline)


@given(st.text("<>/=\"' \n#?:;,@aehfrisctlmnku0\x00é", max_size=200), st.booleans())
def test_any_text_is_a_page(html: str, assets: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    document = read(f"<a href='{html}'><meta http-equiv=refresh content='{html}'>{html}", assets=assets)

    assert PAGE not in document.links
    for link in document.links:
        assert link.startswith(("http://", "https://"))
        assert "#" not in link
        assert link.isascii()
        assert link.isprintable()


def test_what_is_remembered_between_pages_changes_no_answer() -> None:
    reader = LinkReader()
    html = "<a href=x><a href='?q'><a href=../y><link rel=next href=z>"
    urls = ["http://a.example/1/p", "http://a.example/1/q", "http://b.example/1/p", "http://a.example/2/p?/1/p"]

    remembered = [reader.read(html, url) for url in urls * 2]

    assert remembered == [read(html, url=url) for url in urls] * 2


def test_a_reader_may_be_told_to_forget() -> None:
    reader = LinkReader()
    before = reader.read("<a href=x>", PAGE)

    reader.forget()

    assert reader.read("<a href=x>", PAGE) == before
