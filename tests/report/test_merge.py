from __future__ import annotations

import msgspec

from crawler.report.jsonfile import decode, encode
from crawler.report.measured import Bucket, LedgerReport, Percentiles, Slot, StageReport, VerdictReport
from crawler.report.merge import merge, merged_progress, skew
from crawler.report.report import Ending, HostLeft, HostReport, Problem, Progress, Report, ShardReport, Totals
from crawler.report.shards import said
from crawler.report.text import text

WHOLE = Report(ending=Ending.COMPLETE, started_at=100.0, ended_at=110.0, seconds=10.0, folder="out")


def part(pages: int, kind: str = "politeness", **more: object) -> Report:
    made = Report(
        ending=Ending.INTERRUPTED,
        started_at=100.0,
        ended_at=109.0,
        seconds=9.0,
        pages=pages,
        done=pages,
        known=pages + 1,
        totals=Totals(done=pages, skipped=1, by_outcome={"ok": pages, "out_of_scope": 1}),
        verdict=VerdictReport(kind=kind, sentence=f"Bottleneck: {kind}", shares={kind: 1.0}),
    )
    return msgspec.structs.replace(made, **more)


def test_what_is_counted_is_added_up() -> None:
    merged = merge([part(30), part(10)], [], WHOLE)

    assert (merged.pages, merged.done, merged.known) == (40, 40, 42)
    assert merged.totals == Totals(done=40, skipped=2, by_outcome={"ok": 40, "out_of_scope": 2})
    assert (merged.pages_per_second, merged.ending, merged.folder) == (4.0, Ending.COMPLETE, "out")


def test_urls_that_have_moved_are_counted_where_they_are() -> None:
    left = part(5, known=9, totals=Totals(done=5, skipped=4, by_outcome={"ok": 5, "moved": 3, "excluded": 1}))

    merged = merge([left, part(3)], [], WHOLE)

    assert merged.known == 6 + 4
    assert merged.totals == Totals(done=8, skipped=2, by_outcome={"excluded": 1, "ok": 8, "out_of_scope": 1})


def test_one_shard_that_does_not_add_up_is_seen_in_the_whole() -> None:
    assert merge([part(1), part(2, conserved=False)], [], WHOLE).conserved is False


def test_a_crawl_of_which_no_shard_fetched_anything_says_so() -> None:
    assert merge([part(0), part(0)], [], WHOLE).ending is Ending.NOTHING_FETCHED


def test_percentiles_are_read_from_the_buckets_of_all() -> None:
    quick = part(1, latencies=(Bucket(upto=0.1, count=90),), latency=Percentiles(max=0.09, total=5.0))
    slow = part(
        1, latencies=(Bucket(upto=0.1, count=0), Bucket(upto=2.0, count=10)), latency=Percentiles(max=1.5, total=9.0)
    )

    merged = merge([quick, slow], [], WHOLE)

    assert merged.latency == Percentiles(p50=0.1, p95=1.5, p99=1.5, max=1.5, total=14.0)
    assert merged.latencies == (Bucket(upto=0.1, count=90), Bucket(upto=2.0, count=10))


def test_hosts_problems_and_stages_of_all_are_told_together() -> None:
    one = part(
        1,
        hosts=(HostReport(host="a", pages=1),),
        problems=(Problem(outcome="http_client_error", status=404, count=2, example="a/x"),),
        stages=(StageReport(name="fetch", place="loop", calls=1, cpu=0.5, p99=0.2),),
        left=(HostLeft(host="a", queued=4),),
    )
    other = part(
        9,
        hosts=(HostReport(host="b", pages=9),),
        problems=(Problem(outcome="http_client_error", status=404, count=5, example="b/y"),),
        stages=(StageReport(name="fetch", place="loop", calls=9, cpu=1.5, p99=0.1),),
        left=(HostLeft(host="b", queued=40),),
    )

    merged = merge([one, other], [], WHOLE)

    assert [host.host for host in merged.hosts] == ["b", "a"]
    assert [(problem.status, problem.count) for problem in merged.problems] == [(404, 7)]
    assert [(stage.calls, stage.cpu, stage.p99) for stage in merged.stages] == [(10, 2.0, 0.2)]
    assert [left.host for left in merged.left] == ["b", "a"]


