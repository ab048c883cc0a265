"""Figures as Markdown tables, and the places in a document where they belong.

A document marks such a place by two comments, ``<!-- figures: NAME -->`` and ``<!-- end of NAME -->``.
What stands between them is a script's; everything else is a person's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; the first column is text, the others are aligned to the right."""
    lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)]), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def write_place(document: Path, name: str, text: str) -> None:
    """Put ``text`` into the place of that name.

    Raises:
        ValueError: the document has no such place, or more than one.
    """
    before = document.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end of {re.escape(name)} -->)", re.DOTALL)
    after, found = place.subn(lambda match: f"{match[1]}{text.rstrip()}\n{match[2]}", before)
    if found != 1:
        raise ValueError(f"{document} has {found} places for the figures of {name!r}, not one")
    document.write_text(after, encoding="utf-8")


def figure(value: float) -> str:
    """Write a number as a reader wants it: three digits that count, thousands apart."""
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(figure(cell) if isinstance(cell, float) else str(cell) for cell in cells)} |"
