from __future__ import annotations

import msgspec

from crawler.report.history import against_last, compare, kept, last, past_run, read
from crawler.report.report import PastRun
from tests.report.samples import DRAWN, PLAIN

BEFORE = PastRun(started_at=1_699_913_600.0, ending="complete", seconds=100.0, pages=1000, failed=10, p50=0.084)


def test_what_is_kept_of_a_run_is_read_back() -> None:
    assert read(5.0, kept(DRAWN)) == past_run(DRAWN)


def test_a_run_that_was_cut_short_or_cannot_be_read_has_no_figures() -> None:
    assert read(5.0, None) == PastRun(started_at=5.0)
    assert read(5.0, b'{"pages": "many"}') == PastRun(started_at=5.0)
    assert read(5.0, b"\x00") == PastRun(started_at=5.0)


def test_the_last_run_is_the_last_that_came_to_its_end() -> None:
    history = (BEFORE, PastRun(started_at=1_699_990_000.0))

    assert last(msgspec.structs.replace(PLAIN, history=history)) == BEFORE
    assert last(PLAIN) is None


def test_figures_that_differ_have_a_change_with_its_sign_and_share() -> None:
    rows = {row.name: row for row in compare(past_run(DRAWN), BEFORE)}

    assert (rows["pages"].this, rows["pages"].last, rows["pages"].change) == ("1,210", "1,000", "+210 (+21 %)")
    assert rows["time"].change == "+23.0 s (+23 %)"
    assert rows["still queued"].change == "+4"
    assert rows["latency, half within"].change == ""
    assert (rows["ended"].this, rows["ended"].last, rows["ended"].change) == ("limit", "complete", "other")


def test_less_is_told_as_such() -> None:
    rows = {row.name: row for row in compare(BEFORE, past_run(DRAWN))}

    assert rows["pages"].change == "-210 (-17 %)"


def test_a_run_is_told_against_the_last_and_what_came_between_is_not_hidden() -> None:
    history = (BEFORE, PastRun(started_at=1_699_990_000.0), PastRun(started_at=1_699_991_000.0))

    lines = against_last(msgspec.structs.replace(DRAWN, history=history)).splitlines()

    assert lines[0] == "The run of 2023-11-14 22:13 UTC against that of 2023-11-13 22:13 UTC"
    assert lines[1] == "  (2 between them cut short)"
    assert lines[2].split() == ["this", "run", "last", "run", "change"]
    assert len({len(line) for line in lines[3:] if line.endswith((")", "other"))}) == 1


def test_a_run_that_nobody_answered_has_no_latency_to_be_held_against_another() -> None:
    rows = {row.name: row for row in compare(msgspec.structs.replace(BEFORE, p50=0.0), BEFORE)}

    row = rows["latency, half within"]
    assert (row.this, row.change) == ("-", "")
    assert row.last != "-"


def test_a_first_run_has_nothing_to_be_held_against() -> None:
    assert against_last(PLAIN) == "There is no earlier run in this folder to hold this one against.\n"
