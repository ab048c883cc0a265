"""Quantities side by side: a bar each, of one or several parts, with its name before it and its figure behind."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from crawler.report.pictures.columns import join


class Bar(Struct, frozen=True, kw_only=True):
    """One bar, from left to right."""

    name: str
    figure: str
    parts: Sequence[tuple[str, float]]
    """Class that gives the colour, and length."""
    hint: str = ""
    note: str = ""
    """A word of less weight behind the name."""


def bars(rows: Sequence[Bar], *, whole: float = 0.0) -> Markup:
    """Draw bars below each other, the longest as long as there is room, or in shares of ``whole``."""
    longest = whole or max((sum(length for _, length in bar.parts) for bar in rows), default=0.0) or 1.0
    return Markup('<ul class="bars">{}</ul>').format(join([_bar(bar, longest) for bar in rows]))


def _bar(bar: Bar, longest: float) -> Markup:
    at, parts = 0.0, []
    for look, length in bar.parts:
        width = 100 * length / longest
        parts.append(
            Markup('<rect class="{}" x="{}%" width="{}%" height="100%"/>').format(look, f"{at:.3f}", f"{width:.3f}")
        )
        at += width
    note = Markup(" <small>{}</small>").format(bar.note) if bar.note else Markup()
    hint = Markup("<title>{}</title>").format(bar.hint) if bar.hint else Markup()
    return Markup(
        '<li><span class="name"><bdi>{}</bdi>{}</span><span class="figure">{}</span>'
        '<svg class="bar" aria-hidden="true">{}<rect class="room" width="100%" height="100%"/>{}</svg></li>'
    ).format(bar.name, note, bar.figure, hint, join(parts))
