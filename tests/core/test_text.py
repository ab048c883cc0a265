from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.text import inert, inert_json, printable

ANYTHING = st.text(st.characters(exclude_categories=()))
"""Lone surrogates included, which ``st.text()`` leaves out."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\ufeffx", "\\ufeffx"),
    ],
)
def test_characters_that_steer_a_terminal_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["Grüße, 世界", "שלום", "नमस्ते", "क्\u200dष", "👩\u200d💻", "a\u00a0b"])
def test_letters_of_every_script_stay(text: str) -> None:
    assert printable(text) == text


def test_a_long_text_is_cut_to_the_limit_and_says_so() -> None:
    assert printable("abcdef", limit=6) == "abcdef"
    assert printable("abcdefg", limit=6) == "abcde…"


def test_no_half_of_an_escape_stands_at_the_cut() -> None:
    assert printable("ab\x1bcd", limit=6) == "ab…"
    assert printable("ab\x1bcd", limit=7) == "ab\\x1b…"
    assert printable("ab\x1bcd", limit=8) == "ab\\x1bcd"


@given(ANYTHING)
def test_the_result_has_no_control_character_and_can_be_encoded(text: str) -> None:
    shown = printable(text)

    shown.encode()
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)


@given(ANYTHING, st.integers(0, 40))
def test_the_result_keeps_the_limit(text: str, limit: int) -> None:
    assert len(printable(text, limit)) <= limit


@given(ANYTHING)
def test_escaping_twice_changes_nothing_more(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.text())
def test_a_text_of_several_lines_keeps_them_and_steers_nobody(text: str) -> None:
    safe = inert(text)

    assert safe.count("\n") == text.count("\n")
    assert all(printable(line, limit=len(line)) == line for line in safe.split("\n"))


STEERING = (
    "\x7f\x80\x9b\x9f\u061c\u200b\u200e\u200f\u2028\u202a\u202e\u2060\u2066\u2069\u206f\ufeff\ufff9\U000e0001\U000e007f"
)


@pytest.mark.parametrize("character", STEERING)
def test_what_could_steer_a_reader_is_escaped_in_json_and_means_the_same(character: str) -> None:
    line = json.dumps({"title": f"a{character}b\u00e9"}, ensure_ascii=False).encode()

    escaped = inert_json(line)

    assert character.encode() not in escaped
    assert json.loads(escaped) == json.loads(line)


@given(st.text())
def test_json_of_any_text_means_the_same_and_steers_nobody_after_it_is_escaped(text: str) -> None:
    line = json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")

    escaped = inert_json(line)

    assert json.loads(escaped) == json.loads(line)
    assert printable(escaped.decode(), 10**6) == escaped.decode()


def test_letters_of_every_script_stay_as_they_are_in_json() -> None:
    line = '{"title":"\u041f\u0440\u0438\u0432\u0435\u0442 \u65e5\u672c \U0001f600 caf\u00e9 \u0643"}'.encode()

    assert inert_json(line) == line
