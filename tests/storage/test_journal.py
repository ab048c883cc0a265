"""What a commit makes of a batch, and what a failed write makes of a commit."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from crawler.config import Config, Scope, Store
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Kind
from crawler.core.warc import members
from crawler.core.window import Want
from crawler.storage.database import CHANGE_LOG, PAGE_LOG
from crawler.storage.frontier import StoredHost
from crawler.storage.journal import Robots
from crawler.storage.verify import verify
from tests.storage.attempts import (
    SMALL_SEGMENTS,
    Holdings,
    answer,
    journal,
    postponed,
    query,
    redirect,
    sow,
    unanswered,
)


def test_a_page_is_in_the_archive_in_the_log_and_done(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        (seed,) = sow(opened, "http://a/1")
        (page,) = opened.commit([answer(seed, b"hello")]).pages

        assert page
        assert (page.url, page.outcome, page.status, page.attempts) == ("http://a/1", Outcome.OK, 200, 1)
        assert opened.counts() == {(State.DONE, "ok"): 1}
    with (tmp_path / "archive" / page.segment).open("rb") as file:
        file.seek(page.offset)
        record = next(members(file, offset=page.offset))
    assert (record.header("WARC-Target-URI"), record.length) == ("http://a/1", page.length)
    assert record.block.endswith(b"\r\n\r\nhello")
    line = json.loads((tmp_path / PAGE_LOG).read_text())
    assert {name: line[name] for name in ("url", "outcome", "segment", "offset", "length", "digest")} == {
        "url": "http://a/1",
        "outcome": "ok",
        "segment": page.segment,
        "offset": page.offset,
        "length": page.length,
        "digest": record.header("WARC-Payload-Digest"),
    }


def test_pages_come_back_in_the_order_of_their_attempts(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        one, two, three, four = sow(opened, *(f"http://a/{number}" for number in range(4)))

        pages = opened.commit([answer(four), postponed(two, due=5.0), unanswered(one), answer(three)]).pages

        assert [page and (page.url, page.outcome) for page in pages] == [
            ("http://a/3", "ok"),
            None,
            ("http://a/0", "connect_refused"),
            ("http://a/2", "ok"),
        ]
    assert Holdings.of(tmp_path).lines == [
        ("http://a/3", "ok"),
        ("http://a/0", "connect_refused"),
        ("http://a/2", "ok"),
    ]


def test_a_payload_known_from_the_same_batch_or_an_earlier_one_or_run_is_not_kept_twice(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        sources = sow(opened, *(f"http://a/{number}" for number in range(5)))
        opened.commit([answer(sources[0], b"same"), answer(sources[1], b"same"), answer(sources[2], b"other")])
        opened.commit([answer(sources[3], b"same")])
    with journal(tmp_path) as opened:
        (page,) = opened.commit([answer(sources[4], b"same")]).pages

    assert page
    assert page.revisit
    assert [kind for kind, *_ in Holdings.of(tmp_path).records] == [
        "response",
        "revisit",
        "response",
        "revisit",
        "revisit",
    ]
    assert verify(tmp_path).ok


def test_a_revisit_names_the_record_that_holds_the_payload(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        sources = sow(opened, *(f"http://{'abc'[number % 3]}/{number}" for number in range(40)))
        opened.commit([answer(source, b"body %d" % (source.id % 7)) for source in sources[:20]])
        opened.commit([answer(source, b"body %d" % (source.id % 7)) for source in sources[20:]])

    (segment,) = (tmp_path / "archive").glob("*.warc.gz")
    with segment.open("rb") as file:
        records = [member for member in members(file) if member.header("WARC-Type") in {"response", "revisit"}]
    origins = {one.header("WARC-Payload-Digest"): one for one in records if one.header("WARC-Type") == "response"}
    revisits = [one for one in records if one.header("WARC-Type") == "revisit"]
    assert (len(origins), len(revisits)) == (7, 33)
    for one in revisits:
        origin = origins[one.header("WARC-Payload-Digest")]
        assert one.header("WARC-Refers-To-Target-URI") == origin.header("WARC-Target-URI")
        assert one.header("WARC-Refers-To-Date") == origin.header("WARC-Date")


def test_only_whole_pages_are_referred_to_and_only_whole_pages_refer(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        sources = sow(opened, *(f"http://a/{number}" for number in range(5)))
        cut, missing, whole, missing_too, again = sources
        opened.commit([answer(cut, b"same", truncated="length"), answer(missing, b"same", status=404)])
        opened.commit([answer(whole, b"same"), answer(missing_too, b"same", status=404), answer(again, b"same")])

    assert [kind for kind, *_ in Holdings.of(tmp_path).records] == ["response"] * 4 + ["revisit"]


def test_an_attempt_that_is_tried_again_leaves_only_its_time(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        (seed,) = sow(opened, "http://a/1")
        result = opened.commit([postponed(seed, due=77.0, hold_until=66.0)])

        assert result.pages == [None]
        assert opened.counts() == {(State.QUEUED, ""): 1}
    with journal(tmp_path) as opened:
        (host,) = opened.load([Want("http://a", 0, 9)])
        assert isinstance(host, StoredHost)
        assert host.next_at == 66.0
        assert host.urls == (replace(seed, attempts=1, due=77.0),)
        opened.commit([answer(host.urls[0])])
    assert Holdings.of(tmp_path).lines == [("http://a/1", "ok")]
    assert query(tmp_path, "SELECT attempts FROM url") == [(2,)]


def test_the_target_of_a_redirect_is_a_url_of_its_own(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        (seed,) = sow(opened, "http://a/1")
        result = opened.commit([redirect(seed, "http://a/2")])

        assert result.queued == [CrawlURL(2, "http://a/2", "http://a", 0, Kind.REDIRECT, "http://a/1", ("http://a/1",))]
        assert opened.counts() == {(State.DONE, "redirect"): 1, (State.QUEUED, ""): 1}


def test_outlinks_are_queued_once(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        one, two = sow(opened, "http://a/1", "http://a/2")
        first = opened.commit([answer(one, links=("http://a/2", "http://a/3", "http://a/3"))])
        second = opened.commit([answer(two, links=("http://a/1", "http://a/3", "http://a/4"))])

        assert [url.url for url in (*first.queued, *second.queued)] == ["http://a/3", "http://a/4"]


def test_an_outlink_too_deep_is_taken_back_when_found_nearer(tmp_path: Path) -> None:
    with journal(tmp_path, Config(scope=Scope(rule="any", max_depth=1))) as opened:
        one, two = sow(opened, "http://a/1", "http://a/2")
        (near,) = opened.commit([answer(one, links=("http://a/3",))]).queued
        assert opened.commit([answer(near, links=("http://a/4",))]).queued == []

        assert [url.url for url in opened.commit([answer(two, links=("http://a/4",))]).queued] == ["http://a/4"]


def test_without_an_archive_the_log_names_no_place(tmp_path: Path) -> None:
    with journal(tmp_path, Config(store=Store(archive="none"))) as opened:
        one, two = sow(opened, "http://a/1", "http://a/2")
        first, second = opened.commit([answer(one, b"same"), answer(two, b"same")]).pages

    assert first
    assert second
    assert (first.segment, first.offset, first.length, second.revisit) == ("", 0, 0, False)
    assert list((tmp_path / "archive").iterdir()) == []
    assert verify(tmp_path).ok


def test_what_counts_of_each_file_is_what_was_written(tmp_path: Path) -> None:
    with journal(tmp_path, SMALL_SEGMENTS) as opened:
        for source in sow(opened, *(f"http://a/{number}" for number in range(6))):
            opened.commit([answer(source)])

    files = {
        name: (length, closed) for name, length, closed in query(tmp_path, "SELECT name, length, closed FROM file")
    }
    sizes = {path.name: (path.stat().st_size, 1) for path in (tmp_path / "archive").glob("*.warc.gz")}
    assert files == {**sizes, PAGE_LOG: ((tmp_path / PAGE_LOG).stat().st_size, 0), CHANGE_LOG: (0, 0)}
    assert len(sizes) > 1
    assert all((tmp_path / "archive" / name.replace("warc.gz", "cdxj")).exists() for name in sizes)


def test_a_full_segment_gets_its_index_while_the_crawl_goes_on(tmp_path: Path) -> None:
    with journal(tmp_path, SMALL_SEGMENTS) as opened:
        for source in sow(opened, *(f"http://a/{number}" for number in range(6))):
            opened.commit([answer(source)])

        assert [path.name[-10:] for path in (tmp_path / "archive").glob("*.cdxj")] == ["00001.cdxj"]


def test_seeds_are_known_twice_but_crawled_once(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        assert len(opened.sow(["http://a/1", "http://a/1"]).queued) == 1
    with journal(tmp_path) as opened:
        again = opened.sow(["http://a/1"])

    assert (again.queued, again.known) == ([], 1)


def test_a_seed_that_was_out_of_scope_before_is_crawled_after_all(tmp_path: Path) -> None:
    with journal(tmp_path, Config()) as opened:
        (seed,) = sow(opened, "http://a/1")
        opened.commit([answer(seed, links=("http://b/1", "http://b/2"))])
    with journal(tmp_path, Config()) as opened:
        assert sow(opened, "http://b/1") == []

        assert [(url.url, url.depth) for url in opened.reconsider() or ()] == [("http://b/1", 0), ("http://b/2", 1)]
        assert opened.reconsider() is None


def test_robots_are_kept_for_the_next_run(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        sow(opened, "http://a/1", "http://b/1")
        opened.keep_robots(Robots("http://a", b"Disallow: /", 200, 900.0))
        opened.keep_robots(Robots("http://b", None, 404, 800.0))
    with journal(tmp_path) as opened:
        one, two = opened.load([Want("http://a", 0, 9), Want("http://b", 0, 9)])

    assert isinstance(one, StoredHost)
    assert isinstance(two, StoredHost)
    assert (one.robots, one.robots_until, one.asked) == (b"Disallow: /", 900.0, True)
    assert (two.robots, two.robots_until, two.asked) == (None, 800.0, True)


def test_a_host_is_opened_first_and_then_only_gone_on_with(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        seeds = sow(opened, *(f"http://a/{number}" for number in range(4)))

        host, rest = opened.load([Want("http://a", 0, 2), Want("http://a", 2, 9)])

        assert isinstance(host, StoredHost)
        assert (*host.urls, *(rest if isinstance(rest, tuple) else ())) == tuple(seeds)


def test_running_totals_are_those_of_the_table(tmp_path: Path) -> None:
    with journal(tmp_path, Config(scope=Scope(rule="host"))) as opened:
        one, two = sow(opened, "http://a/1", "http://a/2")
        opened.commit([answer(one, links=("http://b/", "http://a/3")), unanswered(two)])

        assert {key: count for key, count in opened.frontier.totals.items() if count} == opened.counts()
        assert opened.counts() == {
            (State.QUEUED, ""): 1,
            (State.DONE, "ok"): 1,
            (State.FAILED, "connect_refused"): 1,
            (State.SKIPPED, "out_of_scope"): 1,
        }