def test_shares_of_the_ledger_are_averaged_by_pages_and_counts_added() -> None:
    busy = part(30, ledger=LedgerReport(loop_busy=0.8, requests=31, cores=2, feed={"slots": 1.0}))
    idle = part(10, ledger=LedgerReport(loop_busy=0.4, requests=12, cores=2, feed={"slots": 2.0, "few": 1.0}))

    ledger = merge([busy, idle], [], WHOLE).ledger

    assert (round(ledger.loop_busy, 6), ledger.requests, ledger.cores) == (0.7, 43, 2)
    assert ledger.feed == {"slots": 3.0, "few": 1.0}


def test_a_bottleneck_is_named_if_shards_of_most_pages_name_it() -> None:
    agreed = merge([part(30), part(20), part(10, "parse")], [], WHOLE).verdict
    mixed = merge([part(30), part(30, "parse")], [], WHOLE).verdict

    assert (agreed.kind, agreed.sentence) == ("politeness", "Bottleneck: politeness (2 of 3 shards say so)")
    assert round(agreed.shares["politeness"], 3) == 0.833
    assert mixed.kind == "mixed"
    assert "1 shard by politeness, 1 shard by parse" in mixed.sentence


def test_courses_are_laid_over_each_other() -> None:
    long = part(1, course=(Slot(at=0, seconds=2, outcomes={"ok": 1}), Slot(at=2, seconds=2, outcomes={"ok": 3})))
    short = part(1, course=(Slot(at=0.5, seconds=3, outcomes={"ok": 5}, bytes=7),))

    course = merge([long, short], [], WHOLE).course

    assert [(slot.at, slot.outcomes, slot.bytes) for slot in course] == [(0, {"ok": 1}, 0), (2, {"ok": 8}, 7)]


def test_the_shard_with_most_of_what_is_left_is_named_with_its_host() -> None:
    def row(shard: int, queued: int, host: str = "http://a", of_it: int = 0) -> ShardReport:
        return ShardReport(shard=shard, queued=queued, longest=host, longest_queued=of_it or queued)

    even = skew([row(0, 10), row(1, 11)])
    one_host = skew([row(0, 39), row(7, 61)] + [row(number, 0) for number in range(3)])
    many = skew([row(0, 100, of_it=3), row(1, 0)])

    assert even == ""
    assert one_host == "shard 7 has 61 % of what is left: one host, http://a"
    assert many == "shard 0 has 100 % of what is left, spread over its hosts"
    assert skew([row(0, 5)]) == ""


def test_the_shards_stand_in_the_text_and_survive_the_file() -> None:
    rows = [
        ShardReport(shard=0, pages=3, queued=9, longest="http://a", longest_queued=9),
        ShardReport(shard=1, waiting=2),
    ]

    merged = merge([part(3), part(0)], rows, WHOLE)

    assert decode(encode(merged)) == merged
    assert said(merged) == (
        "2 shards share the crawl; 2 URLs found by one for another are still to be sent; "
        "shard 0 has 100 % of what is left: one host, http://a."
    )
    assert "  00" in text(merged)
    assert "Shards: 2 shards share the crawl" in text(merged)


def test_progress_is_that_of_all() -> None:
    shown = merged_progress(
        [Progress(pages=3, queued=1, bottleneck="parse"), Progress(pages=4, in_flight=2)], elapsed=5.0, stopping=True
    )

    assert (shown.pages, shown.queued, shown.in_flight, shown.elapsed) == (7, 1, 2, 5.0)
    assert (shown.stopping, shown.bottleneck) == (True, "parse")
