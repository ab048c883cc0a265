"""The pieces of which the page's sections are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from crawler.core.text import printable
from crawler.report.pictures.columns import join

URL_SHOWN = 400
"""Characters of a URL, or of any other text that others have written."""


def shown(text: str, limit: int = URL_SHOWN) -> Markup:
    """Write what others have written: as text whatever it holds, and in the order in which it came."""
    return Markup("<bdi>{}</bdi>").format(printable(text, limit=limit))


def code(text: str) -> Markup:
    """Write a URL, a command or a name."""
    return Markup("<code>{}</code>").format(shown(text))


def section(name: str, title: str, say: object, *body: Markup) -> Markup:
    """Return a section of the page: its title, a sentence that tells what is to be seen, and the rest."""
    return Markup('<section aria-labelledby="{0}"><h2 id="{0}">{1}</h2><p class="say">{2}</p>{3}</section>\n').format(
        name, title, say, join(body)
    )


def legend(entries: Iterable[tuple[str, str, str]]) -> Markup:
    """Say what the colours mean: class, name and figure of each."""
    rows = (
        Markup('<li><svg class="key" aria-hidden="true"><rect class="{}" width="100%" height="100%"/></svg>'
               "{} <b>{}</b></li>").format(look, name, figure)
        for look, name, figure in entries
    )  # fmt: skip
    return Markup('<ul class="legend">{}</ul>').format(join(list(rows)))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 1) -> Markup:
    """Return a table; the first ``words`` columns hold words, the others numbers. Narrow screens stack its cells."""
    titles = join([Markup("<th scope=col{}>{}</th>").format(_side(at, words), title) for at, title in enumerate(head)])
    lines = []
    for row in rows:
        cells = [
            Markup('<td{} data-of="{}">{}</td>').format(_side(at, words), title, cell)
            for at, (title, cell) in enumerate(zip(head, row, strict=True))
        ]
        lines.append(Markup("<tr>{}</tr>").format(join(cells)))
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(titles, join(lines))


def figures(content: Markup) -> Markup:
    """Fold a picture's numbers away, for who wants to read them, or cannot see the picture."""
    return Markup("<details><summary>The figures</summary>{}</details>").format(content)


def _side(column: int, words: int) -> Markup:
    return Markup() if column < words else Markup(" class=n")
