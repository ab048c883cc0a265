"""The page's first picture: how fast the crawl was, and how fast it could have been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from crawler.core.bottleneck import Bottleneck
from crawler.report.figures import NONE, rate, share, speed
from crawler.report.measured import Slot
from crawler.report.page.section import figures, legend, section, table
from crawler.report.page.spans import Span, edges_of, spans_of
from crawler.report.pictures.columns import Columns, Layer
from crawler.report.pictures.scale import marks
from crawler.report.report import Report

_TOLD = 0.01
"""Share of the time from which it is said what set the ceiling."""
_HIGH = 2.0
"""Times the highest column up to which the ceiling is drawn; beyond, only its figure tells."""
_BOUND = {
    Bottleneck.POLITENESS.value: "the delays of the hosts",
    Bottleneck.LATENCY.value: "the requests that may be in flight",
    Bottleneck.PARSE.value: "the parse workers",
}


def throughput(report: Report) -> Markup:
    """Draw pages a second, and how many there could have been."""
    if not report.course:
        return Markup()
    spans = spans_of(report.course)
    best = max(span.rate for span in spans)
    told = f"{_bare(report.pages_per_second)} pages a second on average, {_bare(best)} at best."
    rows = [
        (span.when, _set_by(span), _rate(span.ceiling), rate(span.rate), speed(span.bytes / span.seconds))
        for span in spans
    ]
    return section(
        "throughput",
        "Throughput",
        f"{told} {_bounds(report.course)}",
        _columns(spans, best).draw(),
        legend(
            [("pages", "pages a second", ""), ("ceiling", "the ceiling: what could have been, as things stood", "")]
        ),
        figures(table(("time", "ceiling set by", "ceiling", "pages", "received"), rows, words=2)),
    )


def _columns(spans: Sequence[Span], best: float) -> Columns:
    bounds = [bound for span in spans if (bound := span.ceiling) is not None and bound <= _HIGH * best]
    ticks = marks(max(best, *bounds, 1e-9))
    return Columns(
        title=f"Pages a second over time, {rate(best)} at best",
        edges=edges_of(spans),
        layers=(Layer(name="pages", look="pages", values=[span.rate for span in spans]),),
        marks=ticks,
        labels=[f"{mark:g}/s" if mark else "0" for mark in ticks],
        line=[span.ceiling for span in spans],
        hints=[_fast(span) for span in spans],
    )


def _fast(span: Span) -> str:
    bound = span.ceiling
    above = f"; ceiling {rate(bound)}, by {_set_by(span)}" if bound is not None else ""
    return f"{span.when}: {rate(span.rate)}{above}"


def _set_by(span: Span) -> str:
    by = Counter(slot.ceiling_by for slot in span.slots if slot.ceiling_by)
    return by.most_common(1)[0][0] if by else ""


def _bounds(course: Sequence[Slot]) -> str:
    """Say what set the ceiling, and for how much of the time."""
    by: dict[str, float] = {}
    for slot in course:
        if slot.ceiling_by:
            by[slot.ceiling_by] = by.get(slot.ceiling_by, 0.0) + slot.seconds
    whole = sum(by.values())
    most = sorted(by.items(), key=lambda one: -one[1])[:2]
    told = [
        f"{_BOUND.get(kind, kind)} for {share(part, whole)} of the time" for kind, part in most if part >= _TOLD * whole
    ]
    return f"The ceiling was set by {', and by '.join(told)}." if told else ""


def _rate(per_second: float | None) -> str:
    return NONE if per_second is None else rate(per_second)


def _bare(per_second: float) -> str:
    return rate(per_second).removesuffix("/s")
