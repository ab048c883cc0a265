from __future__ import annotations

import string
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.headers import (
    Headers,
    Mime,
    content_codings,
    http_date,
    is_whole,
    parse_mime,
    retry_after,
    robots_directives,
    split_head,
    unknown_transfer_coding,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
EPOCH_2024 = 1_704_067_200.0
TOKENS = st.text(st.sampled_from(string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~"), min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)


@pytest.mark.parametrize(
    ("before", "head"),
    [
        (b"", OK),
        (b"HTTP/1.1 100 Continue\r\n\r\n", OK),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100\r\n\r\n", OK),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, OK),
        (b"HTTP/1.1 100 Continue\n\n", b"HTTP/1.0 200 OK\nA: b\n\n"),
        (b"\r\n\n", OK),
        (b"", b"HTTP/1.1 200 OK\nA: b\r\n\n"),
        (b"", b"HTTP/1.1 200 OK\r\nA: b\n\r\n"),
        (b"", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        (b"", b"HTTP/1.1 1000 What\r\n\r\n"),
        (b"", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<p>\r\n\r\nHTTP/1.1 404 no\r\n\r\n", b"\n\n\n"])
def test_the_final_head_is_found_behind_interim_ones(before: bytes, head: bytes, body: bytes) -> None:
    assert split_head(before + head + body) == (head, len(before + head))


@pytest.mark.parametrize("cut", range(len(OK)))
def test_a_head_without_its_empty_line_is_not_complete(cut: int) -> None:
    assert split_head(OK[:cut]) is None
    assert split_head(b"HTTP/1.1 100 Continue\r\n\r\n" + OK[:cut]) is None


@given(st.binary(max_size=200))
def test_any_bytes_have_a_head_that_is_part_of_them_or_none(buffer: bytes) -> None:
    found = split_head(buffer)

    assert found is None or buffer[: found[1]].endswith(found[0])


def test_fields_are_read_by_any_case_of_their_names() -> None:
    headers = Headers(b"HTTP/1.1 200 OK\r\nX-A: one\r\nx-a:two \r\nEmpty:\r\nB : spaced\r\nno colon\r\nC: a:b\r\n\r\n")

    assert headers.get("x-A") == "one"
    assert headers.all("X-a") == ("one", "two")
    assert (headers.get("empty"), headers.get("b"), headers.get("c")) == ("", "spaced", "a:b")
    assert (headers.get("missing"), headers.all("missing")) == (None, ())


def test_a_folded_field_is_one_line_again() -> None:
    headers = Headers(b"HTTP/1.1 200 OK\r\nA: one\r\n \t two\n\tthree\r\nB: c\r\n\r\n")

    assert (headers.get("a"), headers.get("b")) == ("one two three", "c")


def test_values_are_latin_1() -> None:
    assert Headers(b"HTTP/1.1 200 OK\r\nA: caf\xe9 \xc3\xa9\r\n\r\n").get("a") == "caf\xe9 \xc3\xa9"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.0 404", 404),
        ("http/2 503 x", 503),
        ("HTTP/1.1  301 x", 301),
        ("HTTP/1.1 999 x", 999),
        ("HTTP/1.1 99 x", 0),
        ("HTTP/1.1 9999 x", 0),
        ("SSH-2.0-OpenSSH", 0),
        ("", 0),
    ],
)
def test_a_status_has_three_digits(line: str, status: int) -> None:
    assert Headers(f"{line}\r\nA: b\r\n\r\n".encode()).status == status


@given(st.binary(max_size=200))
def test_any_bytes_have_fields(head: bytes) -> None:
    headers = Headers(head)

    assert headers.get("a") == (headers.all("a") or (None,))[0]
    assert 0 <= headers.status <= 999


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", "text/html"),
        (" Text/HTML ; Charset=UTF-8\t", "text/html;charset=UTF-8"),
        ("text/html;charset=a;charset=b", "text/html;charset=a"),
        ('a/b;x="y;z";q=1', 'a/b;x="y;z";q=1'),
        ('a/b;x="say \\"hi\\""', 'a/b;x="say \\"hi\\""'),
        ('a/b;x="\\a\\\\"', 'a/b;x="a\\\\"'),
        ('a/b;x="open', "a/b;x=open"),
        ('a/b;x="open\\', 'a/b;x="open\\\\"'),
        ('a/b;x=""', 'a/b;x=""'),
        ('a/b;x="y"junk;z=1', "a/b;x=y;z=1"),
        ('a/b;x= "y;z"', 'a/b;x=" \\"y"'),
        ("a/b;x=", "a/b"),
        ("a/b;x=  ;y=1", "a/b;y=1"),
        ("a/b;x;y=1", "a/b;y=1"),
        ("a/b;;;y=1", "a/b;y=1"),
        ("a/b;=1;y=2", "a/b;y=2"),
        ("a/b;x =1;y=2", "a/b;y=2"),
        ("a/b;x=y z;", 'a/b;x="y z"'),
        ("a/b;x=\u0100;y=2", "a/b;y=2"),
        ("a/b;x=\xff", 'a/b;x="\xff"'),
        ("a/b;x=\x7f", "a/b"),
        ("a/b;\u212a=1;k=2", "a/b;k=2"),
        ("a/b ;x=y", "a/b;x=y"),
        ("!#$/+.", "!#$/+."),
    ],
)
def test_mime_types_are_read_and_written_as_browsers_do(value: str, expected: str) -> None:
    assert str(parse_mime(value)) == expected


@pytest.mark.parametrize(
    "value", ["", "text", "/html", "text/", "te xt/html", "text /html", "a/b/c", "a;/b", "\u0100/b"]
)
def test_without_type_and_subtype_there_is_no_mime_type(value: str) -> None:
    assert parse_mime(value) is None


def test_the_essence_and_the_parameters_of_a_mime_type_stand_apart() -> None:
    assert parse_mime("Text/HTML;CHARSET=gbk") == Mime("text/html", {"charset": "gbk"})


@given(kind=TOKENS, subtype=TOKENS, parameters=st.dictionaries(TOKENS, VALUES, max_size=4))
def test_a_written_mime_type_reads_back_the_same(kind: str, subtype: str, parameters: dict[str, str]) -> None:
    mime = Mime(f"{kind}/{subtype}", parameters)

    assert parse_mime(str(mime)) == mime


@given(st.text(st.sampled_from('a/;="\\ \t\u212a\xff'), max_size=40))
def test_a_read_mime_type_stays_as_it_is(value: str) -> None:
    mime = parse_mime(value)

    assert mime is None or parse_mime(str(mime)) == mime


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gzip", ("gzip",)),
        ("GZip , br", ("gzip", "br")),
        (",, gzip,", ("gzip",)),
        ("", ()),
    ],
)
def test_codings_come_in_the_order_applied(value: str, expected: tuple[str, ...]) -> None:
    assert content_codings(value) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["noindex, NOFOLLOW"], {"noindex", "nofollow"}),
        (["none"], {"noindex", "nofollow"}),
        (["noindex", "nofollow"], {"noindex", "nofollow"}),
        (["noindex nofollow"], {"noindex", "nofollow"}),
        (["OwlBot: noindex"], {"noindex"}),
        (["owlbot : noindex, nofollow"], {"noindex", "nofollow"}),
        (["catbot: noindex, nofollow"], set()),
        (["noindex, catbot: none"], {"noindex"}),
        (["catbot: none, owlbot: nofollow"], {"nofollow"}),
        (["catbot: none", "noarchive"], {"noarchive"}),
        (["max-snippet:20, noindex"], {"max-snippet:20", "noindex"}),
        (["catbot: max-snippet:20"], set()),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST"], {"unavailable_after:25 jun 2010 15:00:00 pst"}),
        ([""], set()),
        ([], set()),
    ],
)
def test_robots_directives_are_those_meant_for_us(values: list[str], expected: set[str]) -> None:
    assert robots_directives(values, "OwlBot") == expected


