"""HTML: what a page says about itself, and where it points.

One parse by lexbor, one walk over the elements that can matter, and no second look at anything::

    text ─► tree ─► references, sorted by what names them ─► distinct ─► absolute URLs

Most of the cost lies in the tree; the rest is kept small by the order of the work.
A documentation page has some hundred references but only some twenty distinct targets, so a reference
loses its fragment and its duplicates *before* it is joined, and joined references are remembered per folder:
``../index.html`` means the same on every page of one folder.

Obeyed are the HTML Standard (base element, meta refresh, srcset, rel tokens), the URL Standard (by ada-url),
and the robots meta tag as search engines agreed on it.
``rel=nofollow`` on a single link does not stop a crawler: it disclaims endorsement, and says nothing about access.
Only a page-level ``nofollow`` does, and what follows from that is the caller's decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode, SelectolaxError

from crawler.core.headers import robots_directives
from crawler.core.kind import Kind
from crawler.core.references import References, absolute, base_of

_MAX_TITLE = 1_000
_MAX_TITLE_SOURCE = 20_000
_MAX_LANGUAGE = 100
_MAX_CHARACTERS = 8 * 1024**2
"""Of all links of one page together."""

_OPTIONS = int(LexborDocumentOptions.WO_EVENTS)  # nothing here changes the tree, and it saves 4 % of a parse
_PAGES = "[href],[src],meta,title"
_PAGES_AND_ASSETS = f"{_PAGES},[srcset],[poster]"

_ANCHORS = frozenset({"a", "area"})
_FRAMES = frozenset({"frame", "iframe"})
_ASSETS = frozenset({"audio", "embed", "img", "input", "script", "source", "track", "video"})
_RELATIONS = {"canonical": Kind.CANONICAL, "next": Kind.NEXT, "prev": Kind.NEXT, "alternate": Kind.ALTERNATE}
_ASSET_RELATIONS = frozenset({"stylesheet", "icon"})

_WS = "\t\n\f\r "
_REFRESH = re.compile(rf"[{_WS}]*+[0-9.]++(?=[;,{_WS}])[{_WS}]*+[;,]?+[{_WS}]*+(.+)", re.DOTALL).match
_REFRESH_URL = re.compile(rf"url[{_WS}]*+=[{_WS}]*+(.*)", re.DOTALL | re.IGNORECASE | re.ASCII).match
_CANDIDATES = re.compile(rf"([^{_WS},][^{_WS}]*+)(?:(?<!,)[^,(]*+(?:\([^)]*+\)?+[^,(]*+)*+)?+").findall


@dataclass(frozen=True, slots=True)
class Outline:
    """What one HTML page says about itself, and where it points."""

    title: str = ""
    """Whitespace collapsed, 1,000 characters at most."""
    language: str = ""
    """The ``lang`` of the html element."""
    canonical: str = ""
    """Absolute URL, or empty."""
    noindex: bool = False
    nofollow: bool = False
    links: dict[str, Kind] = field(default_factory=dict)
    """Absolute, normalised http(s) URLs without fragment and user-info, distinct, without the page itself.

    A URL named in several ways has the kind that says most: canonical, next, alternate, refresh or frame
    over link, and link over asset.
    """
    capped: bool = False
    """Whether there are more links than these."""
    dropped: int = 0
    """Distinct references that lead to no http(s) URL."""


class LinkReader:
    """Reads pages, one after another, and remembers between them what their references came to."""

    def __init__(self, *, assets: bool = False, max_links: int = 10_000, product: str = "robots") -> None:
        """Prepare for the pages of one crawl.

        Args:
            assets: whether images, scripts, style sheets and media are links too.
            max_links: distinct links taken from one page, at most.
            product: our name; a meta element of this name speaks to us as one named ``robots`` does.
        """
        self._query = _PAGES_AND_ASSETS if assets else _PAGES
        self._assets = assets
        self._max_links = max_links
        self._product = product.lower()
        self._references = References()

    def read(self, html: str | bytes, url: str, refresh: str = "") -> Outline:
        """Read one page.

        Args:
            html: the text of the page, also in UTF-8, which is what lexbor reads; anything at all will do.
            url: where it was fetched, absolute and normalised.
            refresh: where its ``Refresh`` header leads, absolute; empty if it has none.

        Raises:
            MemoryError: the tree does not fit into memory.
        """
        try:
            tree = LexborHTMLParser(html, options=_OPTIONS)
        except SelectolaxError as error:
            # any text is HTML to lexbor: it gives up for want of memory only
            raise MemoryError(str(error)) from error
        found = self._gather(tree.css(self._query))
        if refresh:
            found.others.append((refresh, Kind.REFRESH))
        base = base_of(found.base, url) if found.base else url
        links, capped, dropped = self._links(found, url, base)
        directives = robots_directives(found.robots, self._product)
        return Outline(
            title=found.title,
            language=_language(tree.root),
            canonical=absolute(found.canonical, base) if found.canonical else "",
            noindex="noindex" in directives,
            nofollow="nofollow" in directives,
            links=links,
            capped=capped,
            dropped=dropped,
        )

    def forget(self) -> None:
        """Give the remembered references back to memory."""
        self._references = References()

    def _gather(self, nodes: list[LexborNode]) -> _Found:
        found = _Found()
        anchors = found.anchors
        for node in nodes:
            tag = node.tag
            if tag in _ANCHORS:
                anchors.append(node.attrs.get("href"))
            elif tag == "link":
                found.add_link(node.attributes, assets=self._assets)
            elif tag == "meta":
                found.add_meta(node.attributes, self._product)
            elif tag == "title":
                found.add_title(node)
            elif tag == "base":
                found.base = node.attrs.get("href") if found.base is None else found.base
            elif tag in _FRAMES:
                found.others.append((node.attrs.get("src") or "", Kind.FRAME))
            elif tag in _ASSETS and self._assets:
                found.add_asset(node.attributes)
        return found

    def _links(self, found: _Found, url: str, base: str) -> tuple[dict[str, Kind], bool, int]:
        links = {"": Kind.LINK, url: Kind.LINK}  # what is never a link is in from the start, and taken out at the end
        most, room, dropped, capped = len(links) + self._max_links, _MAX_CHARACTERS, 0, False
        url_of = self._references.on(base)
        for reference, kind in found.references():
            link = url_of[reference]
            if link in links:
                dropped += not link
                continue
            room -= len(link)
            if len(links) >= most or room < 0:
                capped = True
                break
            links[link] = kind
        links.pop("", None)
        links.pop(url, None)
        return links, capped, dropped


class _Found:
    """What the elements of one page say, before any of it is resolved."""

    __slots__ = ("anchors", "assets", "base", "canonical", "others", "robots", "title")

    def __init__(self) -> None:
        self.title = ""
        self.base: str | None = None
        self.canonical = ""
        self.robots: list[str] = []
        self.anchors: list[str | None] = []
        self.assets: list[str] = []
        self.others: list[tuple[str, Kind]] = []

    def add_link(self, attributes: dict[str, str | None], *, assets: bool) -> None:
        """Take a link element; its ``rel`` is a set of words in any case."""
        reference = attributes.get("href")
        words = (attributes.get("rel") or "").lower().split()
        if not reference:
            return
        if not _ASSET_RELATIONS.isdisjoint(words):  # "alternate stylesheet" is a style sheet
            self.assets += [reference] if assets else []
            return
        kind = next((_RELATIONS[word] for word in _RELATIONS if word in words), None)
        if kind:
            self.others.append((reference, kind))
        if kind is Kind.CANONICAL:
            self.canonical = self.canonical or reference

    def add_meta(self, attributes: dict[str, str | None], product: str) -> None:
        """Take a meta element: a refresh, or directives to all robots or to us."""
        content = attributes.get("content")
        if not content:
            return
        if (attributes.get("http-equiv") or "").lower() == "refresh":
            self.others.append((_refresh(content), Kind.REFRESH))
        elif (attributes.get("name") or "").strip().lower() in ("robots", product):
            self.robots.append(content)

    def add_title(self, node: LexborNode) -> None:
        """Take a title element, unless it labels a drawing or the page has one already."""
        parent = node.parent
        if not self.title and (parent is None or parent.tag != "svg"):
            self.title = " ".join(node.text()[:_MAX_TITLE_SOURCE].split())[:_MAX_TITLE].rstrip()

    def add_asset(self, attributes: dict[str, str | None]) -> None:
        """Take an element that shows a resource within the page."""
        self.assets += [value for name in ("src", "poster") if (value := attributes.get(name))]
        self.assets += [url.rstrip(",") for url in _CANDIDATES(attributes.get("srcset") or "")]

    def references(self) -> Iterator[tuple[str, Kind]]:
        """List the distinct references, less their fragments, those whose kind says most first."""
        for reference, kind in self.others:
            if address := reference.partition("#")[0]:
                yield address, kind
        for references, kind in ((self.anchors, Kind.LINK), (self.assets, Kind.ASSET)):
            for address in _distinct(references):
                yield address, kind


def _distinct(references: Iterable[str | None]) -> dict[str, None]:
    distinct = dict.fromkeys([reference.partition("#")[0] for reference in references if reference])
    distinct.pop("", None)
    return distinct


def _language(root: LexborNode | None) -> str:
    if root is None:
        return ""
    attributes = root.attributes
    return (attributes.get("lang") or attributes.get("xml:lang") or "").strip()[:_MAX_LANGUAGE]


def refresh_link(header: str, url: str) -> str:
    """Return the absolute URL to which a ``Refresh`` header leads; empty if the page only reloads itself.

    Browsers go by it as by the meta element of that name, whatever the media type of the page.

    Args:
        header: its value.
        url: where the page was fetched; a base element does not count, for the header comes before it.
    """
    target = absolute(_refresh(header).partition("#")[0], url)
    return "" if target == url else target


def _refresh(content: str) -> str:
    """Return the URL of a refresh, as written; empty if the page only reloads itself.

    Source: HTML Standard, "shared declarative refresh steps".
    """
    match = _REFRESH(content)
    rest = match[1] if match else ""
    named = _REFRESH_URL(rest)
    if named:
        rest = named[1]
    quote = rest[:1]
    return rest[1:].partition(quote)[0] if quote in ("'", '"') else rest
