"""The page as a whole: its head, the verdict, the figures that matter most, and the sections in their order."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from markupsafe import Markup

from crawler.core.text import inert, printable
from crawler.report.figures import count, date, duration, latency, plural, rate, size
from crawler.report.page import changed, costs, findings, hosts, shards
from crawler.report.page.held_back import held_back
from crawler.report.page.history import history
from crawler.report.page.outcomes import outcomes
from crawler.report.page.section import URL_SHOWN, code
from crawler.report.page.throughput import throughput
from crawler.report.pictures.columns import join
from crawler.report.report import Ending, Report
from crawler.report.text import ENDINGS

_SECTIONS = (
    throughput,
    held_back,
    outcomes,
    changed.changed,
    history,
    findings.problems,
    changed.left,
    costs.stages,
    costs.busy,
    costs.latency,
    shards.rows,
    hosts.by_pages,
    hosts.by_waiting,
    hosts.receipt,
    findings.skipped,
)
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%233b6fb6' d='M1 15V9h4v6zm5 0V4h4v11zm5 0V1h4v14z'/%3E%3C/svg%3E"
)
_GOOD = (Ending.COMPLETE,)


def html(report: Report, *, every: int = 0) -> bytes:
    """Draw a report: one HTML document, UTF-8, that needs nothing else.

    Args:
        report: what is told.
        every: seconds after which a browser asks for the page anew; 0 is never.
    """
    style, _ = _style()
    page = Markup(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        '{again}<title>{title}</title>\n<link rel="icon" href="{icon}">\n<style>{style}</style>\n</head>\n'
        "<body>\n<header>\n{head}</header>\n<main>\n{main}</main>\n<footer>{foot}</footer>\n</body>\n</html>\n"
    ).format(
        policy=policy(),
        title=f"{'Crawl since' if every else 'Crawl of'} {date(report.started_at)}",
        again=Markup('<meta http-equiv="refresh" content="{}">\n').format(every) if every else "",
        icon=_ICON,
        style=Markup(style),  # noqa: S704  -- our own file
        head=_head(report),
        main=join([draw(report) for draw in _SECTIONS]),
        foot=_foot(report),
    )
    return inert(page).encode()


def policy() -> str:
    """Return the Content-Security-Policy of the page: its style sheet is let through, and nothing else."""
    _, digest = _style()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def _style() -> tuple[str, str]:
    """Return the style sheet, and the digest by which the page's policy lets it through."""
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return style, base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _head(report: Report) -> Markup:
    reason = f": {printable(report.reason, limit=URL_SHOWN)}" if report.reason else ""
    look = "good" if report.ending in _GOOD else "bad" if report.ending is Ending.NOTHING_FETCHED else "fair"
    return Markup(
        '<p class="ending {}">{}{}</p>\n<h1>{}</h1>\n{}<dl class="key-figures">{}</dl>\n{}'
    ).format(
        look,
        ENDINGS[report.ending],
        "" if report.ending is Ending.COMPLETE else reason,
        report.verdict.sentence or "A crawl",
        _verdict(report),
        _key_figures(report),
        _conservation(report),
    )  # fmt: skip


def _verdict(report: Report) -> Markup:
    verdict = report.verdict
    lines = [line for line in (verdict.evidence, verdict.counterfactual) if line]
    return Markup('<p class="verdict">{}</p>\n').format(printable(" ".join(lines))) if lines else Markup()


def _key_figures(report: Report) -> Markup:
    pairs = (
        ("pages", count(report.pages), rate(report.pages_per_second)),
        ("failed", count(report.failed), f"of {count(report.pages)}"),
        ("received", size(report.bytes_received), f"{size(report.bytes_per_second)}/s"),
        ("time", duration(report.seconds), date(report.started_at)),
        ("latency", latency(report.latency.p50), f"p95 {latency(report.latency.p95)}"),
        ("still queued", count(report.totals.queued), f"of {count(report.known)} known"),
    )
    return join([Markup("<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>").format(*pair) for pair in pairs])


def _conservation(report: Report) -> Markup:
    totals = report.totals
    if report.ending is Ending.RUNNING:
        return Markup('<p class="conserved">{} known, {} in memory and on disk still queued</p>\n').format(
            plural(report.known, "URL"), count(totals.queued)
        )
    line = (
        f"known {count(report.known)} {'=' if report.conserved else '≠'} done {count(totals.done)}"
        f" + failed {count(totals.failed)} + skipped {count(totals.skipped)} + queued {count(totals.queued)}"
    )
    defect = "" if report.conserved else ". The two sides differ: this is a defect of the crawler; please report it."
    return Markup('<p class="conserved {}">{}{}</p>\n').format("" if report.conserved else "bad", line, defect)


def _foot(report: Report) -> Markup:
    told = "as it stood" if report.ending is Ending.RUNNING else "ended"
    return Markup("<p>In {}, {} {}.</p>").format(code(report.folder), told, date(report.ended_at))
