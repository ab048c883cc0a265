from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import prometheus_client
import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from crawler.core.bottleneck import Bottleneck
from crawler.core.outcomes import Outcome
from crawler.report.metrics import metrics
from crawler.report.report import Ending, Progress, Report
from tests.cli.command import ROOT
from tests.report.samples import DRAWN, HOSTILE, PLAIN

RUNNING = msgspec.structs.replace(DRAWN, ending=Ending.RUNNING)


def families(content: bytes) -> dict[str, Metric]:
    return {metric.name: metric for metric in text_string_to_metric_families(content.decode())}


def value(content: bytes, name: str, **labels: str) -> float:
    found = [
        sample.value
        for metric in families(content).values()
        for sample in metric.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) == 1, name
    return float(found[0])


@pytest.mark.parametrize("report", [PLAIN, DRAWN, HOSTILE, RUNNING], ids=["plain", "drawn", "hostile", "running"])
def test_the_official_parser_reads_every_metric_with_its_type_and_its_help(report: Report) -> None:
    found = families(metrics(report, progress=Progress()))

    assert len(found) > 20
    for metric in found.values():
        assert metric.documentation
        assert metric.type in {"gauge", "counter", "histogram"}
        assert re.fullmatch(r"crawler_[a-z_]+", metric.name)


def test_names_end_in_base_units_and_counters_in_total() -> None:
    found = families(metrics(DRAWN))

    for metric in found.values():
        assert not re.search(r"milli|micro|kilo|mega|minute|percent|_ms$|_mb$", metric.name)
        if metric.type == "counter":
            assert {sample.name for sample in metric.samples} <= {f"{metric.name}_total"}


def test_the_figures_are_those_of_the_report() -> None:
    told = metrics(DRAWN, exit_code=11)

    assert value(told, "crawler_running") == 0
    assert value(told, "crawler_exit_code") == 11
    assert value(told, "crawler_ending", ending="limit") == 1
    assert value(told, "crawler_ending", ending="complete") == 0
    assert value(told, "crawler_urls_ended_total", outcome="redirect") == 82
    assert value(told, "crawler_urls_ended_total", outcome="robots_denied") == 82
    assert value(told, "crawler_received_bytes_total") == DRAWN.bytes_received
    assert value(told, "crawler_queued_urls") == 4
    assert value(told, "crawler_stage_waiting_seconds_total", stage="fetch", place="loop") == 100.0
    assert value(told, "crawler_cpu_seconds_total", process="workers") == 20.1
    assert value(told, "crawler_held_back_ratio", by="politeness") == 0.91
    assert value(told, "crawler_changes", change="gone") == 5


def test_a_run_that_goes_on_has_neither_end_nor_ending() -> None:
    found = families(metrics(RUNNING, progress=Progress(in_flight=5)))

    assert found["crawler_running"].samples[0].value == 1
    assert not {"crawler_ending", "crawler_end_time_seconds", "crawler_exit_code"} & set(found)


def test_a_run_that_was_cut_short_is_not_running_any_more() -> None:
    told = metrics(RUNNING, exit_code=74)

    assert (value(told, "crawler_running"), value(told, "crawler_exit_code")) == (0, 74)


def test_buckets_of_latency_only_grow_and_the_last_holds_all() -> None:
    samples = families(metrics(DRAWN))["crawler_fetch_duration_seconds"].samples
    counts = [sample.value for sample in samples if sample.name.endswith("_bucket")]

    assert counts == sorted(counts)
    assert counts[-1] == sum(bucket.count for bucket in DRAWN.latencies)


def test_the_series_are_the_same_whatever_the_network_brought() -> None:
    def series(report: Report) -> set[str]:
        lines = metrics(report).decode().splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    grown = {one for one in series(HOSTILE) ^ series(DRAWN) if "stage" not in one}
    assert len(grown) <= 1  # the one outcome that no crawl of ours has
    assert all(f'outcome="{outcome.value}"' in "".join(series(PLAIN)) for outcome in Outcome)
    assert all(f'by="{kind.value}"' in "".join(series(PLAIN)) for kind in Bottleneck)


def test_the_global_registry_is_left_alone() -> None:
    before = prometheus_client.generate_latest()

    metrics(DRAWN)

    assert b"crawler_" not in prometheus_client.generate_latest()
    assert b"crawler_" not in before


def test_the_library_is_imported_only_where_metrics_are_wanted() -> None:
    script = (
        "import sys, crawler.cli.main, crawler.api, crawler.cli.onlookers, crawler.report.page.page;"
        "print([name for name in sys.modules if name.startswith(('prometheus_client', 'aiohttp.web'))])"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
