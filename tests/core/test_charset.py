from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.charset import decode_text, encoding, utf_8
from crawler.core.encodings import CODECS, NAMES

LATIN = b"caf\xe9"
"""Neither ASCII nor UTF-8, so that the guess is windows-1252."""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "utf-8"),
        (b"\xfe\xff\0<", "utf-16be"),
        (b"\xff\xfe<\0", "utf-16le"),
    ],
)
def test_a_byte_order_mark_beats_all_else(body: bytes, expected: str) -> None:
    assert encoding(body, "text/html; charset=big5") == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=Shift_JIS", "shift_jis"),
        ('text/html; Charset=" latin1 "', "windows-1252"),
        ("text/html;charset=utf-16", "utf-16le"),
        ("text/html;charset=x-user-defined", "x-user-defined"),
        ("text/html;charset=iso-2022-kr", "replacement"),
        ("text/html;charset=utf-7", "koi8-r"),
        ("text/html;charset=no-such", "koi8-r"),
        ("text/html;charset=\u017fhift_jis", "koi8-r"),
        ("text/html", "koi8-r"),
        ("charset=big5", "koi8-r"),
        ("", "koi8-r"),
        ("text/html;" + "a=b;" * 500 + "charset=big5", "big5"),
    ],
)
def test_http_beats_the_body_if_its_label_is_known(content_type: str, expected: str) -> None:
    assert encoding(b"<meta charset=koi8-r>" + LATIN, content_type) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("<meta charset=koi8-r>", "koi8-r"),
        ("<META CHARSET='KOI8-R'>", "koi8-r"),
        ("<meta/charset=koi8-r>", "koi8-r"),
        ("<meta name=a\fcharset \n=\t ' koi8-r ' >", "koi8-r"),
        ("<html lang=en><head><title>x</title><meta charset=koi8-r>", "koi8-r"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=big5">', "big5"),
        ("<meta content='text/html;CHARSET = \"big5\"' http-equiv=content-type>", "big5"),
        ("<meta http-equiv=content-type content='charset charset=big5;x'>", "big5"),
        ("<meta http-equiv=content-type content=charset=koi8-r charset=big5>", "big5"),
        ("<meta charset=utf-16be>", "utf-8"),
        ("<meta charset=x-user-defined><meta charset=big5>", "windows-1252"),
        ("<meta charset=nonsense><meta charset=big5>", "big5"),
        ("<meta charset=utf-7><meta charset=big5>", "big5"),
        ("<meta charset=koi8-r charset=big5>", "koi8-r"),
        ("<!--><meta charset=big5>", "big5"),
        ("<!--->x<meta charset=big5>", "big5"),
        ("<!-- <meta charset=koi8-r> --><meta charset=big5>", "big5"),
        ("<a title='<meta charset=koi8-r>'><meta charset=big5>", "big5"),
        ("</a title='<meta charset=koi8-r>'><meta charset=big5>", "big5"),
        ("<a x=<meta charset=koi8-r><meta charset=big5>", "big5"),
        ("<? <meta charset=koi8-r> <meta charset=big5>", "big5"),
        ("<! <meta charset=koi8-r> <meta charset=big5>", "big5"),
        ("< meta charset=koi8-r><meta charset=big5>", "big5"),
        ("<metacharset=koi8-r><meta charset=big5>", "big5"),
        ("<meta name='>' charset=big5>", "big5"),
        ("<meta x=>charset=koi8-r><meta charset=big5>", "big5"),
        ("<?xml version='1.0' encoding='big5'?>", "big5"),
        ('<?xml encoding = "utf-16"?>', "utf-8"),
        ("<?xml version='1.0' encoding='big5'?><meta charset=koi8-r>", "koi8-r"),
        ("<\0?\0x\0m\0l\0", "utf-16le"),
        ("\0<\0?\0x\0m\0l", "utf-16be"),
    ],
)
def test_the_body_declares_its_encoding(head: str, expected: str) -> None:
    assert encoding(head.encode() + LATIN) == expected


@pytest.mark.parametrize(
    "head",
    [
        "<meta content='text/html; charset=big5'>",
        "<meta http-equiv=refresh content='0; charset=big5'>",
        "<meta http-equiv=content-type content='charset=\"big5'>",
        "<meta http-equiv=content-type content='text/html; charset'>",
        "<meta charset=bad content='charset=big5' http-equiv=content-type>",
        "<meta =charset=big5>",
        "<meta charset=big5",
        "<meta charset='big5>",
        "<!-- <meta charset=big5>",
        "<a title='<meta charset=big5>",
        " " * 1024 + "<body><meta charset=big5>",
        " " * (16 * 1024) + "<meta charset=big5>",
        " <?xml encoding='big5'?>",
        "<?xml encoding='bi g5'?>",
        "<?xml encoding='big5'",
    ],
)
def test_what_only_looks_like_a_declaration_declares_nothing(head: str) -> None:
    assert encoding(head.encode() + LATIN) == "windows-1252"


@pytest.mark.parametrize(("head", "name"), [("<meta charset=big5>", "big5"), ("<meta charset=utf-16le>", "utf-8")])
def test_a_declaration_that_comes_late_in_the_head_counts_as_in_a_browser(head: str, name: str) -> None:
    late = f"<!doctype html><script>{' ' * 3000}</script>{head}".encode()

    assert encoding(late) == encoding(late + LATIN) == name


