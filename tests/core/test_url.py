from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.text import printable
from crawler.core.url import (
    SHARDS,
    BlockedScheme,
    credentials,
    host_key,
    host_name,
    normalise,
    redact,
    registrable_domain,
    resolve,
    seed_url,
    virtual_shard,
)

ANYTHING = st.text(st.characters(exclude_categories=()))
URL_LIKE = st.text(st.sampled_from("htps:/\\.@?#%[]&= \t\n0189aZé\u3002\u202e\ud800-"), max_size=30)
WEB_LIKE = st.builds(
    "{}{}".format, st.sampled_from(["http://a.b/", "https://", "//", "http:", "http://u:p@"]), URL_LIKE
)
HOSTS = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z])?", fullmatch=True), min_size=1, max_size=5).map(
    ".".join
)


@pytest.mark.parametrize(
    ("url", "base", "href"),
    [
        ("HTTP://EXAMPLE.org:80/a/../b c#d e", None, "http://example.org/b%20c#d%20e"),
        ("../x?y#z", "https://example.org/a/b/c", "https://example.org/a/x?y#z"),
        ("//other.org", "https://example.org/", "https://other.org/"),
        ("", "https://example.org/a?b#c", "https://example.org/a?b"),
        ("mailto:me@example.org", None, "mailto:me@example.org"),
        ("http://bücher.example/ä", None, "http://xn--bcher-kva.example/%C3%A4"),
        ("http://0x7f.1/", None, "http://127.0.0.1/"),
        ("ht\ntp://a\tb.org/\r", None, "http://ab.org/"),
        ("http://a/\ud800x\udc00", None, "http://a/%EF%BF%BDx%EF%BF%BD"),
        ("http://a/\ud83d\ude00", None, "http://a/%F0%9F%98%80"),
    ],
)
def test_urls_resolve_as_in_browsers(url: str, base: str | None, href: str) -> None:
    assert resolve(url, base) == href


@pytest.mark.parametrize(
    "url", ["", "/a", "http://", "http://a b/", "http://a:65536/", "http://[::1", "http://1.2.3.4.5/"]
)
def test_what_is_no_url_raises_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="not a valid URL"):
        resolve(url)


def test_an_error_shows_neither_password_nor_control_characters() -> None:
    with pytest.raises(ValueError, match="not a valid URL") as caught:
        resolve("http://me:secret@a b\x1b/")

    assert "secret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "crawl_url"),
    [
        ("http://example.org", "http://example.org/"),
        ("https://me:secret@example.org:8443/a#b", "https://example.org:8443/a"),
        ("http://me@example.org/@you?a@b", "http://example.org/@you?a@b"),
        ("http://example.org/#", "http://example.org/"),
        ("http://example.org?q#f", "http://example.org/?q"),
        ("http://example.org/:0/", "http://example.org/:0/"),
        ("http://example.org:80/", "http://example.org/"),
    ],
)
def test_a_crawl_url_has_no_fragment_and_no_user(url: str, crawl_url: str) -> None:
    assert normalise(url) == crawl_url


def test_a_link_is_normalised_against_its_page() -> None:
    assert normalise("?p=2#top", "http://example.org/list?p=1") == "http://example.org/list?p=2"


@pytest.mark.parametrize(
    "url", ["ftp://a/", "javascript:alert(1)", "data:,x", "file:///etc/passwd", "mailto:a@b", "ws://a/"]
)
def test_other_schemes_are_blocked(url: str) -> None:
    with pytest.raises(BlockedScheme):
        normalise(url, "http://example.org/")


def test_port_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="port 0"):
        normalise("http://example.org:0/")


@given(st.one_of(URL_LIKE, WEB_LIKE))
def test_normalising_ends_in_a_clean_url_or_a_value_error(text: str) -> None:
    try:
        url = normalise(text)
    except ValueError:
        return

    authority = url.partition("//")[2].partition("/")[0]
    assert url.startswith(("http://", "https://"))
    assert url.isascii()
    assert url.isprintable()
    assert "#" not in url
    assert "@" not in authority
    assert normalise(url) == url
    assert url.startswith(host_key(url) + "/")
    assert normalise(host_key(url)) == host_key(url) + "/"
    assert host_name(url) == host_name(host_key(url)) != ""


