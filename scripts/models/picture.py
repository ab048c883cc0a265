"""The figures as one SVG: a panel for each work, a line for each model. No script, no font, nothing from elsewhere.

Its colours follow the reader's light or dark mode, and what they say is said in numbers too.
"""

from __future__ import annotations

from html import escape

from scripts.models.figures import Figures, Measured, Row
from scripts.models.lessons import seconds
from scripts.models.table import facts

WIDTH = 900
_LEFT, _TIME, _SHARE, _RIGHT = 24, 170, 560, 876
"""Where names, times and shares begin, and where all ends."""
_TIME_ROOM = 250
_SHARE_ROOM = 190
_LINE = 22
_STYLE = """
text{font:13px system-ui,"DejaVu Sans",sans-serif;fill:#1c2430}
.title{font-weight:600;font-size:15px}.head,.note{font-size:12px;fill:#5b6675}.best{font-weight:700}
.end{text-anchor:end}
.paper{fill:#ffffff}.time{fill:#6b7a90}.computing{fill:#c2410c}.waiting{fill:#dbe4f0}
@media (prefers-color-scheme:dark){
text{fill:#e6eaf0}.head,.note{fill:#9aa6b5}
.paper{fill:#12161c}.time{fill:#8a9bb3}.computing{fill:#fb923c}.waiting{fill:#2b3646}}
"""


def picture(figures: Figures) -> str:
    """Draw what was measured."""
    parts: list[str] = []
    y = 34.0
    parts.append(_text(_LEFT, y, "The same work, done in every execution model", "title"))
    for measured in figures.works:
        y += 34
        parts.append(_panel(measured, y, measured.cores or figures.machine.cores))
        y += (len(measured.rows) + 1) * _LINE
    y += 30
    parts.append(_text(_LEFT, y, facts(figures.machine), "note"))
    height = y + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img" aria-labelledby="title">\n'
        f'<title id="title">{escape(_summary(figures))}</title>\n<style>{_STYLE}</style>\n'
        f'<rect class="paper" width="{WIDTH}" height="{height:.0f}" rx="8"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _summary(figures: Figures) -> str:
    fastest = "; ".join(f"{one.title}: {one.best.model} in {seconds(one.best.wall)}" for one in figures.works)
    return f"Time and share of waiting of each execution model. Fastest: {fastest}"


def _panel(measured: Measured, y: float, cores: int) -> str:
    longest = max(row.wall for row in measured.rows)
    parts = [
        _text(_LEFT, y, f"{measured.key} · {measured.title}", "title"),
        _text(_SHARE, y, "computing", "head"),
        _text(_SHARE + _SHARE_ROOM, y, "waiting", "head end"),
        _text(_RIGHT, y, "CPU", "head end"),
    ]
    for place, row in enumerate(measured.rows, 1):
        parts.append(_row(row, y + place * _LINE, longest, cores, best=row is measured.best))
    return "\n".join(parts)


def _row(row: Row, y: float, longest: float, cores: int, *, best: bool) -> str:
    weight = "best" if best else ""
    length = row.wall / longest * _TIME_ROOM
    waiting = row.waiting(cores)
    computing = (1 - waiting) * _SHARE_ROOM
    return "\n".join(
        [
            _text(_LEFT, y, row.model, weight),
            _bar(_TIME, y, length, "time"),
            _text(_TIME + length + 6, y, seconds(row.wall), weight),
            _bar(_SHARE, y, _SHARE_ROOM, "waiting"),
            _bar(_SHARE, y, computing, "computing"),
            _text(_SHARE + _SHARE_ROOM + 44, y, f"{waiting:.0%}", f"{weight} end"),
            _text(_RIGHT, y, seconds(row.cpu), f"{weight} end"),
        ]
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind.strip()}">{escape(text)}</text>'


def _bar(x: float, y: float, length: float, kind: str) -> str:
    return f'<rect x="{x:.1f}" y="{y - 11:.1f}" width="{max(1.0, length):.1f}" height="14" rx="2" class="{kind}"/>'
