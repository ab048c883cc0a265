"""The page's pictures of cost: where the time went, how busy each place was, how long fetches took."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from crawler.report.figures import count, duration, plural, share, size
from crawler.report.measured import Bucket, StageReport
from crawler.report.page.section import figures, legend, section, table
from crawler.report.pictures.bars import Bar, bars
from crawler.report.pictures.histogram import Histogram
from crawler.report.report import Report

_PLACES = {"loop": "in the event loop", "process": "in processes", "thread": "in threads"}
_SHORTEST = 1e-4
"""Seconds below which latencies are drawn as one bar."""


def stages(report: Report) -> Markup:
    """Draw what each stage cost, all pages together."""
    if not report.stages:
        return Markup()
    places = [place for place in _PLACES if any(stage.place == place for stage in report.stages)]
    entries = [(f"place-{place}", f"running {_PLACES[place]}", "") for place in places]
    head = ("stage", "place", "calls", "waiting", "running", "CPU", "p50", "p99")
    return section(
        "stages",
        "Where the time went",
        "By stage and place, all pages together; a page waits in many stages while others run, so this is more than"
        " the run took.",
        bars([_stage(stage) for stage in report.stages]),
        legend([*entries, ("waiting", "waiting: for DNS, for the header, for its turn", "")]),
        figures(table(head, map(_row, report.stages), words=2)),
    )


def _stage(stage: StageReport) -> Bar:
    waits = {"fetch": "to the header", "connect": "for DNS"}.get(stage.name, "waiting")
    runs = {"fetch": "for the body", "connect": "for TCP and TLS"}.get(stage.name, "running")
    return Bar(
        name=stage.name,
        note=stage.place,
        figure=duration(stage.waiting + stage.running),
        parts=(("waiting", stage.waiting), (f"place-{stage.place}", stage.running)),
        hint=f"{stage.name}: {duration(stage.waiting)} {waits}, {duration(stage.running)} {runs},"
        f" {duration(stage.cpu)} of CPU in {plural(stage.calls, 'call')}",
    )


def _row(stage: StageReport) -> tuple[str, ...]:
    times = (stage.waiting, stage.running, stage.cpu, stage.p50, stage.p99)
    return stage.name, stage.place, count(stage.calls), *map(duration, times)


def busy(report: Report) -> Markup:
    """Draw how much of what there is was in use."""
    ledger = report.ledger
    if not ledger.seconds:
        return Markup()
    slots = ledger.slots_taken / ledger.slots if ledger.slots else 0.0
    cores = ledger.cores_used / ledger.cores if ledger.cores else 0.0
    rows = [
        _busy("event loop", ledger.loop_busy, "loop", f"{duration(ledger.loop_lag.p99)} late at most, for 99 %"),
        _busy("parse workers", ledger.pool_busy, "process", plural(ledger.pool_workers, "process", "processes")),
        _busy("journal", ledger.journal_busy, "thread", f"{share(ledger.journal_synced, 1.0)} waiting for the disk"),
        _busy("requests in flight", slots, "loop", f"{ledger.slots_taken:.1f} of {count(ledger.slots)}"),
        _busy("cores", cores, "process", f"{ledger.cores_used:.1f} of {count(ledger.cores)}"),
    ]
    told = f"{duration(report.cpu_main)} of CPU in the main process, {duration(report.cpu_workers)} in the workers"
    memory = f"; {size(report.memory_peak)} of memory at most" if report.memory_peak else ""
    return section("busy", "How busy each place was", f"{told}{memory}.", bars(rows, whole=1.0))


def _busy(name: str, part: float, place: str, note: str) -> Bar:
    return Bar(name=name, note=note, figure=share(part, 1.0), parts=((f"place-{place}", min(1.0, part)),))


def latency(report: Report) -> Markup:
    """Draw how long fetches took."""
    buckets = list(_drawn(report.latencies))
    if not buckets:
        return Markup()
    spread, whole = report.latency, sum(bucket.count for bucket in report.latencies)
    picture = Histogram(
        title=f"How long fetches took: half of them {duration(spread.p50)} at most",
        buckets=[(bucket.upto, bucket.count) for bucket in buckets],
        labels=[duration(bucket.upto) for bucket in buckets],
        marked=[("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99)],
    )
    rows = [(f"up to {duration(one.upto)}", count(one.count), share(one.count, whole)) for one in buckets]
    return section(
        "latency",
        "How long fetches took",
        f"From the request to the last byte: half within {duration(spread.p50)}, 95 % within {duration(spread.p95)},"
        f" 99 % within {duration(spread.p99)}; the longest {duration(spread.max)}.",
        picture.draw(),
        figures(table(("time", "fetches", "share"), rows)),
    )


def _drawn(buckets: tuple[Bucket, ...]) -> Iterator[Bucket]:
    short = sum(bucket.count for bucket in buckets if bucket.upto < _SHORTEST)
    for bucket in buckets:
        if bucket.upto >= _SHORTEST:
            yield Bucket(upto=bucket.upto, count=bucket.count + short)
            short = 0
    if short:
        yield Bucket(upto=_SHORTEST, count=short)