def test_a_declaration_within_the_first_bytes_comes_before_a_late_one() -> None:
    assert encoding(b"<meta charset=koi8-r>" + b" " * 3000 + b"<meta charset=big5>") == "koi8-r"


def test_without_a_declaration_valid_utf_8_is_utf_8_and_ascii_is_what_browsers_say() -> None:
    assert encoding(b"") == "windows-1252"
    assert encoding(b"plain") == "windows-1252"
    assert encoding("h\u00f6h\u20ac".encode()) == "utf-8"
    assert encoding(LATIN) == "windows-1252"


def test_a_body_cut_within_a_character_is_no_utf_8_but_a_look_cut_there_is() -> None:
    euro = "\u20ac".encode()
    filler = b"x" * (64 * 1024 - 1)

    assert encoding(b"x" + euro[:2]) == "windows-1252"
    assert encoding(filler + euro) == "utf-8"


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("utf-8", b"\xef\xbb\xbfh\xc3\xb6\xff", "h\u00f6\ufffd"),
        ("UTF8", b"\xef\xbb\xbfh", "h"),
        ("utf-8", b"\xf0\x9f\x98", "\ufffd"),
        ("utf-8", b"\xe2\x28\xed\xa0\x80", "\ufffd(\ufffd\ufffd\ufffd"),
        ("utf-16le", b"\xff\xfeh\0\x3d\xd8", "h\ufffd"),
        ("utf-16be", b"\0h\0i", "hi"),
        ("windows-1252", b"\x80\x81\xe9", "\u20ac\x81\xe9"),
        ("latin1", b"\x93", "\u201c"),
        ("windows-1253", b"\xaa\x88\xe1", "\ufffd\x88\u03b1"),
        ("windows-1255", b"\xca\xd9\xe0", "\u05ba\ufffd\u05d0"),
        ("windows-874", b"\x80\x81\xdb\xa1", "\u20ac\x81\ufffd\u0e01"),
        ("koi8-u", b"\xae\xbe\xa4", "\u045e\u040e\u0454"),
        ("iso-8859-8-i", b"\xe0\xa1", "\u05d0\ufffd"),
        ("x-mac-cyrillic", b"\x80\xff", "\u0410\u20ac"),
        ("macintosh", b"\xdb", "\u20ac"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("replacement", b"anything", "\ufffd"),
        ("replacement", b"", ""),
        ("gbk", b"\xc4\xe3\x810\x810", "\u4f60\x80"),
        ("shift_jis", b"\x87\x40\xb1", "\u2460\uff71"),
        ("euc-jp", b"\xa4\xa2\x8e\xb1", "\u3042\uff71"),
        ("euc-kr", b"\xb0\xa1\x81\x41", "\uac00\uac02"),
        ("big5", b"\xa7\x41\x88\x62", "\u4f60\u00ca\u0304"),
        ("iso-2022-jp", b'\x1b$B$"\x1b(Bx', "\u3042x"),
        ("no such", b"\xe9", "\xe9"),
    ],
)
def test_bytes_become_the_text_that_browsers_show(name: str, body: bytes, text: str) -> None:
    assert decode_text(body, name) == text
    assert utf_8(body, name) == text.encode("utf-8", "ignore")


@pytest.mark.parametrize(
    ("name", "body", "is_body"),
    [
        ("utf-8", b"plain", True),
        ("utf-8", "größer".encode(), True),
        ("utf-8", b"\xef\xbb\xbfmarked", False),
        ("utf-8", b"cut \xc3", False),
        ("utf-8", b"a surrogate \xed\xa0\x80", False),
        ("windows-1252", b"plain", True),
        ("windows-1252", b"gr\xf6\xdfer", False),
        ("iso-2022-jp", b"\x1b$B", False),
    ],
)
def test_text_that_is_in_utf_8_already_is_not_copied(name: str, body: bytes, is_body: bool) -> None:  # noqa: FBT001
    text = utf_8(body, name)

    assert (text is body) is is_body
    assert text == decode_text(body, name).encode()


def test_every_label_has_a_decoder() -> None:
    assert set(NAMES.values()) == {*CODECS, "replacement", "x-user-defined"}
    assert {decode_text(b"plain", label) for label in NAMES if NAMES[label][:5] not in {"repla", "utf-1"}} == {"plain"}


@given(body=st.binary(max_size=200), content_type=st.none() | st.text(max_size=30))
def test_any_bytes_have_an_encoding_and_a_text(body: bytes, content_type: str | None) -> None:
    name = encoding(body, content_type)

    assert name in NAMES.values()
    assert utf_8(body, name) == decode_text(body, name).encode("utf-8", "ignore")


@given(
    st.lists(
        st.sampled_from(
            ["<meta ", "charset=", "big5", "content=", "http-equiv=content-type", "<!--", "-->", "<a ", ">"]
        )
        | st.sampled_from(["'", '"', "/", "=", " ", "<?xml ", "encoding=", "\0"]),
        max_size=30,
    )
)
def test_any_markup_has_an_encoding(parts: list[str]) -> None:
    assert encoding("".join(parts).encode() + LATIN) in {"big5", "windows-1252"}


@given(st.text(max_size=50), st.sampled_from(["utf-8", "utf-16le", "gb18030"]))
def test_text_comes_back_from_the_encodings_that_hold_all_of_unicode(text: str, name: str) -> None:
    text = text.lstrip("\ufeff")

    assert decode_text(text.encode(CODECS[name]), name) == text
