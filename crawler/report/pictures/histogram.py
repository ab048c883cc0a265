"""How often each length of time was seen, on an axis on which every step is as many times the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from crawler.report.figures import count
from crawler.report.pictures.columns import join
from crawler.report.pictures.scale import marks

_MOST_LABELS = 6
_CLOSE = 18.0
"""Percent of the width within which lines share a label."""
_AT_THE_END = 90.0


class Histogram(Struct, frozen=True, kw_only=True):
    """Buckets of the same width, each with its upper bound."""

    title: str
    buckets: Sequence[tuple[float, int]]
    labels: Sequence[str]
    """The upper bounds, in words."""
    marked: Sequence[tuple[str, float]] = ()
    """Values that a line shows, by name."""

    def draw(self) -> Markup:
        """Return the picture."""
        return Markup(
            '<div class="plot">{}<svg class="field" role="img" aria-label="{}">{}{}{}</svg>{}</div>'
        ).format(self._beside(), self.title, join(list(self._grid())), join(list(self._bars())),
                 join(list(self._lines())), self._below())  # fmt: skip

    @property
    def _marks(self) -> list[float]:
        return marks(max(number for _, number in self.buckets), 3)

    @property
    def _width(self) -> float:
        return 100 / len(self.buckets)

    def _beside(self) -> Markup:
        top = self._marks[-1]
        labels = [
            Markup('<text x="100%" y="{}%">{}</text>').format(f"{100 - 100 * mark / top:.2f}", _whole(mark))
            for mark in self._marks
        ]
        return Markup('<svg class="beside" aria-hidden="true">{}</svg>').format(join(labels))

    def _grid(self) -> Iterator[Markup]:
        for mark in self._marks:
            at = f"{100 - 100 * mark / self._marks[-1]:.2f}"
            look = "grid" if mark else "base"
            yield Markup('<line class="{}" x1="0" x2="100%" y1="{}%" y2="{}%"/>').format(look, at, at)

    def _bars(self) -> Iterator[Markup]:
        top = self._marks[-1]
        for at, ((_, number), label) in enumerate(zip(self.buckets, self.labels, strict=True)):
            height = 100 * number / top
            yield Markup(
                '<rect class="latency" x="{}%" y="{}%" width="{}%" height="{}%"><title>up to {}: {}</title></rect>'
            ).format(
                f"{self._width * (at + 0.06):.2f}", f"{100 - height:.2f}", f"{self._width * 0.88:.2f}",
                f"{height:.2f}", label, count(number),
            )  # fmt: skip

    def _lines(self) -> Iterator[Markup]:
        groups: list[tuple[float, list[str]]] = []
        for name, value in self.marked:
            at = self._at(value)
            yield Markup('<line class="marked" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(f"{at:.2f}")
            if groups and at - groups[-1][0] < _CLOSE:
                groups[-1][1].append(name)
            else:
                groups.append((at, [name]))
        for at, names in groups:
            side = "last" if at > _AT_THE_END else "mid"
            yield Markup('<text class="marked {}" x="{}%" y="0">{}</text>').format(side, f"{at:.2f}", ", ".join(names))

    def _at(self, value: float) -> float:
        """Return where a value stands, in percent of the width."""
        below = 0.0
        for number, (upto, _) in enumerate(self.buckets):
            if value <= upto:
                part = (value - below) / (upto - below) if below else 0.5
                return self._width * (number + max(0.0, part))
            below = upto
        return 100.0

    def _below(self) -> Markup:
        every = -(-len(self.labels) // _MOST_LABELS)
        last = len(self.labels) - 1
        labels = [
            Markup('<text class="{}{}" x="{}%" y="1em">{}</text>').format(
                "last" if number == last else "mid",
                " extra" if (last - number) // every % 2 else "",  # a narrow screen has no room for it
                f"{self._width * (number + 1):.2f}",
                label,
            )
            for number, label in enumerate(self.labels)
            if (last - number) % every == 0
        ]
        return Markup('<svg class="below" aria-hidden="true">{}</svg>').format(join(labels))


def _whole(mark: float) -> str:
    return count(mark) if mark == int(mark) else ""
