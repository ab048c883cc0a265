"""Planted bottlenecks are named: a short selection of what scripts/verdict_cases tries. Only the kind is asserted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.verdicts import Case, Trial, cases, run

CHOSEN = {
    "1 host, 0.1 s delay": 2.5,
    "0.1 s latency, 8 at a time": 2.5,
    "0.1 s latency, 2 at a time per host, 4 hosts": 2.5,
    "bodies at 80 kB/s each": 2.5,
    "1 host, 429 after 20 requests for 1 s": 2.5,
    "1 worker, a parse that waits 0.02 s": 2.5,
    "an fsync takes 0.4 s": 3.0,
    "a call that blocks it for 0.1 s, again and again": 2.0,
    "a chain of pages, 0.05 s latency": 2.5,
    "a caller takes 0.05 s a page": 2.5,
    "0.1 s latency, and 0.1 s of body": 2.5,
}
"""Names of cases that need no quiet machine, and seconds for which they are crawled here."""


def chosen() -> list[Case]:
    return [
        replace(case, setting=replace(case.setting, seconds=CHOSEN[case.name]), changed=None)
        for case in cases()
        if case.name in CHOSEN
    ]


def test_every_chosen_case_is_there() -> None:
    assert [case.name for case in chosen()] == list(CHOSEN)


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.name)
async def test_the_planted_bottleneck_is_named(case: Case, tmp_path: Path) -> None:
    trial = Trial(case=case, report=await run(case.setting, tmp_path))

    verdict = trial.report.verdict
    assert verdict.sentence
    assert sum(verdict.shares.values()) == pytest.approx(1.0 if verdict.shares else 0.0)
    if trial.disturbed and not trial.right:
        pytest.skip(f"the loop found no core {trial.starved:.0%} of the time: what was planted is not what there was")
    assert trial.right, f"{verdict}\n{trial.report.ledger}"
