from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path

import pytest

from crawler import crawl
from crawler.config import build
from crawler.core.concurrency import Concurrency
from crawler.core.evidence import Reading, Rules
from crawler.core.ledger import Feed
from crawler.report.jsonfile import decode
from crawler.report.text import text
from crawler.tuning import MOST_SLOTS, Tuning, most_slots
from tests.site import Site

BUSY = {
    "politeness": {"delay": 0.0, "per_host": 1_000},
    "fetch": {"concurrency": 0, "allow_private": "always"},
    "limits": {"max_time": 60.0},
}


def reading(second: int) -> Reading:
    """A crawl that waits for slots all the time, and gets 640 answers a second, each after 0.1 s."""
    answers = 640.0 * second
    feed = {Feed.SLOTS: float(second)}
    return Reading(at=float(second), feed=feed, answered=answers, requests=answers, first_byte=0.1 * answers)


def test_a_change_comes_true_is_kept_and_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    slots = list[int]()
    rules = Rules(concurrency=64, per_host=1, workers=2, cores=4, most_pages=192)
    tuning = Tuning(Concurrency(rules, most=256), slots.append)

    with caplog.at_level(logging.INFO, "crawler.tuning"):
        for second in range(4):
            tuning.see(reading(second))

    assert slots == [128, 64]
    assert [change.after for change in tuning.changes] == slots
    assert caplog.messages[0].startswith("concurrency 128 instead of 64: all slots were taken 100%")
    assert caplog.messages[1] == "concurrency 64 instead of 128: 640 answers/s are no more than 640 with half of it"


def test_a_machine_allows_one_request_at_least_and_never_more_than_a_loop_can_serve() -> None:
    assert most_slots(1) <= MOST_SLOTS
    assert most_slots(1 << 60) == 1


async def test_a_crawl_that_may_choose_its_concurrency_says_what_it_chose(site: Site, tmp_path: Path) -> None:
    pages = [site.page(f"/{number}") for number in range(300)]
    start = site.page("/", links=tuple(f"/{number}" for number in range(300)))

    report = await crawl([start], config=build(BUSY), out=tmp_path)

    assert report.totals.done == len(pages) + 1
    assert report.ledger.slots >= 64
    chosen = [64, *(change.after for change in report.tuned)]
    assert chosen[-1] == report.ledger.slots
    assert [(change.before, change.after) for change in report.tuned] == list(pairwise(chosen))
    assert decode((tmp_path / "report.json").read_bytes()).tuned == report.tuned
    assert ("Changed by itself" in text(report)) == bool(report.tuned)
