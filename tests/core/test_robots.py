from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.robots import Robots, RobotsVerdict, allowed, judge_answer

US = "OwlBot/2.1 (+https://owl.example/)"
SITE = "https://shop.example"


def rules(*lines: str) -> bytes:
    return "\n".join(("User-agent: OwlBot", *lines, "")).encode()


def reads(body: bytes) -> bool:
    """Whether the file forbids /private and nothing else."""
    robots = Robots.parse(body, US)
    return not robots.allows(f"{SITE}/private/a") and robots.allows(f"{SITE}/public")


@pytest.mark.parametrize("name", ["OwlBot", "owlbot", "OWLBOT/9.9", "OwlBot (all versions)", "OwlBot*"])
@pytest.mark.parametrize("agent", [US, "OwlBot", "owlbot/1"])
def test_a_group_is_ours_by_product_token_whatever_the_case_and_the_version(name: str, agent: str) -> None:
    body = f"User-agent: {name}\nDisallow: /\n".encode()

    assert not allowed(body, agent, f"{SITE}/a")


@pytest.mark.parametrize("name", ["Owl", "OwlBot-News", "MyOwlBot", "Bot", "*OwlBot", "Mozilla"])
def test_a_part_of_our_name_is_not_our_name(name: str) -> None:
    body = f"User-agent: {name}\nDisallow: /\n".encode()

    assert allowed(body, US, f"{SITE}/a")


@pytest.mark.parametrize("name", ["Owl2Bot", "owl2bot/1.0"])
def test_a_name_with_digits_is_matched_by_the_whole_word(name: str) -> None:
    body = f"User-agent: {name}\nDisallow: /\n".encode()

    assert not allowed(body, "Owl2Bot/3", f"{SITE}/a")
    assert allowed(body, "Owl3Bot/3", f"{SITE}/a")


def test_a_crawler_without_a_name_obeys_the_group_of_everyone_only() -> None:
    assert allowed(b"User-agent:\nDisallow: /\n", "", f"{SITE}/a")
    assert not allowed(b"User-agent: *\nDisallow: /\n", "", f"{SITE}/a")


def test_our_own_group_replaces_that_of_everyone_even_if_it_is_empty() -> None:
    body = b"User-agent: *\nDisallow: /\n\nUser-agent: OwlBot\nDisallow:\n"

    assert allowed(body, US, f"{SITE}/a")
    assert not allowed(body, "CatBot", f"{SITE}/a")


def test_all_groups_of_one_name_are_one_group() -> None:
    body = b"User-agent: OwlBot\nDisallow: /a\nUser-agent: CatBot\nDisallow: /b\nUser-agent: owlbot\nDisallow: /c\n"

    answers = [allowed(body, US, f"{SITE}/{page}") for page in "abc"]

    assert answers == [False, True, False]


@pytest.mark.parametrize(
    "line", ["Sitemap: https://shop.example/s.xml", "Crawl-delay: 9", "Noindex: /x", "junk", "# x", ""]
)
def test_only_rules_close_the_list_of_names_above_them(line: str) -> None:
    body = f"User-agent: OwlBot\n{line}\nUser-agent: CatBot\nDisallow: /private\n".encode()

    assert reads(body)


