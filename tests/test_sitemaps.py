"""Sitemaps and feeds as seeds and by robots.txt, in whole crawls."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler import Outcome, crawl
from crawler.core.host_queues import HostQueues
from crawler.storage.verify import verify
from tests.conftest import EAGER
from tests.site import Site
from tests.test_crawl import changed, pages

XML = "application/xml"
FOLLOWED = changed(scope={"sitemaps": True})


def urlset(*urls: str, lastmod: str = "") -> bytes:
    date = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    entries = "".join(f"<url><loc>{url}</loc>{date}</url>" for url in urls)
    return f"<urlset>{entries}</urlset>".encode()


def now() -> str:
    return datetime.now(UTC).isoformat()


def index(*urls: str) -> bytes:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{url}</loc></sitemap>' for url in urls)}</sitemapindex>".encode()


async def test_a_sitemap_given_as_a_seed_leads_to_what_it_lists(site: Site, tmp_path: Path) -> None:
    site.page("/one")
    site.page("/two")
    packed = site.file("/packed.xml.gz", gzip.compress(urlset(site.url("/one"))), "application/gzip")
    plain = site.file("/plain.txt", site.url("/two").encode(), "text/plain")

    await crawl([packed, plain], config=EAGER, out=tmp_path)

    log = pages(tmp_path)
    assert (log["one"]["kind"], log["one"]["via"], log["one"]["depth"]) == ("listed", packed, 1)
    assert log["two"]["via"] == plain


async def test_sitemaps_that_robots_txt_names_are_followed_if_asked_for(site: Site, tmp_path: Path) -> None:
    start = site.page("/docs/")
    site.page("/docs/orphan")
    site.page("/else/where")
    inner = site.file(
        "/maps/inner.xml", urlset(site.url("/docs/orphan"), site.url("/else/where"), "http://b.example/"), XML
    )
    outer = site.file("/outer.xml", index(inner, site.url("/outer.xml")), XML)
    site.robots(f"Sitemap: {outer}\nSitemap: http://c.example/sitemap.xml\n")
    rule = {"rule": "prefix", "sitemaps": True}

    without = await crawl([start], config=EAGER, out=tmp_path / "without")
    report = await crawl([start], config=changed(scope=rule), out=tmp_path / "with")

    assert without.pages == 1
    assert sorted(pages(tmp_path / "with")) == ["docs/", "docs/orphan", "maps/inner.xml", "outer.xml"]
    assert report.totals.by_outcome == {"ok": 4, "out_of_scope": 3}
    assert verify(tmp_path / "with").ok


async def test_indexes_without_end_are_left(site: Site, tmp_path: Path) -> None:
    site.page("/")
    for number in range(10):
        site.file(f"/{number}.xml", index(site.url(f"/{number + 1}.xml")), XML)
    site.robots(f"Sitemap: {site.url('/0.xml')}\n")

    await crawl([site.url("/")], config=FOLLOWED, out=tmp_path)

    assert sorted(site.requests) == ["/", "/0.xml", "/1.xml", "/2.xml", "/3.xml"]


async def test_a_bomb_costs_one_page(site: Site, tmp_path: Path) -> None:
    bomb = b"<!DOCTYPE urlset [<!ENTITY a 'b'>]><urlset><url><loc>http://a/&a;</loc></url></urlset>"
    seeds = [site.file("/bomb.xml", bomb, XML), site.page("/")]
    zeros = site.file("/zeros.xml.gz", gzip.compress(bytes(64 * 1024**2)), "application/gzip")
    site.robots(f"Sitemap: {zeros}\n")

    report = await crawl(seeds, config=FOLLOWED, out=tmp_path)

    log = pages(tmp_path)
    assert log["bomb.xml"]["outcome"] == Outcome.XML_BOMB
    assert log["zeros.xml.gz"]["outcome"] == Outcome.DECOMPRESSED_TOO_LARGE
    assert (log[""]["outcome"], report.connections["workers_replaced"]) == (Outcome.OK, 0)


async def test_what_a_sitemap_calls_changed_is_fetched_the_same_night_and_once(site: Site, tmp_path: Path) -> None:
    site.page("/fresh", title="first")
    site.page("/stale")
    listed = [site.url("/fresh"), site.url("/stale")]
    start = site.file("/map.xml", urlset(*listed, lastmod="2020-01-01"), XML)
    await crawl([start], config=EAGER, out=tmp_path)
    site.page("/fresh", title="second")
    site.file("/map.xml", urlset(listed[0], lastmod=now()) + b" ", XML)
    site.forget()

    report = await crawl([start], config=EAGER, out=tmp_path, recrawl="due")
    await crawl([start], config=EAGER, out=tmp_path)

    assert sorted(site.requests) == ["/fresh", "/map.xml"]
    assert (report.changes.changed, report.totals.queued) == (2, 0)
    assert verify(tmp_path).ok


@pytest.mark.parametrize("lastmod", ["2099-01-01", "2020-01-01", "soon", ""])
async def test_a_sitemap_is_read_every_night_and_a_date_that_is_no_news_costs_no_page(
    site: Site, tmp_path: Path, lastmod: str
) -> None:
    site.page("/fresh")
    start = site.file("/map.xml", urlset(site.url("/fresh"), lastmod=lastmod), XML)

    await crawl([start], config=EAGER, out=tmp_path)
    site.forget()
    for _ in range(2):
        await crawl([start], config=EAGER, out=tmp_path, recrawl="due")

    assert site.requests == ["/map.xml", "/map.xml"]


@pytest.mark.parametrize("window", [65_536, 16])
async def test_more_pages_than_memory_holds_are_all_fetched_again_the_same_night(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    paths = [f"/{number}" for number in range(100)]
    for path in paths:
        site.page(path)
    new = site.page("/new", links=["/newer"])
    site.page("/newer")
    maps = [
        site.file(f"/{part}.xml", urlset(*map(site.url, paths[part::2]), lastmod="2020-01-01"), XML) for part in (0, 1)
    ]
    await crawl(maps, config=EAGER, out=tmp_path)
    for part in (0, 1):
        listed = [*map(site.url, paths[part::2]), new]
        site.file(f"/{part}.xml", urlset(*listed, lastmod=now()) + b" ", XML)
    site.forget()
    monkeypatch.setattr(
        HostQueues.__init__, "__kwdefaults__", {**(HostQueues.__init__.__kwdefaults__ or {}), "window": window}
    )

    report = await crawl(maps, config=EAGER, out=tmp_path, recrawl="due")

    assert sorted(site.requests) == sorted([*paths, "/0.xml", "/1.xml", "/new", "/newer"])
    assert report.totals.queued == 0
    assert verify(tmp_path).ok


async def test_a_night_that_is_cut_short_goes_on_with_what_its_sitemap_called_changed(
    site: Site, tmp_path: Path
) -> None:
    paths = [f"/{number}" for number in range(20)]
    for path in paths:
        site.page(path)
    start = site.file("/map.xml", urlset(*map(site.url, paths), lastmod="2020-01-01"), XML)
    await crawl([start], config=EAGER, out=tmp_path)
    site.file("/map.xml", urlset(*map(site.url, paths), lastmod=now()) + b" ", XML)
    site.forget()

    short = await crawl([start], config=changed(limits={"max_pages": 8}), out=tmp_path, recrawl="due")
    rest = await crawl([start], config=EAGER, out=tmp_path, recrawl="due")

    assert (short.totals.queued, rest.totals.queued) == (13, 0)
    assert sorted(site.requests) == sorted([*paths, "/map.xml"])
    assert verify(tmp_path).ok
