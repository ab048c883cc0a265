"""A quantity over time, in steps: columns, columns upon columns, and a line over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from crawler.report.pictures.scale import moment, times

SIZE = 1000.0
"""Units of the drawing to either side; they are stretched to the picture."""


class Layer(Struct, frozen=True, kw_only=True):
    """One of the quantities that stand upon each other."""

    name: str
    look: str
    """Class that gives the colour."""
    values: Sequence[float]


class Columns(Struct, frozen=True, kw_only=True):
    """What is drawn over time.

    Raises (when drawn):
        ValueError: a layer has more values than there are columns, or fewer.
    """

    title: str
    edges: Sequence[float]
    """Seconds at which columns begin, and at which the last one ends."""
    layers: Sequence[Layer]
    marks: Sequence[float]
    """Numbers beside the picture, evenly spaced from 0 to its top."""
    labels: Sequence[str]
    line: Sequence[float | None] = ()
    """A line over the columns; None where there is none."""
    hints: Sequence[str] = ()
    """What is said of each column to one who points at it."""

    def draw(self) -> Markup:
        """Return the picture."""
        return Markup(
            '<div class="plot">{}<svg class="field" role="img" aria-label="{}">{}'
            '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%">{}{}</svg>'
            "{}</svg>{}</div>"
        ).format(
            self._beside(),
            self.title,
            join(self._grid()),
            join(self._columns()),
            self._line(),
            join(self._hints()),
            self._below(),
        )

    def _beside(self) -> Markup:
        top = self.marks[-1]
        labels = (
            Markup('<text x="100%" y="{}%">{}</text>').format(_number(100 - 100 * mark / top), label)
            for mark, label in zip(self.marks, self.labels, strict=True)
        )
        return Markup('<svg class="beside" aria-hidden="true">{}</svg>').format(join(labels))

    def _below(self) -> Markup:
        begin, span = self.edges[0], self._span
        marks = times(span)
        labels = []
        for mark in marks:
            share = 100 * mark / span
            place = "first" if share < 4 else "last" if share > 92 else "mid"
            labels.append(
                Markup('<text class="{}" x="{}%" y="1em">{}</text>').format(place, _number(share), moment(begin + mark))
            )
        return Markup('<svg class="below" aria-hidden="true">{}</svg>').format(join(labels))

    def _grid(self) -> Iterator[Markup]:
        for mark in self.marks:
            at = _number(100 - 100 * mark / self.marks[-1])
            yield Markup('<line class="{}" x1="0" x2="100%" y1="{}%" y2="{}%"/>').format(
                "grid" if mark else "base", at, at
            )

    def _columns(self) -> Iterator[Markup]:
        below = [0.0] * (len(self.edges) - 1)
        for layer in self.layers:
            above = [low + value for low, value in zip(below, layer.values, strict=True)]
            if any(layer.values):
                yield Markup('<path class="area {}" d="{}"/>').format(layer.look, self._area(below, above))
            below = above

    def _area(self, below: Sequence[float], above: Sequence[float]) -> str:
        forth = " ".join(
            f"{'M' if not number else 'L'}{self._x(number)} {self._y(value)}H{self._x(number + 1)}"
            for number, value in enumerate(above)
        )
        back = " ".join(
            f"L{self._x(number + 1)} {self._y(below[number])}H{self._x(number)}"
            for number in reversed(range(len(below)))
        )
        return f"{forth} {back}Z"

    def _line(self) -> Markup:
        pieces, drawn = [], False
        for number, value in enumerate(self.line):
            if value is None:
                drawn = False
                continue
            pieces.append(f"{'L' if drawn else 'M'}{self._x(number)} {self._y(value)}H{self._x(number + 1)}")
            drawn = True
        return Markup('<path class="line" d="{}"/>').format(" ".join(pieces)) if pieces else Markup()

    def _hints(self) -> Iterator[Markup]:
        for number, hint in enumerate(self.hints):
            left, right = (100 * (self.edges[number + side] - self.edges[0]) / self._span for side in (0, 1))
            yield Markup('<rect class="hint" x="{}%" width="{}%" height="100%"><title>{}</title></rect>').format(
                _number(left), _number(right - left), hint
            )

    @property
    def _span(self) -> float:
        return max(1e-9, self.edges[-1] - self.edges[0])

    def _x(self, edge: int) -> str:
        return _number(SIZE * (self.edges[edge] - self.edges[0]) / self._span)

    def _y(self, value: float) -> str:
        return _number(SIZE * (1.0 - min(1.05, value / self.marks[-1])))  # what is above the top is cut off there


def join(pieces: Iterator[Markup] | Sequence[Markup]) -> Markup:
    """Put pieces one after another."""
    return Markup().join(pieces)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
