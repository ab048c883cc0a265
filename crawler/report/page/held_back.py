"""The page's picture of what held the crawl back, over time."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from crawler.core.bottleneck import Bottleneck
from crawler.report.figures import share
from crawler.report.page.section import figures, legend, section, table
from crawler.report.page.spans import Span, edges_of, spans_of
from crawler.report.pictures.columns import Columns, Layer
from crawler.report.report import Report

_LOOKS = {kind.value: kind.name.lower().replace("_", "-") for kind in Bottleneck}
_HINTED = 3


def held_back(report: Report) -> Markup:
    """Draw which part of the time each kind of waiting had."""
    spent: dict[str, float] = {}
    for slot in report.course:
        for kind, part in slot.shares.items():
            spent[kind] = spent.get(kind, 0.0) + part * slot.seconds
    whole = sum(spent.values())
    if not whole:
        return Markup()
    spans = spans_of(report.course)
    kinds = sorted(spent, key=lambda kind: -spent[kind])
    rows = [(span.when, *(share(span.share(kind), 1.0) for kind in kinds)) for span in spans]
    return section(
        "held-back",
        "What held it back",
        "Of each moment, what kept the next page from being started.",
        _columns(spans, kinds).draw(),
        legend([(_LOOKS.get(kind, "other"), kind, share(spent[kind], whole)) for kind in kinds]),
        figures(table(("time", *kinds), rows)),
    )


def _columns(spans: Sequence[Span], kinds: Sequence[str]) -> Columns:
    return Columns(
        title="What kept the next page from being started, over time",
        edges=edges_of(spans),
        layers=[
            Layer(name=kind, look=_LOOKS.get(kind, "other"), values=[span.share(kind) for span in spans])
            for kind in kinds
        ],
        marks=(0.0, 0.5, 1.0),
        labels=("0", "50 %", "100 %"),
        hints=[_hint(span, kinds) for span in spans],
    )


def _hint(span: Span, kinds: Sequence[str]) -> str:
    parts = sorted(((span.share(kind), kind) for kind in kinds), reverse=True)[:_HINTED]
    return f"{span.when}: {', '.join(f'{kind} {share(part, 1.0)}' for part, kind in parts if part)}"