def test_the_commas_of_a_date_end_no_directive_after_it() -> None:
    found = robots_directives(["unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, nofollow"], "OwlBot")

    assert "nofollow" in found


@given(st.lists(st.text(max_size=30), max_size=4), st.text(max_size=8))
def test_any_text_has_robots_directives_without_none(values: list[str], product: str) -> None:
    assert "none" not in robots_directives(values, product)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("999999999", 3600.0),
        ("9" * 5000, 3600.0),
        ("Mon, 01 Jan 2024 00:01:00 GMT", 60.0),
        ("Monday, 01-Jan-24 00:01:00 GMT", 60.0),
        ("Mon Jan  1 00:01:00 2024", 60.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Mon, 01 Jan 2034 00:00:00 GMT", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0662", None),
        ("\xb2", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: float | None) -> None:
    assert retry_after(value, EPOCH_2024, limit=3600.0) == expected


@given(value=st.text(max_size=40), now=st.floats(0, 1e11), limit=st.floats(0, 1e6))
def test_retry_after_never_leaves_its_bounds(value: str, now: float, limit: float) -> None:
    wait = retry_after(value, now, limit=limit)

    assert wait is None or 0.0 <= wait <= limit


@given(st.integers(0, 99), st.integers(1_000_000_000, 4_000_000_000))
def test_a_year_of_two_digits_is_never_more_than_fifty_years_ahead(year: int, now: int) -> None:
    date = http_date(f"Sunday, 06-Nov-{year:02} 08:49:37 GMT", float(now))

    assert date is not None
    assert -50 <= (date - now) / 31_556_952 <= 51


