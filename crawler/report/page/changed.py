"""What changed since the pages were last seen, and what a run that ended early leaves to the next."""

from __future__ import annotations

from markupsafe import Markup

from crawler.report.figures import count, date, plural, share
from crawler.report.page.section import code, section
from crawler.report.pictures.bars import Bar, bars
from crawler.report.report import Report
from crawler.report.text import CHANGES

_LOOKS = {
    "new": "ok",
    "changed": "parse",
    "boilerplate": "redirect",
    "unchanged": "unchanged",
    "moved": "politeness",
    "gone": "refused",
}


def changed(report: Report) -> Markup:
    """Draw how many pages are new, changed, unchanged, moved and gone."""
    changes = report.changes
    counts = [(name, _LOOKS[change], getattr(changes, change)) for change, name in CHANGES.items()]
    whole = sum(number for _, _, number in counts)
    if changes.since is None or not whole:
        return Markup()
    rows = [
        Bar(name=name, note=share(number, whole), figure=count(number), parts=((look, number),))
        for name, look, number in counts
    ]
    say = Markup("Round {}, held against the one that began {}; {} names the pages.").format(
        count(changes.round), date(changes.since), code("changes.jsonl")
    )
    return section("changed", "What changed", say, bars(rows))


def left(report: Report) -> Markup:
    """Draw the hosts that have URLs left for the next run."""
    if not report.left:
        return Markup()
    rows = [Bar(name=one.host, figure=count(one.queued), parts=(("waiting", one.queued),)) for one in report.left[:10]]
    return section(
        "left",
        "Left for the next run",
        f"{plural(report.totals.queued, 'URL')} of {plural(report.left_hosts, 'host')}.",
        bars(rows),
    )
