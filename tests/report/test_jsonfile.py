from __future__ import annotations

import json

import msgspec
import pytest

from crawler.report.jsonfile import decode, encode
from crawler.report.report import BAD_SEEDS_KEPT, SeedReport, seed_report
from tests.report.samples import FULL


def test_a_report_comes_back_as_it_was_written() -> None:
    assert decode(encode(FULL)) == FULL


def test_the_file_is_indented_json_with_a_final_newline_and_the_names_of_the_record() -> None:
    content = encode(FULL)

    plain = json.loads(content)

    assert content.endswith(b"}\n")
    assert content.count(b"\n") > 50
    assert plain["ending"] == "limit"
    assert plain["version"] == 1
    assert plain["totals"]["by_outcome"]["ok"] == 1200
    assert plain["hosts"][1]["smallest_gap"] is None
    assert plain["stages"][1]["place"] == "process"


def test_a_field_that_a_newer_version_added_is_no_hindrance() -> None:
    newer = json.loads(encode(FULL)) | {"verdict": "politeness"}

    assert decode(json.dumps(newer).encode()) == FULL


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b"{}")


class Counted:
    def report(self) -> SeedReport:
        return SeedReport(read=9, accepted=0, bad=("seed.txt:1: no",), bad_count=3)


def test_seeds_that_count_their_bad_lines_are_believed() -> None:
    assert seed_report(Counted(), accepted=6, duplicates=2) == SeedReport(
        read=9, accepted=6, duplicates=2, bad=("seed.txt:1: no",), bad_count=3
    )


def test_seeds_that_are_just_urls_were_all_read() -> None:
    assert seed_report(["http://a/"], accepted=1, duplicates=0) == SeedReport(read=1, accepted=1)


def test_the_number_of_bad_seeds_kept_is_bounded() -> None:
    assert BAD_SEEDS_KEPT == 20
