"""A run that ends at a limit: what it leaves, how it shares, and that the next run goes on."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from crawler import Ending, crawl
from tests.conftest import EAGER
from tests.site import Site
from tests.test_crawl import changed


async def test_what_a_limit_allows_is_shared_evenly_by_the_hosts(
    sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    webs = [await sites(f"127.0.0.{number}") for number in (1, 2, 3)]
    for web, pages in zip(webs, (60, 30, 15), strict=True):
        for number in range(pages):
            web.page(f"/{number}")
        web.page("/", links=[f"/{number}" for number in range(pages)])
    config = changed(limits={"max_pages": 30}, fetch={"concurrency": 3}, politeness={"per_host": 1})

    report = await crawl([web.url("/") for web in webs], config=config, out=tmp_path)

    assert (report.ending, report.pages) == (Ending.LIMIT, 30)
    shares = sorted(host.pages for host in report.hosts)
    assert shares[0] >= 8, shares


async def test_what_is_left_is_told_by_host_and_the_next_run_goes_on(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=[f"/{number}" for number in range(20)])
    for number in range(20):
        site.page(f"/{number}")

    report = await crawl([start], config=changed(limits={"max_pages": 5}), out=tmp_path)
    rest = await crawl([start], config=EAGER, out=tmp_path)

    assert [(left.host, left.queued) for left in report.left] == [(site.origin, report.totals.queued)]
    assert (report.left_hosts, rest.left, rest.left_hosts) == (1, (), 0)
    assert (rest.done, rest.totals.done) == (21 - report.pages, 21)


async def test_a_folder_grows_no_further_than_the_disk_it_may_take(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=[f"/{number}" for number in range(60)])
    for number in range(60):
        site.file(f"/{number}", random.Random(number).randbytes(20_000))  # noqa: S311  no secret
    config = changed(limits={"max_disk": 300_000}, fetch={"concurrency": 2})

    report = await crawl([start], config=config, out=tmp_path)
    once_more = await crawl([start], config=config, out=tmp_path)

    assert (report.ending, report.reason) == (Ending.LIMIT, "300,000 bytes on disk")
    assert 0 < report.totals.queued < 60
    assert (once_more.ending, once_more.pages) == (Ending.LIMIT, 0)
