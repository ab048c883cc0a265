"""The page's picture of how URLs ended, over time."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from crawler.report.figures import count, plural, size
from crawler.report.page.section import figures, legend, section, table
from crawler.report.page.spans import GROUPS, Span, edges_of, ended, spans_of
from crawler.report.pictures.columns import Columns, Layer
from crawler.report.pictures.scale import marks
from crawler.report.report import Report


def outcomes(report: Report) -> Markup:
    """Draw how the URLs of the run ended."""
    totals = {look: sum(ended(slot, look) for slot in report.course) for look in GROUPS}
    looks = [look for look, number in totals.items() if number]
    if not looks:
        return Markup()
    spans = spans_of(report.course)
    rows = [(span.when, *(count(span.ended(look)) for look in looks)) for span in spans]
    return section(
        "outcomes",
        "How URLs ended",
        f"{plural(sum(totals.values()), 'URL')} ended in this run; {size(report.bytes_received)} came with them.",
        _columns(spans, looks).draw(),
        legend([(look, GROUPS[look], count(totals[look])) for look in looks]),
        figures(table(("time", *(GROUPS[look] for look in looks)), rows)),
    )


def _columns(spans: Sequence[Span], looks: Sequence[str]) -> Columns:
    ticks = marks(max(sum(span.ended(look) for look in looks) / span.seconds for span in spans))
    return Columns(
        title="How URLs ended, a second, over time",
        edges=edges_of(spans),
        layers=[
            Layer(name=GROUPS[look], look=look, values=[span.ended(look) / span.seconds for span in spans])
            for look in looks
        ],
        marks=ticks,
        labels=[f"{mark:g}/s" if mark else "0" for mark in ticks],
        hints=[_hint(span, looks) for span in spans],
    )


def _hint(span: Span, looks: Sequence[str]) -> str:
    told = [f"{count(number)} {GROUPS[look]}" for look in looks if (number := span.ended(look))]
    return f"{span.when}: {', '.join(told) or 'none'}"
