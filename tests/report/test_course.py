"""What a report tells of a run over time, from crawls of a website on loopback."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

from crawler import crawl
from crawler.core.bottleneck import Bottleneck
from crawler.core.ledger import Histogram
from crawler.report.course import spread
from crawler.report.jsonfile import decode
from crawler.report.measured import Bucket
from crawler.testing.site import Site
from tests.conftest import EAGER
from tests.test_crawl import changed


async def test_the_slots_of_a_run_add_up_to_all_of_it(site: Site, tmp_path: Path) -> None:
    site.page("/", links=[f"/{number}" for number in range(60)])
    for number in range(50):
        site.page(f"/{number}", slow=0.02)

    report = await crawl([site.url("/")], config=EAGER, out=tmp_path)

    told = Counter[str]()
    for slot in report.course:
        told.update(slot.outcomes)
    assert told == {"ok": 51, "http_client_error": 10}
    assert sum(slot.bytes for slot in report.course) == report.bytes_received
    assert sum(bucket.count for bucket in report.latencies) >= 61
    assert all(set(slot.shares) <= {kind.value for kind in Bottleneck} for slot in report.course)
    assert decode((tmp_path / "report.json").read_bytes()) == report


async def test_what_was_not_answered_is_no_answer_within_no_time(site: Site, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    start = site.page("/", links=["/dropped", "/slow"])
    site.page("/dropped", drop=True)
    site.page("/slow", slow=0.05)

    report = await crawl([start, nobody], config=changed(fetch={"attempts": 1}), out=tmp_path)

    assert report.totals.by_outcome == {"ok": 2, "disconnected": 1, "connect_refused": 1}
    assert sum(bucket.count for bucket in report.latencies) == 2
    assert report.latency.p50 > 0
    assert report.latency.max >= 0.05


def test_a_spread_begins_and_ends_with_buckets_that_hold_something() -> None:
    histogram = Histogram()
    histogram.add(0.0015)
    histogram.add(0.0021)

    assert spread(histogram) == (
        Bucket(upto=0.001536, count=1),
        Bucket(upto=0.002048, count=0),
        Bucket(upto=0.003072, count=1),
    )


def test_nothing_has_no_spread() -> None:
    assert spread(Histogram()) == ()