def test_rules_before_the_first_name_are_nobodys() -> None:
    assert allowed(b"Disallow: /\nUser-agent: CatBot\nDisallow: /\n", US, f"{SITE}/a")


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        (["Disallow: /", "Allow: /open"], "/open/door", True),
        (["Allow: /open", "Disallow: /open/door"], "/open/door", False),
        (["Disallow: /same", "Allow: /same"], "/same", True),
        (["Disallow: /*.pdf$"], "/a/b.pdf", False),
        (["Disallow: /*.pdf$"], "/a/b.pdf?x=1", True),
        (["Disallow: /a*z/*.htm"], "/abcz/q.html", False),
        (["Disallow: /exact$"], "/exactly", True),
        (["Disallow: /Case"], "/case", True),
        (["Disallow: /search?q="], "/search?q=owl", False),
        (["Disallow: /caf\u00e9"], "/caf%C3%A9/menu", False),
        (["Disallow: /caf%c3%a9"], "/caf\u00e9", False),
        (["Disallow: /%7Eowl"], "/~owl", False),
        (["Disallow: /a%2Fb"], "/a/b", True),
        (["Disallow: /x # y"], "/x", False),
        (["Disallow: /two words"], "/two%20words", False),
        (["Disallow:"], "/a", True),
        (["Disallow: /", "Allow: /$"], "", True),
        (["Disallow: /", "Allow: /$"], "/a", False),
        (["Disallow: /"], "/robots.txt", False),
        (["Disallow: /robots.txt"], "/robots.txt?x", False),
        (["Disallow: /", "Allow: /robots.txt"], "/robots.txt", True),
        (["Disallow: //twice"], "//twice/x", False),
        (["disallow /no-colon"], "/no-colon", False),
        (["disallow /no colon"], "/no", True),
        (["Dissalow: /typo"], "/typo", False),
        (["Disallow: /a#b"], "/a", False),
        (["Disallow: /frag"], "/ok#/frag", True),
    ],
)
def test_the_longest_rule_that_matches_decides(lines: list[str], path: str, expected: bool) -> None:  # noqa: FBT001 (a column)
    assert allowed(rules(*lines), US, SITE + path) is expected


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\rDisallow: /private\r",
        b"User-agent: *\r\nDisallow: /private",
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /private\n",
        b"\xff\xfe" + "User-agent: *\nDisallow: /private\n".encode("utf-16-le"),
        b"\xfe\xff" + "User-agent: *\nDisallow: /private\n".encode("utf-16-be"),
        "User-agent: *\nDisallow: /private\n".encode("utf-16-le"),
        b"User-agent: *\n\xff\xfe\xfd: /\xff\nDisallow: /private\n",
        b"User-agent: *\nDis\0allow: /priv\0ate\n",
        b"\t user-AGENT \t:\t* \n DISALLOW\t: /private \n",
    ],
)
def test_every_way_to_write_lines_is_read(body: bytes) -> None:
    assert reads(body)


@pytest.mark.parametrize("start", ["<!DOCTYPE html>", "\n <html>", "<?xml version='1.0'?>", "\ufeff<HEAD>"])
def test_a_page_that_poses_as_robots_txt_has_no_rules(start: str) -> None:
    body = f"{start}\nUser-agent: *\nDisallow: /\n".encode()

    assert allowed(body, US, f"{SITE}/a")


def test_past_500_kib_nothing_is_read_and_no_line_in_half() -> None:
    head = b"User-agent: *\nDisallow: /early\n"
    filler = b"#" * (500 * 1024 - len(head) - len(b"\nDisallow: /lo")) + b"\n"
    robots = Robots.parse(head + filler + b"Disallow: /long-path\nDisallow: /late\n", US)

    answers = [robots.allows(f"{SITE}/{page}") for page in ("early", "lo", "late")]

    assert answers == [False, True, True]


def test_a_line_counts_up_to_16_kib() -> None:
    path = "/" + "a" * 20_000
    robots = Robots.parse(rules(f"Disallow: {path}"), US)

    assert not robots.allows(SITE + path[:17_000])
    assert robots.allows(SITE + path[:16_000])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("2.5", 2.5),
        (".5", 0.5),
        ("1e9", 1e9),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("1e400", None),
        ("1_0", None),
        ("soon", None),
        ("10s", None),
        ("", None),
        (".", None),
        ("9" * 5000, None),
    ],
)
def test_a_crawl_delay_is_a_finite_number_or_none(value: str, expected: float | None) -> None:
    assert Robots.parse(rules(f"Crawl-delay: {value}"), US).crawl_delay == expected


def test_a_crawl_delay_is_asked_of_those_named_right_above_it() -> None:
    body = b"User-agent: OwlBot\nCrawl-delay: 3\nUser-agent: CatBot\nCrawl-delay: 60\nDisallow: /private\n"

    assert Robots.parse(body, US).crawl_delay == 3.0
    assert Robots.parse(body, "CatBot").crawl_delay == 60.0
    assert reads(body)


def test_the_longest_of_several_crawl_delays_counts() -> None:
    assert Robots.parse(rules("Crawl-delay: 3", "Crawl-delay: 8", "Crawl-delay: x"), US).crawl_delay == 8.0


