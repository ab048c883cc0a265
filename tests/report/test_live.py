from __future__ import annotations

import asyncio
import io

import pytest

from crawler.report.live import Live, Pace, PlainLine, is_terminal, sentence
from crawler.report.report import Progress


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seen(*moments: tuple[float, int, int]) -> Pace:
    pace = Pace(window=10.0)
    for elapsed, pages, received in moments:
        pace.see(Progress(elapsed=elapsed, pages=pages, bytes_received=received))
    return pace


def test_the_pace_is_that_of_the_last_ten_seconds() -> None:
    moments = [(float(second), 100 * min(second, 20), 0) for second in range(1, 31)]

    assert seen(*moments).per_second() == (0.0, 0.0)
    assert seen(*moments[:25]).per_second() == (50.0, 0.0)


def test_the_pace_of_a_young_crawl_is_that_since_its_start() -> None:
    assert seen((1.0, 0, 0), (4.0, 8, 4096)).per_second() == (2.0, 1024.0)


def test_a_crawl_that_has_not_begun_has_no_pace() -> None:
    assert Pace().per_second() == (0.0, 0.0)
    assert seen((0.0, 0, 0)).per_second() == (0.0, 0.0)


def test_the_pace_keeps_no_more_moments_than_its_window_holds() -> None:
    pace = seen(*((second * 1.0, second, 0) for second in range(1000)))

    assert len(pace._seen) <= 12


def test_the_line_tells_what_matters_first() -> None:
    progress = Progress(
        pages=1234, failed=5, queued=678, in_flight=9, bytes_received=47_395_635, hosts_ready=1, elapsed=107.2
    )

    assert sentence(progress, seen((1.0, 0, 0), (4.0, 8, 4096))) == (
        "0:01:47  1,234 pages (2.0/s)  678 queued  9 in flight  5 failed  45.2 MiB (1.0 KiB/s)  1 host ready"
    )


def test_the_line_names_the_bottleneck_of_the_last_seconds() -> None:
    line = sentence(Progress(pages=3, elapsed=60.0, bottleneck="politeness of \x1b[2Ja 91 %"), Pace())

    assert line.startswith("0:01:00  3 pages (0.0/s)  politeness of \\x1b[2Ja 91 %  0 queued")


def test_the_line_of_a_crawl_that_stops_says_so() -> None:
    assert sentence(Progress(stopping=True), Pace()).startswith("stopping  0:00:00")


def test_a_log_gets_a_line_every_thirty_seconds() -> None:
    stream = io.StringIO()
    line = PlainLine(stream, every=30.0)

    for second in range(95):
        line.show(f"at {second}", float(second))
    line.close()

    assert stream.getvalue() == "at 30\nat 60\nat 90\n"


def test_a_log_that_missed_a_line_is_not_flooded() -> None:
    stream = io.StringIO()
    line = PlainLine(stream, every=30.0)

    line.show("late", 100.0)
    line.show("soon after", 101.0)

    assert stream.getvalue() == "late\n"


async def test_the_line_is_shown_while_it_is_entered_and_its_task_is_gone_afterwards() -> None:
    shown = asyncio.Event()
    asked: list[Progress] = []

    def progress() -> Progress:
        asked.append(Progress(elapsed=31.0, pages=7))
        shown.set()
        return asked[-1]

    stream = io.StringIO()

    async with Live(progress, stream, every=0.001):
        await shown.wait()
        await asyncio.sleep(0)

    assert stream.getvalue() == (
        "0:00:31  7 pages (0.23/s)  0 queued  0 in flight  0 failed  0 B (0 B/s)  0 hosts ready\n"
    )
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "live line"] == []


async def test_a_terminal_that_has_gone_ends_the_line_and_nothing_else() -> None:
    async with Live(lambda: Progress(elapsed=100.0), Broken(), every=0.001) as live:
        assert live._task is not None
        await live._task

    assert live._task.exception() is None


async def test_on_a_terminal_the_line_is_drawn_and_taken_away_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    drawn = asyncio.Event()
    stream = Terminal()

    def progress() -> Progress:
        drawn.set()
        return Progress(pages=1, elapsed=1.0)

    async with Live(progress, stream):
        await drawn.wait()
        await asyncio.sleep(0)

    assert "1 page" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K")
    assert "\x1b[?25h" in stream.getvalue()


def test_only_a_terminal_that_can_move_its_cursor_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert is_terminal(Terminal())
    assert not is_terminal(io.StringIO())

    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Terminal())