@pytest.mark.parametrize(
    "value",
    [
        *("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"),
        *("sun, 6 nov 1994 08:49:37 gmt", "06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 UTC"),
    ],
)
def test_a_date_may_be_written_in_each_form(value: str) -> None:
    assert http_date(value) == 784_111_777.0


@pytest.mark.parametrize(
    "value",
    [
        *("Sun, 06 Nov 1994 08:49:37 PST", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"),
        *(
            "Sun, 06 Xyz 1994 08:49:37 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "06 Nov 0000 08:49:37 GMT",
            "784111777",
            "",
        ),
    ],
)
def test_what_is_no_date_is_none(value: str) -> None:
    assert http_date(value) is None


def test_a_leap_second_is_the_second_before_it() -> None:
    assert http_date("Sat, 31 Dec 2016 23:59:60 GMT") == http_date("Sat, 31 Dec 2016 23:59:59 GMT")


@given(st.integers(0, 4_000_000_000))
def test_the_dates_that_servers_write_read_back_the_same(seconds: int) -> None:
    assert http_date(formatdate(seconds, usegmt=True)) == seconds


@pytest.mark.parametrize(
    ("content_range", "expected"),
    [
        ("bytes 0-9/10", True),
        (" Bytes  0-0/1 ", True),
        ("bytes 0-8/10", False),
        ("bytes 1-9/10", False),
        ("bytes 0-9/*", False),
        ("bytes */10", False),
        ("items 0-9/10", False),
        ("bytes 0-" + "9" * 5000 + "/1", False),
        ("", False),
        (None, False),
    ],
)
def test_a_206_is_whole_if_its_one_range_is(content_range: str | None, expected: bool) -> None:  # noqa: FBT001  a column
    assert is_whole(content_range) is expected


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ((), ""),
        (("chunked",), ""),
        (("Chunked", "chunked"), ""),
        ((" identity ",), ""),
        (("gzip, chunked",), "gzip"),
        (("chunked, identity",), "chunked, identity"),
        (("xchunked",), "xchunked"),
        (("\x0bchunked",), "\x0bchunked"),
        ((",, ,",), ""),
    ],
)
def test_a_transfer_coding_is_known_if_it_is_undone_or_none(fields: tuple[str, ...], unknown: str) -> None:
    assert unknown_transfer_coding(fields) == unknown
