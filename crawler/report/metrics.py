"""A crawl as Prometheus metrics: for its own ``/metrics``, and as a file for the node exporter's textfile collector.

Names, units and types follow Prometheus' conventions: base units (seconds, bytes), shares as ``_ratio``,
counters that end in ``_total`` and begin at 0 with each run, gauges for what can fall.
No label takes values from the network, so the number of series is fixed.
The registry is our own: the library's global one is left to whoever else uses it.

Source: prometheus.io/docs/practices/naming, and the text exposition format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from crawler import __version__
from crawler.core.bottleneck import Bottleneck
from crawler.core.outcomes import Outcome
from crawler.report.report import Ending, Progress, Report
from crawler.report.text import CHANGES

_BOUNDS = [2.0**power / 1e6 for power in range(10, 28)]
"""Seconds, from 1 ms to 134 s: bounds that the ledger's histogram has too."""


def metrics(report: Report, *, progress: Progress | None = None, exit_code: int | None = None) -> bytes:
    """Write a run as metrics, in the text format.

    Args:
        report: the run, as it stands or when it has ended.
        progress: its state at this moment, while it runs.
        exit_code: how the command ended, once it has.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Run(report, progress, exit_code))
    return generate_latest(registry)


class _Run(Collector):
    """Tells one run to the library."""

    def __init__(self, report: Report, progress: Progress | None, exit_code: int | None) -> None:
        self._report = report
        self._progress = progress
        self._exit_code = exit_code

    def collect(self) -> Iterator[Metric]:
        yield from self._state()
        yield from self._done()
        yield from self._costs()
        yield from self._bounds()

    def _state(self) -> Iterator[Metric]:
        """Tell how the run stands."""
        report, progress = self._report, self._progress
        running = report.ending is Ending.RUNNING and self._exit_code is None
        yield _labelled("crawler_build_info", "The version, as a label.", "version", {__version__: 1})
        yield _gauge("crawler_running", "Whether the run goes on.", running)
        yield _gauge("crawler_start_time_seconds", "When the run began, Unix seconds.", report.started_at)
        yield _gauge("crawler_run_duration_seconds", "How long the run has taken.", report.seconds)
        if not running:
            yield _gauge("crawler_end_time_seconds", "When the run ended, Unix seconds.", report.ended_at)
            endings = {ending.value: report.ending is ending for ending in Ending if ending is not Ending.RUNNING}
            yield _labelled("crawler_ending", "How the run ended: 1 for one of them.", "ending", endings)
        if self._exit_code is not None:
            yield _gauge("crawler_exit_code", "How the command ended; 0 is complete.", self._exit_code)
        if progress is not None:
            yield _gauge("crawler_pages_in_flight", "Pages between their turn and their commit.", progress.in_flight)
            yield _gauge("crawler_hosts_ready", "Hosts that could be asked right now.", progress.hosts_ready)

    def _done(self) -> Iterator[Metric]:
        """Tell what was done."""
        report = self._report
        ended = dict.fromkeys((outcome.value for outcome in Outcome), 0)
        for slot in report.course:
            for outcome, number in slot.outcomes.items():
                ended[outcome] = ended.get(outcome, 0) + number
        yield _counters("crawler_urls_ended", "URLs that ended in this run.", ("outcome",), _by_one(ended))
        yield _gauge("crawler_known_urls", "URLs known to the output folder.", report.known)
        yield _gauge("crawler_queued_urls", "URLs still to be fetched.", report.totals.queued)
        yield _gauge("crawler_hosts", "Hosts of which URLs ended in this run.", report.hosts_total)
        yield _counter("crawler_received_bytes", "Bytes of bodies received.", report.bytes_received)
        yield self._latencies()
        if report.changes.since is not None:
            changes = {change: getattr(report.changes, change) for change in CHANGES}
            yield _labelled("crawler_changes", "Pages by what became of them since last time.", "change", changes)

    def _latencies(self) -> Metric:
        buckets = self._report.latencies
        below = [(f"{bound:g}", sum(one.count for one in buckets if one.upto <= bound)) for bound in _BOUNDS]
        metric = HistogramMetricFamily("crawler_fetch_duration_seconds", "From the request to the last byte.")
        whole = sum(one.count for one in buckets)
        metric.add_metric([], [*below, ("+Inf", whole)], sum_value=self._report.latency.total)
        return metric

    def _costs(self) -> Iterator[Metric]:
        """Tell what it cost."""
        report, ledger = self._report, self._report.ledger
        stages = [((stage.name, stage.place), stage) for stage in report.stages]
        labels = ("stage", "place")
        for name, about, values in (
            ("crawler_stage_calls", "Calls of a stage.", [(key, stage.calls) for key, stage in stages]),
            (
                "crawler_stage_waiting_seconds",
                "Time that pages waited for a stage, all together.",
                [(key, stage.waiting) for key, stage in stages],
            ),
            (
                "crawler_stage_running_seconds",
                "Time that a stage worked for pages, all together.",
                [(key, stage.running) for key, stage in stages],
            ),
            ("crawler_stage_cpu_seconds", "CPU time of a stage.", [(key, stage.cpu) for key, stage in stages]),
        ):
            yield _counters(name, about, labels, values)
        cpu = {"main": report.cpu_main, "workers": report.cpu_workers}
        yield _counters("crawler_cpu_seconds", "CPU time of the run.", ("process",), _by_one(cpu))
        yield _gauge("crawler_memory_peak_bytes", "Memory of the main process, at most.", report.memory_peak)
        yield _counter("crawler_requests", "Requests sent for pages.", ledger.requests)
        yield _counter("crawler_connections", "Connections made for them.", ledger.connections)
        yield _counter("crawler_lookups", "Questions to the name servers.", ledger.lookups)
        yield _counter("crawler_rate_limited_answers", "Answers 429 and 503.", ledger.rate_limited)

    def _bounds(self) -> Iterator[Metric]:
        """Tell what bounds it."""
        ledger = self._report.ledger
        busy = {"loop": ledger.loop_busy, "parse": ledger.pool_busy, "journal": ledger.journal_busy}
        yield _labelled("crawler_busy_ratio", "Share of the time in which a place was busy.", "place", busy)
        yield _gauge("crawler_slots", "Requests that may be in flight.", ledger.slots)
        yield _gauge("crawler_slots_taken", "Requests in flight, on average.", ledger.slots_taken)
        shares = {kind.value: self._report.verdict.shares.get(kind.value, 0.0) for kind in Bottleneck}
        yield _labelled("crawler_held_back_ratio", "Share of the time for which a kind held it back.", "by", shares)


def _by_one(values: Mapping[str, float]) -> list[tuple[tuple[str], float]]:
    return [((name,), value) for name, value in values.items()]


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _labelled(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, about, labels=[label])
    for given, value in values.items():
        metric.add_metric([given], value)
    return metric


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=value)


def _counters(name: str, about: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    metric = CounterMetricFamily(name, about, labels=labels)
    for given, value in values:
        metric.add_metric(given, value)
    return metric
