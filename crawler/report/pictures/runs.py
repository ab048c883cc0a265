"""One quantity of many runs: a column each, oldest first, the one in question last and in its own colour."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from crawler.report.pictures.columns import join


class Strip(Struct, frozen=True, kw_only=True):
    """Columns of the same width; a run without the quantity has none."""

    name: str
    figure: str
    """Of the last one."""
    values: Sequence[float | None]
    hints: Sequence[str]

    def draw(self) -> Markup:
        """Return the strip, with its name and the last figure."""
        top = max((value for value in self.values if value is not None), default=0.0) or 1.0
        width = 100 / max(12, len(self.values))  # few runs are no reason for broad columns
        columns = []
        for number, (value, hint) in enumerate(zip(self.values, self.hints, strict=True)):
            height = max(1.5, 100 * value / top) if value else 0.0
            look = "none" if value is None else "now" if number == len(self.values) - 1 else "before"
            columns.append(
                Markup(
                    '<g class="{}"><rect x="{}%" y="{}%" width="{}%" height="{}%"/>'
                    '<rect class="hint" x="{}%" width="{}%" height="100%"><title>{}</title></rect></g>'
                ).format(
                    look, f"{width * (number + 0.1):.2f}", f"{100 - height:.2f}", f"{width * 0.8:.2f}", f"{height:.2f}",
                    f"{width * number:.2f}", f"{width:.2f}", hint,
                )
            )  # fmt: skip
        return Markup(
            '<li><span class="name">{}</span><span class="figure">{}</span>'
            '<svg class="strip" role="img" aria-label="{}, run by run">{}</svg></li>'
        ).format(self.name, self.figure, self.name, join(columns))
