from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.report.figures import clock, count, date, duration, plural, rate, share, size, speed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0000004, "0 µs"),
        (0.000085, "85 µs"),
        (0.0009996, "1.0 ms"),
        (0.00842, "8.4 ms"),
        (0.00996, "10 ms"),
        (0.9996, "1.00 s"),
        (1.234, "1.23 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1m 00s"),
        (123.4, "2m 03s"),
        (3599.6, "1h 00m"),
        (86399.6, "1d 00h"),
        (273600, "3d 04h"),
        (-2.0, "-2.00 s"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (47_395_635, "45.2 MiB"), (2**60, "1024.0 PiB")],
)
def test_a_size_is_written_in_binary_units(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0.0/s"), (0.25, "0.25/s"), (0.999, "1.0/s"), (9.84, "9.8/s"), (1234.5, "1,234/s")]
)
def test_a_rate_keeps_two_or_three_digits(number: float, text: str) -> None:
    assert rate(number) == text


def test_a_share_is_a_percentage_of_the_whole() -> None:
    assert [share(0, 10), share(1, 250), share(1, 8), share(10, 10), share(1, 0)] == [
        "0 %",
        "0.4 %",
        "12 %",
        "100 %",
        "-",
    ]


def test_a_clock_has_hours_minutes_and_seconds() -> None:
    assert [clock(0.9), clock(107), clock(360_000)] == ["0:00:00", "0:01:47", "100:00:00"]


def test_one_is_singular() -> None:
    assert [plural(1, "page"), plural(1234, "page"), plural(0, "URL"), plural(2, "entry", "entries")] == [
        "1 page",
        "1,234 pages",
        "0 URLs",
        "2 entries",
    ]


@pytest.mark.parametrize("write", [count, size, rate, speed, duration, clock, lambda number: share(number, 1.0)])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_a_dash(write: Callable[[float], str], number: float) -> None:
    assert write(number) == "-"


@given(st.floats(0, 1e12))
def test_a_duration_never_breaks_its_column(seconds: float) -> None:
    assert len(duration(min(seconds, 99 * 86_400))) <= len("59m 59s")


@given(st.floats(0, 1e17))
def test_a_size_never_breaks_its_column(number: float) -> None:
    assert len(size(number)) <= len("999.9 KiB")


@pytest.mark.parametrize(("at", "text"), [(1_795_400_000.0, "2026-11-23 02:13 UTC"), (math.nan, "-"), (1e300, "-")])
def test_a_moment_is_written_in_utc(at: float, text: str) -> None:
    assert date(at) == text
