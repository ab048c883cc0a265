"""The page's hosts: which had most pages, which waited longest, and the receipt for how each was treated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from crawler.report.figures import NONE, count, duration, plural, size
from crawler.report.page.section import legend, section, shown, table
from crawler.report.pictures.bars import Bar, bars
from crawler.report.report import HostReport, Report

_DRAWN = 10
_LISTED = 50
_SLACK = 0.99
"""Part of the delay that the smallest gap must be: clocks are read at two places."""


def by_pages(report: Report) -> Markup:
    """Draw the hosts with most pages."""
    hosts = _first(report.hosts, lambda host: host.pages)
    if not hosts:
        return Markup()
    total = max(report.hosts_total, len(report.hosts))
    rows = [
        Bar(
            name=host.host,
            figure=count(host.pages),
            parts=(("ok", host.pages - host.failed), ("refused", host.failed)),
            hint=f"{host.host}: {count(host.pages - host.failed)} fetched, {count(host.failed)} failed,"
            f" {size(host.bytes)} received",
        )
        for host in hosts
    ]
    return section(
        "hosts",
        "Hosts by pages",
        f"The {count(len(hosts))} with most pages of {plural(total, 'host')}."
        if total > len(hosts)
        else f"{plural(total, 'host')} in this run.",
        bars(rows),
        legend((("ok", "fetched", ""), ("refused", "failed", ""))),
    )


def by_waiting(report: Report) -> Markup:
    """Draw the hosts that waited longest although they could have been asked for more."""
    hosts = _first(report.hosts, _waited)
    if not hosts:
        return Markup()
    rows = [
        Bar(
            name=host.host,
            figure=duration(_waited(host)),
            parts=(("politeness", host.waited_delay), ("latency", host.waited_slot)),
            hint=f"{host.host}: {duration(host.waited_delay)} for its delay, {duration(host.waited_slot)} for a slot",
        )
        for host in hosts
    ]
    return section(
        "waiting",
        "Hosts by waiting",
        "How long each had URLs left and was not asked for one.",
        bars(rows),
        legend((("politeness", "for its delay", ""), ("latency", "for a free slot", ""))),
    )


def receipt(report: Report) -> Markup:
    """List how each host was treated, and what it had asked for."""
    if not report.hosts:
        return Markup()
    head = ("host", "robots.txt", "delay", "asked", "smallest gap", "kept", "429, 503", "pages", "failed", "received")
    hurried = [host for host in report.hosts if not _kept(host)]
    told = f"{plural(len(hurried), 'host was', 'hosts were')} hurried" if hurried else "No host was hurried"
    return section(
        "receipt",
        "Politeness receipt",
        f"{told}: the smallest gap between two requests is held against the delay.",
        table(head, map(_row, report.hosts[:_LISTED]), words=2),
    )


def _row(host: HostReport) -> tuple[object, ...]:
    kept = Markup('<span class="{}">{}</span>').format(*(("good", "yes") if _kept(host) else ("bad", "no")))
    return (
        Markup("<code>{}</code>").format(shown(host.host)),
        host.robots or NONE,
        duration(host.delay_kept),
        NONE if host.delay_asked is None else duration(host.delay_asked),
        NONE if host.smallest_gap is None else duration(host.smallest_gap),
        NONE if host.smallest_gap is None else kept,
        count(host.rate_limited),
        count(host.pages),
        count(host.failed),
        size(host.bytes),
    )


def _kept(host: HostReport) -> bool:
    return host.smallest_gap is None or host.smallest_gap >= _SLACK * host.delay_kept


def _waited(host: HostReport) -> float:
    return host.waited_delay + host.waited_slot


def _first(hosts: Sequence[HostReport], by: Callable[[HostReport], float]) -> list[HostReport]:
    return [host for host in sorted(hosts, key=lambda host: -by(host))[:_DRAWN] if by(host) > 0]
