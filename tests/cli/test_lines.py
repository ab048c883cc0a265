from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.cli.lines import LineReader, SeedLine, is_binary

TYPED = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n#\ufffd\ufeff\0"), max_size=9)
)


def read(content: bytes, size: int = 1 << 20, longest: int = 65_536) -> list[SeedLine]:
    reader = LineReader(longest)
    found: list[SeedLine] = []
    for start in range(0, len(content), size):
        found += reader.feed(content[start : start + size])
    return found + list(reader.feed(b"", last=True))


def texts(content: bytes) -> list[str]:
    return [line.text for line in read(content)]


def test_lines_keep_their_numbers_and_lose_blanks_and_comments() -> None:
    content = b"# mine\n\n  a.example  \n\t# indented\nb.example # why\nc.example/#part\n#http://off.example/\nd"

    assert read(content) == [
        SeedLine(3, "a.example"),
        SeedLine(5, "b.example"),
        SeedLine(6, "c.example/#part"),
        SeedLine(8, "d"),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_three_line_ends_are_understood(end: bytes) -> None:
    assert read(end.join([b"a", b"", b"b"])) == [SeedLine(1, "a"), SeedLine(3, "b")]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-8"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_byte_order_mark_is_obeyed_and_no_part_of_the_first_line(mark: bytes, encoding: str, size: int) -> None:
    assert [line.text for line in read(mark + "übung.example\r\nb".encode(encoding), size)] == ["übung.example", "b"]


def test_a_line_that_is_not_utf8_is_named_as_such() -> None:
    assert [line.flaw for line in read(b"a\nb\xff\nc\n")] == ["", "not UTF-8 text", ""]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_without_end_is_one_flaw_and_the_next_line_is_read(size: int) -> None:
    assert read(b"a\n" + b"x" * 100 + b"\nb\n" + b"y" * 50, size, longest=20) == [
        SeedLine(1, "a"),
        SeedLine(2, "", "longer than 20 characters"),
        SeedLine(3, "b"),
        SeedLine(4, "", "longer than 20 characters"),
    ]


def test_a_line_without_end_does_not_pile_up() -> None:
    reader = LineReader(longest=1000)

    for _ in range(100):
        assert list(reader.feed(b"x" * 900)) == []

    assert len(reader._rest) <= 1000


def test_an_empty_file_has_no_lines() -> None:
    assert texts(b"") == texts(b"\n\n") == texts(codecs.BOM_UTF8) == []


@given(TYPED, st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 7))
def test_how_a_file_is_cut_into_chunks_makes_no_difference(lines: list[str], end: str, size: int) -> None:
    content = end.join(lines).encode()

    assert read(content, size) == read(content)


@given(TYPED)
def test_every_line_with_something_to_say_is_found_under_its_number(lines: list[str]) -> None:
    found = {line.number: line.text for line in read("\n".join(lines).encode())}

    assert found == {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}


@given(st.binary(max_size=300), st.integers(1, 9))
def test_any_bytes_can_be_fed(content: bytes, size: int) -> None:
    numbers = [line.number for line in read(content, size)]

    assert numbers == sorted(set(numbers))


def test_archives_and_images_are_told_from_text() -> None:
    assert is_binary(b"\x1f\x8b\x08\0\0\0")
    assert not is_binary("http://a/".encode("utf-16"))
    assert not is_binary(b"http://a/\n")