def test_sitemaps_are_absolute_distinct_and_anybodys() -> None:
    body = (
        "Sitemap: https://a.example/1.xml\nUser-agent: CatBot\nSITEMAP:http://b.example/\u00fc.xml\n"
        "Sitemap: /relative.xml\nSitemap: ftp://c.example/x\n"
        "site-map: https://a.example/1.xml\nSitemap: https://bad host/\nSitemap: https://\n"
    )

    assert Robots.parse(body.encode(), US).sitemaps == ("https://a.example/1.xml", "http://b.example/\u00fc.xml")


def test_a_thousand_sitemaps_are_kept() -> None:
    body = "".join(f"Sitemap: https://a.example/{number}\n" for number in range(1500))

    assert len(Robots.parse(body.encode(), US).sitemaps) == 1000


def test_a_host_without_rules_allows_all_and_an_unreachable_one_nothing() -> None:
    assert Robots.allow_all().allows(f"{SITE}/a")
    assert not Robots.deny_all().allows(f"{SITE}/a")


def test_robots_txt_itself_may_be_fetched_whatever_it_says() -> None:
    assert Robots.deny_all().admits(f"{SITE}/robots.txt")
    assert not Robots.deny_all().admits(f"{SITE}/robots.txt.old")
    assert not Robots.deny_all().admits(f"{SITE}/a")
    assert Robots.allow_all().admits(f"{SITE}/a")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((200, 204, 206), RobotsVerdict.PARSE),
        ((400, 401, 403, 404, 410, 451), RobotsVerdict.ALLOW_ALL),
        ((429, 500, 503, 599, 0, 101, 301, 304, 999), RobotsVerdict.UNREACHABLE),
    ],
)
def test_the_status_says_whether_there_are_rules(statuses: tuple[int, ...], expected: RobotsVerdict) -> None:
    assert {judge_answer(status) for status in statuses} == {expected}


def test_rules_cannot_be_changed_once_read() -> None:
    with pytest.raises(AttributeError):
        Robots.allow_all().crawl_delay = 1.0  # type: ignore[misc]  # the point of the test


def test_a_url_that_would_take_too_much_matching_is_not_fetched() -> None:
    wild = [f"Disallow: /*{'a' * 49}b{number:04d}{'a' * 45}" for number in range(4000)]
    robots = Robots.parse(rules(*wild), US)

    assert not robots.allows(f"{SITE}/{'a' * 8000}")
    assert robots.allows(f"{SITE}/short")


def test_many_wildcards_in_one_rule_are_matched_all_the_same() -> None:
    robots = Robots.parse(rules(f"Disallow: /{'*a' * 2000}$"), US)

    assert not robots.allows(f"{SITE}/{'a' * 4000}")
    assert robots.allows(f"{SITE}/{'a' * 4000}b")


@given(body=st.binary(max_size=400), url=st.text(max_size=80), agent=st.text(max_size=20))
def test_no_bytes_are_an_error(body: bytes, url: str, agent: str) -> None:
    robots = Robots.parse(b"User-agent: *\nDisallow: /" + body, agent)

    assert robots.allows(url) in {True, False}
    assert robots.crawl_delay is None or math.isfinite(robots.crawl_delay)


LINES = st.sampled_from(
    [
        *("User-agent: OwlBot", "User-agent: *", "User-agent: CatBot", "Disallow: /a", "Disallow: /a*c$", "Allow: /ab"),
        *("Sitemap: https://x.example/", "Crawl-delay: 1", "", "junk", "Disallow:", "Allow: /*b"),
    ]
)


@given(lines=st.lists(LINES, max_size=12), path=st.sampled_from(["/a", "/ab", "/abc", "/b", "/"]))
def test_line_ends_and_comments_change_nothing(lines: list[str], path: str) -> None:
    plain = "\n".join(lines).encode()
    dressed = "\r".join(f"  {line}  # note" for line in lines).encode()

    assert allowed(plain, US, SITE + path) == allowed(dressed, US, SITE + path)


@given(lines=st.lists(LINES, max_size=12), path=st.sampled_from(["/a", "/ab", "/abc", "/b", "/"]))
def test_lines_without_meaning_change_nothing(lines: list[str], path: str) -> None:
    spread = "\nRequest-rate: 1/5\nSitemap: https://y.example/\n".join(lines)

    assert allowed("\n".join(lines).encode(), US, SITE + path) == allowed(spread.encode(), US, SITE + path)
