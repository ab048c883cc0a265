"""A report with everything in it, for the tests of what is made from reports."""

from __future__ import annotations

from crawler.report.report import (
    Ending,
    HostReport,
    Percentiles,
    Problem,
    Report,
    SeedReport,
    StageReport,
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
