from __future__ import annotations

import json

import msgspec
import pytest

from crawler.core.tally import Tally
from crawler.report.jsonfile import decode, encode
from crawler.report.report import SeedReport
from crawler.report.seeds import seed_report
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
    newer = json.loads(encode(FULL)) | {"weather": "politeness"}

    assert decode(json.dumps(newer).encode()) == FULL


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b"{}")


class Counted:
    def report(self) -> SeedReport:
        return SeedReport(read=9, bad=("seed.txt:1: no",), bad_count=3)


def test_seeds_that_count_their_bad_lines_are_believed() -> None:
    tally = Tally(seeds=6, seeds_known=2)

    assert seed_report(Counted(), tally) == SeedReport(
        read=9, accepted=6, duplicates=2, bad=("seed.txt:1: no",), bad_count=3
    )


def test_seeds_that_are_just_urls_are_counted_by_the_engine() -> None:
    assert seed_report(["http://a/"], Tally(seeds=1)) == SeedReport(read=1, accepted=1)
