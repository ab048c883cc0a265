"""Ready-made ``extract`` functions: what people most often want of a page.

Each takes a :class:`~crawler.core.document.Document` and returns plain values that fit a line of JSON;
of what is no HTML it returns None. :func:`text`, :func:`main_text` and :func:`markdown` need the extra ``extract``
(``pip install 'crawler[extract]'``), :func:`metadata` needs nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from crawler.core.document import Document
from crawler.errors import ConfigError

_MOST_ENTRIES = 100
_MOST_CHARACTERS = 100_000
"""Of the metadata of one page, in each of its parts."""


def text(document: Document) -> str | None:
    """Return all text that a reader of the page sees, with line breaks where they are seen."""
    from resiliparse.extract.html2text import extract_plain_text  # noqa: PLC0415  an extra

    return str(extract_plain_text(document.text)) if document.is_html else None


def main_text(document: Document) -> str | None:
    """Return the text of the main content, without navigation, headers and footers."""
    from resiliparse.extract.html2text import extract_plain_text  # noqa: PLC0415  an extra

    return str(extract_plain_text(document.text, main_content=True)) if document.is_html else None


def markdown(document: Document) -> str | None:
    """Return the page as Markdown."""
    from html_to_markdown import convert  # noqa: PLC0415  an extra

    return str(convert(document.text).content or "") if document.is_html else None


def metadata(document: Document) -> dict[str, Any] | None:
    """Return what the page says of itself for machines.

    Returns:
        ``description``, ``keywords`` and ``author`` as the page has them, ``open_graph`` and ``twitter`` by name
        without their prefix, and ``json_ld``, a list of objects; what a page does not have is left out.

    Source: the Open Graph protocol, JSON-LD 1.1 §9 (HTML).
    """
    if not document.is_html:
        return None
    found: dict[str, Any] = {}
    for node in document.tree.css("meta[content]"):
        attributes = node.attributes
        name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
        prefix, colon, rest = name.partition(":")
        content = (attributes.get("content") or "")[:_MOST_CHARACTERS]
        if name in _PLAIN:
            found.setdefault(name, content)
        elif colon and prefix in _PREFIXES and len(group := found.setdefault(_PREFIXES[prefix], {})) < _MOST_ENTRIES:
            group.setdefault(rest, content)
    if linked := _json_ld(document):
        found["json_ld"] = linked
    return found


_PLAIN = ("description", "keywords", "author")
_PREFIXES = {"og": "open_graph", "twitter": "twitter"}


def _json_ld(document: Document) -> list[Any]:
    found: list[Any] = []
    for node in document.tree.css('script[type="application/ld+json"]')[:_MOST_ENTRIES]:
        written = node.text()
        if len(written) > _MOST_CHARACTERS:
            continue
        try:
            value = json.loads(written)
        except (ValueError, RecursionError):  # what is no JSON is no data
            continue
        found += value if isinstance(value, list) else [value]
    return found[:_MOST_ENTRIES]


READY_MADE: Mapping[str, Callable[[Document], Any]] = {
    "text": text,
    "main_text": main_text,
    "markdown": markdown,
    "metadata": metadata,
}
"""By the names of their settings."""
_NEED = {"text": "resiliparse", "main_text": "resiliparse", "markdown": "html_to_markdown"}


def check_installed(name: str) -> None:
    """Make sure that what an extractor needs is there.

    Raises:
        ConfigError: it is not; the sentence says what to install.
    """
    package = _NEED.get(name)
    if package and find_spec(package) is None:
        raise ConfigError(f"parse.{name} needs the package {package.replace('_', '-')}: pip install 'crawler[extract]'")


@dataclass(frozen=True, slots=True)
class Together:
    """Several extractors as one, which returns what each of them does, by name."""

    extractors: Mapping[str, Callable[[Document], Any]]

    def __call__(self, document: Document) -> dict[str, Any]:
        """Extract."""
        return {name: extract(document) for name, extract in self.extractors.items()}
