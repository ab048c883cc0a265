"""What docs/operating.md says of outcomes and exit codes is what the code says."""

from __future__ import annotations

import re

import pytest

from crawler.cli.exits import Exit
from crawler.core.outcomes import Outcome, State
from scripts.outcome_table import DOCUMENT, with_table

TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_table_of_outcomes_is_that_of_the_code() -> None:
    assert with_table(TEXT) == TEXT, "run scripts/outcome_table"


def test_every_outcome_has_one_row_and_says_what_to_do_unless_all_is_well() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", TEXT, re.MULTILINE))

    assert {str(outcome) for outcome in Outcome} <= rows.keys()
    assert [str(outcome) for outcome in Outcome if outcome.state is not State.DONE and not rows[outcome].strip()] == []


def test_every_exit_code_has_its_meaning_and_what_to_do() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", TEXT, re.MULTILINE)

    assert [(code, meaning) for code, meaning, _ in rows] == [(str(int(code)), code.meaning) for code in Exit]
    assert all(advice for _, _, advice in rows)


def test_a_document_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places"):
        with_table("# nothing")
