"""A report with everything in it, for the tests of what is made from reports."""

from __future__ import annotations

import msgspec

from crawler.report.measured import Bucket, LedgerReport, Percentiles, Slot, StageReport, VerdictReport
from crawler.report.report import (
    ChangesReport,
    Ending,
    HostLeft,
    HostReport,
    PastRun,
    Problem,
    Report,
    SeedReport,
    Totals,
)

PLAIN = Report(ending=Ending.COMPLETE, started_at=1.0, ended_at=2.0, seconds=1.0)
FULL = Report(
    ending=Ending.LIMIT,
    reason="max_pages 1,210",
    folder="crawl-out",
    started_at=1_700_000_000.0,
    ended_at=1_700_000_123.0,
    seconds=123.0,
    pages=1210,
    done=1200,
    failed=10,
    bytes_received=47_395_635,
    pages_per_second=9.84,
    bytes_per_second=385_330.4,
    known=1234,
    totals=Totals(
        done=1200,
        failed=10,
        skipped=20,
        queued=4,
        by_outcome={"ok": 1200, "http_client_error": 7, "tls_expired": 3, "out_of_scope": 15, "robots_denied": 5},
    ),
    latency=Percentiles(p50=0.084, p95=0.21, p99=1.2, max=4.1),
    stages=(
        StageReport(name="fetch", place="loop", calls=1210, waiting=100.0, running=98.5, cpu=2.0, p50=0.08, p99=1.1),
        StageReport(name="parse", place="process", calls=1210, waiting=0.5, running=1.0, cpu=0.9, p50=0.001, p99=0.02),
    ),
    hosts=(
        HostReport(
            host="https://docs.example.org",
            pages=1210,
            failed=10,
            bytes=47_395_635,
            robots="obeyed",
            delay_asked=2.0,
            delay_kept=2.0,
            smallest_gap=2.001,
            rate_limited=3,
        ),
        HostReport(host="http://other.example", robots="none", delay_kept=1.0),
    ),
    hosts_total=2,
    problems=(
        Problem(outcome="http_client_error", status=404, count=7, example="https://docs.example.org/lost"),
        Problem(outcome="tls_expired", status=0, count=3, example="https://old.example/", detail="since 2020-01-01"),
    ),
    connections={"opened": 4, "workers_replaced": 1},
    cpu_main=12.3,
    cpu_workers=20.1,
    memory_peak=125_829_120,
    seeds=SeedReport(read=12, accepted=10, duplicates=1, bad=("seed.txt:3: no",), bad_count=2),
)

DRAWN = msgspec.structs.replace(
    FULL,
    course=tuple(
        Slot(
            at=1.5 * number,
            seconds=1.5,
            outcomes={"ok": 10 + number % 5, "redirect": 1, "http_client_error": number % 3, "robots_denied": 1},
            bytes=400_000,
            ceiling=9.0 + number % 4 if number % 7 else None,
            ceiling_by="politeness" if number % 2 else "the event loop",
            shares={"politeness": 0.7, "remote latency": 0.2, "the event loop": 0.1},
        )
        for number in range(82)
    ),
    latencies=tuple(Bucket(upto=0.001 * 2 ** (number / 2), count=(number % 9) ** 2) for number in range(1, 20)),
    ledger=LedgerReport(
        seconds=120.0, pages=1200, loop_busy=0.4, pool_workers=2, pool_busy=0.7, journal_busy=0.1, slots=64,
        slots_taken=12.5, cores=4, cores_used=1.7, requests=1300,
    ),
    verdict=VerdictReport(
        kind="politeness",
        sentence="Bottleneck: politeness of docs.example.org (2.0 s delay): 91 % of the time no host was due",
        evidence="0.1 hosts were ready on average.",
        counterfactual="More concurrency will not help; more hosts will.",
        shares={"politeness": 0.91, "remote latency": 0.09},
    ),
    changes=ChangesReport(
        round=3, since=1_699_900_000.0, new=12, changed=40, boilerplate=3, unchanged=900, moved=2, gone=5
    ),
    left=(HostLeft(host="https://docs.example.org", queued=4),),
    left_hosts=1,
    history=tuple(
        PastRun(
            started_at=1_700_000_000.0 - 86_400.0 * back,
            ending="complete",
            seconds=110.0 + back % 5,
            pages=1150 + 7 * (back % 9),
            failed=back % 4,
            bytes_received=45_000_000 + 100_000 * back,
            known=1200,
            p50=0.09,
            p95=0.2,
            bottleneck="politeness",
            changes={"new": back % 3, "changed": 10 + back % 6, "gone": 0},
        )
        if back != 4
        else PastRun(started_at=1_700_000_000.0 - 86_400.0 * back)
        for back in range(20, 0, -1)
    ),
)  # fmt: skip
"""A report with everything that is drawn."""

_ATTACK = "<script>window.hacked = 1</script>\"'><img src=x onerror=hacked=2>\x1b[2J\u202e&lt;" + "w" * 300
HOSTILE = msgspec.structs.replace(
    DRAWN,
    reason=_ATTACK,
    folder=_ATTACK,
    hosts=(HostReport(host=_ATTACK, pages=9, failed=1, robots=_ATTACK, waited_delay=3.0, waited_slot=1.0),),
    problems=(Problem(outcome=_ATTACK, status=500, count=3, example=_ATTACK, detail=_ATTACK),),
    stages=(StageReport(name=_ATTACK, place=_ATTACK, calls=1, waiting=1.0, running=1.0),),
    left=(HostLeft(host=_ATTACK, queued=3),),
    history=(PastRun(started_at=1.0, ending=_ATTACK, pages=3, bottleneck=_ATTACK),),
    verdict=VerdictReport(
        kind=_ATTACK, sentence=_ATTACK, evidence=_ATTACK, counterfactual=_ATTACK, shares={_ATTACK: 1.0}
    ),
    course=tuple(
        Slot(at=at, seconds=1.0, outcomes={_ATTACK: 3}, ceiling=9.0, ceiling_by=_ATTACK, shares={_ATTACK: 1.0})
        for at in (0.0, 1.0)
    ),
    totals=Totals(done=9, by_outcome={_ATTACK: 3, "robots_denied": 2}),
)  # fmt: skip
"""The same, in which every text is an attack."""
