"""Bar charts as SVG, drawn by hand: no library, no font, no script, legible on light and dark pages alike."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.benchmarks.tables import figure

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 720, 170, 90, 34, 58
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 12px; fill: #57606a }
.p0 { fill: #1f6feb } .p1 { fill: #e07b00 } .p2 { fill: #2da44e } .p3 { fill: #8250df } .other { fill: #8c959f }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9da7b3 }
  .p0 { fill: #58a6ff } .p1 { fill: #f0a040 } .p2 { fill: #56d364 } .p3 { fill: #bc8cff } .other { fill: #6e7681 }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in one piece or in several."""

    name: str
    parts: Mapping[str, float] = field(default_factory=dict)
    """Part → length; the names are those of the legend."""
    ours: bool = False

    @property
    def length(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """Draw bars below one another, with their lengths written behind them.

    Args:
        title: what is compared.
        unit: of the lengths.
        rows: from top to bottom. Where bars have several parts, a legend says which is which.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.parts))
    longest = max((row.length for row in rows), default=0.0) or 1.0
    height = _TOP + _ROW * len(rows) + (34 if len(names) > 1 else 10)
    told = html.escape(_told(title, unit, rows))
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{told}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="10" y="24">{html.escape(title)}</text>',
        f'<text class="small" x="10" y="44">{html.escape(unit)}</text>',
    ]
    for place, row in enumerate(rows):
        drawn += _bar(row, names, _TOP + _ROW * place, (_WIDTH - _LEFT - _RIGHT) / longest)
    if len(names) > 1:
        drawn += _legend(names, height - 14)
    return "\n".join([*drawn, "</svg>", ""])


def _bar(row: Bar, names: Sequence[str], top: float, scale: float) -> list[str]:
    middle, x = top + _ROW / 2, float(_LEFT)
    drawn = [f'<text x="{_LEFT - 10}" y="{middle + 4:.0f}" text-anchor="end">{html.escape(row.name)}</text>']
    for name, length in row.parts.items():
        kind = f"p{names.index(name) % 4}" if len(names) > 1 or row.ours else "other"
        width = length * scale
        drawn.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{top + 5:.0f}" width="{width:.1f}" height="{_ROW - 10}" rx="2"/>'
        )
        x += width
    return [*drawn, f'<text x="{x + 8:.1f}" y="{middle + 4:.0f}">{figure(row.length)}</text>']


def _legend(names: Sequence[str], bottom: float) -> list[str]:
    drawn, x = [], _LEFT
    for place, name in enumerate(names):
        drawn.append(f'<rect class="p{place % 4}" x="{x}" y="{bottom - 11:.0f}" width="12" height="12" rx="2"/>')
        drawn.append(f'<text class="small" x="{x + 17}" y="{bottom:.0f}">{html.escape(name)}</text>')
        x += 34 + 7 * len(name)
    return drawn


def _told(title: str, unit: str, rows: Sequence[Bar]) -> str:
    return f"{title}, {unit}: " + ", ".join(f"{row.name} {figure(row.length)}" for row in rows)
