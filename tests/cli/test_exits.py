from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from crawler import errors
from crawler.cli.exits import Exit, exit_of_error, exit_of_report
from crawler.report.report import Ending
from tests.report.samples import FULL, PLAIN

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_readme_lists_every_exit_code_with_its_meaning() -> None:
    table = re.findall(r"^\| (\d+) \| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)

    assert table == [(str(int(code)), code.meaning) for code in Exit]


@pytest.mark.parametrize(
    ("ending", "code"),
    [(Ending.COMPLETE, 0), (Ending.NOTHING_FETCHED, 3), (Ending.INTERRUPTED, 10), (Ending.LIMIT, 11)],
)
def test_every_ending_has_its_code(ending: Ending, code: int) -> None:
    assert exit_of_report(msgspec.structs.replace(PLAIN, ending=ending)) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError, 2),
        (errors.SeedError, 2),
        (errors.FolderBusy, 75),
        (errors.FolderDamaged, 65),
        (errors.FolderUnusable, 73),
        (errors.StorageError, 74),
        (errors.WorkersLost, 1),
    ],
)
def test_every_error_has_its_code(error: type[errors.CrawlerError], code: int) -> None:
    assert exit_of_error(error("why")) == code


def test_more_failures_than_allowed_are_told_by_the_code() -> None:
    some = msgspec.structs.replace(FULL, ending=Ending.COMPLETE, pages=100, done=95, failed=5)

    assert exit_of_report(some, fail_on=4.9) == Exit.FAILED_TOO_MANY
    assert exit_of_report(some, fail_on=5.0) == Exit.COMPLETE
    assert exit_of_report(some) == Exit.COMPLETE
    assert exit_of_report(msgspec.structs.replace(some, ending=Ending.LIMIT), fail_on=1) == Exit.FAILED_TOO_MANY
    assert exit_of_report(msgspec.structs.replace(some, ending=Ending.INTERRUPTED), fail_on=1) == Exit.INTERRUPTED


def test_a_run_without_pages_fails_no_share() -> None:
    assert exit_of_report(PLAIN, fail_on=0) == Exit.COMPLETE


def test_a_sum_that_does_not_add_up_is_a_failed_verification() -> None:
    assert exit_of_report(msgspec.structs.replace(PLAIN, conserved=False)) == Exit.VERIFY_FAILED