@pytest.mark.parametrize(
    ("url", "key", "name"),
    [
        ("http://example.org/", "http://example.org", "example.org"),
        ("https://example.org:8443/a/b", "https://example.org:8443", "example.org"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080", "2001:db8::1"),
        ("http://[::1]/", "http://[::1]", "::1"),
        ("http://a/", "http://a", "a"),
        ("http://127.0.0.1/x?y=http://b/", "http://127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_key_is_the_origin_and_a_host_name_is_bare(url: str, key: str, name: str) -> None:
    assert host_key(url) == key
    assert host_name(url) == name
    assert host_name(key) == name


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.org", "example.org"),
        ("WwW.Example.COM", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", None),
        ("com", None),
        (".com", None),
        (".example.com", None),
        ("", None),
        ("localhost", None),
        ("someone.github.io", "someone.github.io"),
        ("www.someone.github.io", "someone.github.io"),
        ("github.io", None),
        ("b.c.kobe.jp", "b.c.kobe.jp"),
        ("c.kobe.jp", None),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("www.食狮.公司.cn", "食狮.公司.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("XN--55QX5D.cn", None),
        ("example.org.", "example.org"),
        ("b.unlisted-suffix", "b.unlisted-suffix"),
        ("127.0.0.1", None),
        ("10.0.0.1.", None),
        ("::1", None),
        ("[2001:db8::1]", None),
        ("x." * 200 + "org", None),
    ],
)
def test_registrable_domains_follow_the_public_suffix_list(host: str, domain: str | None) -> None:
    assert registrable_domain(host) == domain


@given(ANYTHING)
def test_any_text_has_a_registrable_domain_or_none(host: str) -> None:
    domain = registrable_domain(host)

    assert domain is None or host.lower().rstrip(".").endswith(domain)


@given(st.ip_addresses())
def test_an_address_has_no_registrable_domain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert registrable_domain(str(address)) is None


def test_shards_never_change() -> None:
    assert [virtual_shard(host) for host in ("example.org", "example.co.uk", "127.0.0.1", "localhost", "::1")] == [
        3022,
        492,
        2683,
        2114,
        287,
    ]


def test_all_hosts_of_a_domain_share_a_shard() -> None:
    assert virtual_shard("docs.Example.org") == virtual_shard("www.example.org.") == virtual_shard("example.org")
    assert virtual_shard("bücher.example") == virtual_shard("www.xn--bcher-kva.example")
    assert virtual_shard("[::1]") == virtual_shard("::1")


def test_hosts_spread_over_the_shards() -> None:
    used = {virtual_shard(f"host{number}.example{number}.org") for number in range(20_000)}

    assert len(used) > 0.98 * SHARDS


@given(ANYTHING)
def test_any_text_has_a_shard(host: str) -> None:
    assert 0 <= virtual_shard(host) < SHARDS


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://me:secret@example.org/", ("me", "secret")),
        ("https://me@example.org/", ("me", "")),
        ("https://:secret@example.org/", ("", "secret")),
        ("https://m%40e:s%3Ae%2Fcr%C3%A9t@example.org/", ("m@e", "s:e/crét")),
        ("me:secret@example.org/x", ("me", "secret")),
        ("//me:secret@example.org", ("me", "secret")),
        ("https://a@b:c@example.org/", ("a@b", "c")),
        ("https://example.org/@me", None),
        ("https://@example.org/", None),
        ("https://example.org/", None),
        ("mailto:me@example.org", None),
        ("http://me:secret@", None),
    ],
)
def test_credentials_are_taken_from_the_authority(url: str, found: tuple[str, str] | None) -> None:
    assert credentials(url) == found


@given(st.one_of(ANYTHING, WEB_LIKE))
def test_credentials_of_any_text_are_a_pair_or_none(text: str) -> None:
    found = credentials(text)

    assert found is None or any(found)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@example.org/a?b#c", "https://example.org/a?b#c"),
        ("https://example.org/@me", "https://example.org/@me"),
        ("me:secret@example.org", "example.org"),
        ("http:/\\me:secret@example.org\\x", "http:/\\example.org\\x"),
        ("ht\ntp://me:sec\tret@example.org/", "http://example.org/"),
        ("http://me:sec/ret@example.org/", "http://example.org/"),
        ("foo://me:sec\\ret@example.org/", "foo://example.org/"),
        ("mailto:me@example.org", "mailto:me@example.org"),
        ("http://[::1]:80/@x", "http://[::1]:80/@x"),
        ("http://a/\x1b[31m\u202e", "http://a/\\x1b[31m\\u202e"),
    ],
)
def test_a_redacted_url_has_no_user_and_no_control_characters(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_a_redacted_url_is_cut_after_its_user_is_gone() -> None:
    assert redact(f"https://me:{'secret' * 1000}@example.org/{'x' * 100}", limit=30) == "https://example.org/xxxxxxxxx…"


@given(
    st.sampled_from(["http://", "https:", "//", "", "ht\ttp:/\\", " foo://"]),
    st.from_regex(r"[A-Za-z0-9:%;=+@ é\t-]*", fullmatch=True),
    URL_LIKE,
)
def test_no_password_before_an_at_sign_survives(start: str, noise: str, rest: str) -> None:
    secret = "Qq5Secret5qQ"

    assert secret not in redact(f"{start}me:{noise}{secret}@{rest}")


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("https://example.org/a#b", "https://example.org/a"),
        ("  http://example.org \n", "http://example.org/"),
        ("\ufeffexample.org", "https://example.org/"),
        ("example.org", "https://example.org/"),
        ("Example.org/path?q=1", "https://example.org/path?q=1"),
        ("example.org?q", "https://example.org/?q"),
        ("//example.org/x", "https://example.org/x"),
        ("example.org:8080", "http://example.org:8080/"),
        ("example.org:80", "http://example.org/"),
        ("example.org:443/x", "https://example.org/x"),
        ("localhost", "http://localhost/"),
        ("localhost:8000/x", "http://localhost:8000/x"),
        ("app.localhost/x", "http://app.localhost/x"),
        ("intranet:8080", "http://intranet:8080/"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/"),
        ("127.0.0.1", "http://127.0.0.1/"),
        ("[::1]:80", "http://[::1]/"),
        ("[2001:db8::1]/x", "http://[2001:db8::1]/x"),
        ("me:secret@example.org/x", "https://example.org/x"),
        ("https://me:secret@example.org/x", "https://example.org/x"),
        ("bücher.example", "https://xn--bcher-kva.example/"),
        ("http:example.org", "http://example.org/"),
        ("HTTP:\\\\example.org\\a", "http://example.org/a"),
        ("httpbin.org/get", "https://httpbin.org/get"),
        ("https://web.example/save/http://a.org/", "https://web.example/save/http://a.org/"),
    ],
)
def test_a_seed_is_read_as_people_type_it(typed: str, url: str) -> None:
    assert seed_url(typed) == url


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("htp://x", "did you mean http://x?"),
        ("hhtps://example.org/a", "did you mean https://example.org/a?"),
        ("http//example.org", "did you mean http://example.org?"),
        ("http;//example.org", "did you mean http://example.org?"),
        ("https:///example.org", "did you mean https://example.org?"),
        ("https://http://example.org/", "did you mean http://example.org/?"),
        ("hxxps://example.org/", "did you mean https://example.org/?"),
        ("htp://me:secret@example.org", "did you mean http://example.org?"),
        ("foo", "did you mean http://foo/?"),
        ("foo/bar", "did you mean http://foo/?"),
        ("", "empty"),
        (" \t\n", "empty"),
        ("http://example.org/a b", "white space inside"),
        ("http://a.org http://b.org", "white space inside"),
        ("http://", "no host"),
        ("https://?q", "no host"),
        ("http://me@/", "no host"),
        ("/etc/seeds.txt", "is a path"),
        ("./seeds.txt", "is a path"),
        ("http://example.org:99999/", "port 99999"),
        ("example.org:0", "port 0"),
        ("example.org:abc", "port 'abc'"),
        ("http://exa<mple.org/", "host 'exa<mple.org'"),
        ("1.2.3.4.5", "host '1.2.3.4.5'"),
        ("http://[::1", "host '[::1'"),
        ("2001:db8::1", "needs brackets"),
        ("https://me:sec/ret@example.org/", "percent-encoded, such as %2F"),
    ],
)
def test_a_wrong_seed_is_explained_in_one_sentence(typed: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        seed_url(typed)

    assert not isinstance(caught.value, BlockedScheme)


@pytest.mark.parametrize(
    "typed", ["ftp://example.org/", "mailto:me@example.org", "javascript:x", "file:///x", "foo://x/"]
)
def test_a_seed_of_another_scheme_is_blocked_by_name(typed: str) -> None:
    with pytest.raises(BlockedScheme, match=f"scheme '{typed.partition(':')[0]}'"):
        seed_url(typed)


def complaint(text: str) -> str:
    try:
        url = seed_url(text)
    except ValueError as error:
        return str(error)
    assert normalise(url) == url
    return "none"


@given(st.one_of(ANYTHING, URL_LIKE, WEB_LIKE))
def test_any_text_is_a_crawl_url_or_a_complaint_of_one_clean_line(text: str) -> None:
    message = complaint(text)

    assert message == printable(message)
    assert 0 < len(message) < 700


@given(HOSTS)
def test_a_seed_without_scheme_is_the_same_as_its_url(host: str) -> None:
    try:
        url = seed_url(host)
    except ValueError:
        return

    assert seed_url(url) == url
    assert host_name(url) == host_name(resolve(f"http://{host}"))
