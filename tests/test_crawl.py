"""Whole crawls of real websites on loopback."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler import Config, Ending, Report, crawl
from crawler.core.warc_reader import Member, members
from crawler.testing.site import Site
from tests.conftest import EAGER


def changed(**sections: dict[str, object]) -> Config:
    """EAGER with some settings changed."""
    new = {name: msgspec.structs.replace(getattr(EAGER, name), **values) for name, values in sections.items()}
    return msgspec.structs.replace(EAGER, **new)


def pages(out: Path) -> dict[str, dict[str, Any]]:
    """The page log, by path of the URL; a URL that stands twice is an error."""
    lines = [json.loads(line) for line in (out / "pages.jsonl").read_bytes().splitlines()]
    urls = [line["url"] for line in lines]
    assert len(urls) == len(set(urls))
    return {line["url"].split("/", 3)[3]: line for line in lines}


def archived(out: Path) -> Counter[str]:
    """Response and revisit records by URL."""
    headers = [dict(member.headers) for member in records(out)]
    return Counter(one["WARC-Target-URI"] for one in headers if one["WARC-Type"] in {"response", "revisit"})


def records(out: Path) -> Iterator[Member]:
    """All records of the archive, read strictly."""
    for segment in sorted((out / "archive").glob("*.warc.gz")):
        with segment.open("rb") as file:
            yield from members(file)


def moved_aside(out: Path) -> Path:
    """The folder of the earlier run."""
    (aside,) = out.glob("before-*")
    return aside


async def test_a_cycle_of_links_is_fetched_once_each(site: Site, tmp_path: Path) -> None:
    start = site.page("/a", links=("/b",))
    site.page("/b", links=("/a", "/missing"))

    report = await crawl([start], config=EAGER, out=tmp_path)

    assert sorted(site.requests) == ["/a", "/b", "/missing"]
    assert report.ending is Ending.COMPLETE
    assert (report.done, report.failed, report.known, report.conserved) == (2, 1, 3, True)


async def test_every_page_is_in_the_archive_and_in_the_page_log_exactly_once(site: Site, tmp_path: Path) -> None:
    paths = [f"/p{number}" for number in range(60)]
    for path in paths:
        site.page(path, links=paths)

    await crawl([site.url("/p0")], config=EAGER, out=tmp_path)

    assert archived(tmp_path) == dict.fromkeys(map(site.url, paths), 1)
    assert sorted(pages(tmp_path)) == sorted(path[1:] for path in paths)


async def test_a_page_says_where_its_record_stands(site: Site, tmp_path: Path) -> None:
    start = site.page("/", title="Start")

    await crawl([start], config=EAGER, out=tmp_path)

    page = pages(tmp_path)[""]
    with (tmp_path / "archive" / page["segment"]).open("rb") as file:
        file.seek(page["offset"])
        record = gzip.decompress(file.read(page["length"]))
    assert b"WARC-Type: response" in record
    assert page["digest"].encode() in record
    assert b"<title>Start</title>" in record


async def test_the_same_body_under_two_urls_is_stored_once(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/one", "/two"))
    for path in ("/one", "/two"):
        site.file(path, b"the very same bytes", "text/plain")

    await crawl([start], config=EAGER, out=tmp_path)

    log = pages(tmp_path)
    assert log["one"]["digest"] == log["two"]["digest"]
    assert sorted((log["one"]["revisit"], log["two"]["revisit"])) == [False, True]


async def test_a_redirect_is_a_page_of_its_own_and_its_target_another(site: Site, tmp_path: Path) -> None:
    start = site.redirect("/old", "/new")
    site.page("/new")

    await crawl([start], config=EAGER, out=tmp_path)

    log = pages(tmp_path)
    assert (log["old"]["outcome"], log["old"]["status"]) == ("redirect", 302)
    assert (log["new"]["kind"], log["new"]["depth"], log["new"]["via"]) == ("redirect", 0, start)


async def test_a_redirect_that_comes_back_ends_as_a_loop(site: Site, tmp_path: Path) -> None:
    start = site.redirect("/a", "/b")
    site.redirect("/b", "/a")

    await crawl([start], config=EAGER, out=tmp_path)

    assert pages(tmp_path)["b"]["outcome"] == "redirect_loop"
    assert sorted(site.requests) == ["/a", "/b"]


async def test_robots_txt_is_asked_for_once_and_obeyed(site: Site, tmp_path: Path) -> None:
    site.robots("User-agent: *\nDisallow: /private/\n")
    start = site.page("/", links=("/private/a", "/public"))
    site.page("/private/a")
    site.page("/public")

    report = await crawl([start], config=EAGER, out=tmp_path)

    assert sorted(site.requests) == ["/", "/public"]
    assert site.robots_requests == 1
    assert report.totals.by_outcome["robots_denied"] == 1
    assert report.hosts[0].robots == "obeyed"


async def test_a_host_whose_robots_txt_fails_is_not_crawled(site: Site, tmp_path: Path) -> None:
    site.robots("", status=500)
    start = site.page("/")

    report = await crawl([start], config=EAGER, out=tmp_path)

    assert site.requests == []
    assert report.ending is Ending.NOTHING_FETCHED
    assert report.totals.by_outcome == {"robots_unreachable": 1}


async def test_a_page_that_fails_for_a_while_is_tried_again(site: Site, tmp_path: Path) -> None:
    start = site.page("/", fail_times=(503, (429, "0"), 500))

    report = await crawl([start], config=changed(fetch={"attempts": 5}), out=tmp_path)

    assert site.requests == ["/"] * 4
    assert report.done == 1
    assert pages(tmp_path)[""]["attempts"] == 4
    assert archived(tmp_path) == {start: 1}


async def test_two_requests_to_a_host_keep_its_delay(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/a", "/b"))
    site.page("/a")
    site.page("/b")

    report = await crawl([start], config=changed(politeness={"delay": 0.2}), out=tmp_path)

    times = [request.at for request in site.log]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 3
    assert min(gaps) >= 0.198
    assert report.hosts[0].smallest_gap is not None
    assert report.hosts[0].smallest_gap >= 0.2


async def test_a_crawl_delay_in_robots_txt_is_kept_and_shown(site: Site, tmp_path: Path) -> None:
    site.robots("User-agent: *\nCrawl-delay: 0.3\n")
    start = site.page("/", links=("/a",))
    site.page("/a")

    report = await crawl([start], config=EAGER, out=tmp_path)

    times = [request.at for request in site.log]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.298
    assert (report.hosts[0].delay_asked, report.hosts[0].delay_kept) == (0.3, 0.3)


async def test_other_hosts_are_out_of_scope_and_recorded(sites: Callable[..., Awaitable[Site]], tmp_path: Path) -> None:
    home, away = await sites(), await sites("127.0.0.2")
    start = home.page("/", links=(away.page("/"),))

    report = await crawl([start], config=EAGER, out=tmp_path)

    assert away.log == []
    assert report.totals.by_outcome["out_of_scope"] == 1


async def test_with_scope_any_other_hosts_are_crawled_too(
    sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    home, away = await sites(), await sites("127.0.0.2")
    start = home.page("/", links=(away.page("/"),))

    await crawl([start], config=changed(scope={"rule": "any"}), out=tmp_path)

    assert away.requests == ["/"]


async def test_private_addresses_are_reached_only_where_a_seed_names_them(
    sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    home, away = await sites(), await sites("127.0.0.2")
    start = home.page("/", links=(away.page("/"),))
    config = changed(scope={"rule": "any"}, fetch={"allow_private": "seeds"})

    report = await crawl([start], config=config, out=tmp_path)

    assert home.requests == ["/"]
    assert away.log == []
    assert report.totals.by_outcome["address_blocked"] == 1


async def test_depth_is_counted_from_the_seeds(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/1",))
    site.page("/1", links=("/2",))
    site.page("/2")

    report = await crawl([start], config=changed(scope={"max_depth": 1}), out=tmp_path)

    assert site.requests == ["/", "/1"]
    assert report.totals.by_outcome["too_deep"] == 1


async def test_the_second_run_goes_on_where_a_limit_stopped_the_first(site: Site, tmp_path: Path) -> None:
    paths = [f"/p{number}" for number in range(9)]
    start = site.page("/", links=paths)
    for path in paths:
        site.page(path)
    limited = changed(limits={"max_pages": 4})

    first = await crawl([start], config=limited, out=tmp_path)
    second = await crawl([start], config=EAGER, out=tmp_path)

    assert (first.ending, first.pages, first.totals.queued) == (Ending.LIMIT, 4, 6)
    assert (second.ending, second.pages, second.totals.queued) == (Ending.COMPLETE, 6, 0)
    assert sorted(site.requests) == ["/", *paths]
    assert set(archived(tmp_path).values()) == {1}


async def test_a_new_seed_brings_in_what_was_out_of_scope(
    sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    home, away = await sites(), await sites("127.0.0.2")
    start = home.page("/", links=(away.page("/a"),))
    await crawl([start], config=EAGER, out=tmp_path)

    report = await crawl([start, away.page("/")], config=EAGER, out=tmp_path)

    assert sorted(away.requests) == ["/", "/a"]
    assert report.conserved


async def test_a_greater_depth_goes_on_where_a_smaller_one_stopped(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/1",))
    site.page("/1", links=("/2",))
    site.page("/2")
    await crawl([start], config=changed(scope={"max_depth": 0}), out=tmp_path)

    await crawl([start], config=EAGER, out=tmp_path)

    assert site.requests == ["/", "/1", "/2"]


async def test_a_revisit_bears_the_name_that_its_request_names(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/one", "/two"))
    for path in ("/one", "/two"):
        site.file(path, b"the very same bytes", "text/plain")

    await crawl([start], config=EAGER, out=tmp_path)

    headers = [dict(member.headers) for member in records(tmp_path)]
    named = {one["WARC-Concurrent-To"] for one in headers if one["WARC-Type"] == "request"}
    assert named == {one["WARC-Record-ID"] for one in headers if one["WARC-Type"] in {"response", "revisit"}}
    assert [one["WARC-Type"] for one in headers].count("revisit") == 1


async def test_a_finished_crawl_run_again_fetches_nothing(site: Site, tmp_path: Path) -> None:
    start = site.page("/")
    await crawl([start], config=EAGER, out=tmp_path)

    again = await crawl([start], config=EAGER, out=tmp_path)

    assert site.requests == ["/"]
    assert (again.ending, again.pages, again.totals.done) == (Ending.COMPLETE, 0, 1)


async def test_fresh_begins_anew_and_keeps_the_earlier_run(site: Site, tmp_path: Path) -> None:
    start = site.page("/")
    await crawl([start], config=EAGER, out=tmp_path)

    await crawl([start], config=EAGER, out=tmp_path, fresh=True)

    assert site.requests == ["/", "/"]
    assert archived(moved_aside(tmp_path)) == {start: 1} == archived(tmp_path)


async def test_a_list_of_files_becomes_files(site: Site, tmp_path: Path) -> None:
    urls = [site.file(f"/data/{number}.bin", bytes([number]) * 1000) for number in range(20)]
    config = changed(scope={"max_depth": 0}, store={"mirror": True, "archive": "none"})

    report = await crawl(urls, config=config, out=tmp_path)

    assert report.done == 20
    written = {line["mirror"]: path for path, line in pages(tmp_path).items()}
    assert len(written) == 20
    for name, path in written.items():
        number = int(path.removeprefix("data/").removesuffix(".bin"))
        assert (tmp_path / "mirror" / name).read_bytes() == bytes([number]) * 1000
    assert not list((tmp_path / "archive").glob("*.warc.gz*"))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_links_are_found_in_compressed_pages_and_the_archive_keeps_what_came(
    site: Site, tmp_path: Path, coding: Any
) -> None:
    start = site.page("/", links=("/next",), coding=coding)
    site.page("/next", coding=coding, chunked=True)

    await crawl([start], config=changed(store={"mirror": True}), out=tmp_path)

    log = pages(tmp_path)
    assert sorted(log) == ["", "next"]
    assert log[""]["size"] > log[""]["wire_size"] > 0
    assert "<title>" in (tmp_path / "mirror" / log["next"]["mirror"]).read_text()


async def test_a_body_cut_short_is_tried_again_and_then_kept_as_cut(site: Site, tmp_path: Path) -> None:
    start = site.page("/", body="x" * 5000, truncate=1000)

    report = await crawl([start], config=EAGER, out=tmp_path)

    page = pages(tmp_path)[""]
    assert (page["outcome"], page["attempts"], page["truncated"]) == ("body_incomplete", 3, "disconnect")
    assert (report.failed, site.requests) == (1, ["/"] * 3)


async def test_bad_seeds_are_told_and_the_rest_goes_on(site: Site, tmp_path: Path) -> None:
    report = await crawl(["htp://nowhere", site.page("/")], config=EAGER, out=tmp_path)

    assert report.done == 1
    assert (report.seeds.read, report.seeds.accepted, report.seeds.bad_count) == (2, 1, 1)


async def test_report_json_is_the_report(site: Site, tmp_path: Path) -> None:
    report = await crawl([site.page("/")], config=EAGER, out=tmp_path)

    assert msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report) == report


async def test_a_hundred_hosts_are_crawled_side_by_side_each_at_its_own_pace(
    sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    opened = [await sites(f"127.0.1.{number}") for number in range(1, 21)]
    seeds = []
    for one in opened:
        seeds.append(one.page("/", links=("/a",)))
        one.page("/a")
    began = time.monotonic()

    await crawl(seeds, config=changed(politeness={"delay": 0.5}, fetch={"concurrency": 4}), out=tmp_path)

    assert all(one.requests == ["/", "/a"] for one in opened)
    one_after_another = 20 * 2 * 0.5
    assert time.monotonic() - began < one_after_another
