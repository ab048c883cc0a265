"""Sitemaps and feeds: files that list pages, some with the time at which each last changed.

Read are sitemaps and sitemap indexes (sitemaps.org 0.9, XML and text), RSS 0.9 to 2.0, and Atom (RFC 4287).
XML goes through expat piece by piece, without namespaces: the place of an element says enough.
Everything is hostile: entity declarations are refused, so nothing can expand, and nothing outside is ever looked up;
nesting, entries and the length of a URL are bounded. What was read before a file breaks counts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.parsers import expat

from msgspec import Struct, field

from crawler.core.charset import decode_text, xml_encoding
from crawler.core.headers import http_date
from crawler.core.kind import Kind
from crawler.core.references import absolute

MOST_ENTRIES = 50_000
"""Of one file; sitemaps.org allows no more."""
_PIECE = 64 * 1024
_DEEPEST = 32
_LONGEST_URL = 8192
_ROOTS = frozenset({"urlset", "sitemapindex", "rss", "feed", "RDF"})
_ENTRIES = {"url": Kind.LISTED, "sitemap": Kind.SITEMAP, "item": Kind.LISTED, "entry": Kind.LISTED}
_URLS = frozenset({"loc", "link", "guid"})
_DATES = frozenset({"lastmod", "pubDate", "updated", "date"})
_LOOKS_LIKE_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<|\xff\xfe<|\xfe\xff\0<").match
_DAY = 86_400.0
_LONG_DATE = len("2026-11-25")
_ZONE = re.compile(r"\s*([+-])(\d\d):?(\d\d)$")


class Bomb(ValueError):
    """Say that a file declares entities, which no sitemap or feed needs."""


class _Enough(Exception):
    """Say that reading is over before the file is."""


class Listing(Struct):
    """What a sitemap or a feed lists."""

    links: dict[str, Kind] = field(default_factory=dict)
    """Absolute, normalised, without the file itself: pages, and the sitemaps of an index."""
    dates: dict[str, float] = field(default_factory=dict)
    """When some of them last changed, Unix seconds."""
    capped: bool = False
    """Whether there are more than were read."""


def read_listing(body: bytes, url: str, *, expected: bool) -> Listing | None:
    """Read a sitemap or a feed; None if it is none.

    Args:
        body: decoded.
        url: where it was fetched.
        expected: whether it was named as a sitemap, so that plain lines of URLs are one too.

    Raises:
        Bomb: it declares entities.
    """
    if _LOOKS_LIKE_XML(body):
        return _Reader(url, expected=expected).read(body)
    return _lines(body, url) if expected else None


def _lines(body: bytes, url: str) -> Listing | None:
    listing = Listing()
    for line in body.decode("utf-8-sig", "replace").splitlines():
        text = line.strip()
        if not text:
            continue
        if not text.startswith(("http://", "https://")):
            return None
        if _is_full(listing):
            break
        _add(listing, text, url, Kind.LISTED)
    return listing if listing.links else None


def _is_full(listing: Listing) -> bool:
    listing.capped = len(listing.links) >= MOST_ENTRIES
    return listing.capped


def _add(listing: Listing, text: str, base: str, kind: Kind, date: float | None = None) -> None:
    if len(text) > _LONGEST_URL:
        return
    link = absolute(text, base)
    if link and link != base:
        listing.links.setdefault(link, kind)
        if date is not None:
            listing.dates[link] = date


class _Reader:
    """One pass over an XML file."""

    def __init__(self, url: str, *, expected: bool) -> None:
        self._url = url
        self._ours = expected
        """Whether it is known to be a sitemap or a feed."""
        self._found = Listing()
        self._is_listing = False
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._entry: dict[str, str] = {}

    def read(self, body: bytes) -> Listing | None:
        declared = xml_encoding(body)
        if declared not in ("", "utf-8"):
            # Of encodings of several bytes expat knows Unicode's alone, and many feeds of East Asia are in another.
            body = decode_text(body, declared).encode("utf-8", "replace")
        parser = expat.ParserCreate("utf-8" if declared else None)
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            for at in range(0, len(body), _PIECE):
                parser.Parse(body[at : at + _PIECE], False)
            parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, _Enough):
            pass  # what came before counts
        return self._found if self._is_listing else None

    def _doctype(self, name: str, *_: object) -> None:
        self._ours = self._ours or _local(name) in _ROOTS

    def _entity(self, name: str, *_: object) -> None:
        if self._ours:
            raise Bomb(f"declares the entity {name[:40]!a}")
        raise _Enough

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = _local(name)
        if not self._path:
            self._is_listing = local in _ROOTS
        if not self._is_listing or len(self._path) >= _DEEPEST:
            raise _Enough
        self._path.append(local)
        self._text, self._size = [], 0
        if local in _ENTRIES:
            self._entry = {}
        elif local == "link" and self._within_entry and attributes.get("rel", "alternate") == "alternate":
            self._entry.setdefault("href", attributes.get("href", ""))
        elif local == "guid" and attributes.get("isPermaLink") == "false":
            self._path[-1] = "id"

    @property
    def _within_entry(self) -> bool:
        return len(self._path) > 1 and self._path[-2] in _ENTRIES

    def _characters(self, text: str) -> None:
        if self._size <= _LONGEST_URL:
            self._text.append(text)
            self._size += len(text)

    def _end(self, _: str) -> None:
        local = self._path[-1]
        if self._within_entry and local in _URLS | _DATES:
            self._entry.setdefault("date" if local in _DATES else local, "".join(self._text).strip())
        self._path.pop()
        if local in _ENTRIES:
            self._finish(_ENTRIES[local])

    def _finish(self, kind: Kind) -> None:
        if _is_full(self._found):
            raise _Enough
        entry = self._entry
        text = entry.get("loc") or entry.get("href") or entry.get("link") or entry.get("guid")
        if text:
            _add(self._found, text, self._url, kind, moment(entry.get("date", "")))


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def moment(text: str) -> float | None:
    """Read a time as sitemaps (W3C Datetime), Atom (RFC 3339) and RSS (RFC 822) write it; None if it is none.

    A day stands for its end: the page may have changed at any time of it, so an earlier look that day was too early.
    """
    if not text or len(text) > 64:
        return None
    if text[:4].isdigit():
        try:
            at = datetime.fromisoformat(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() + (_DAY if len(text) == _LONG_DATE else 0)
        except (ValueError, OverflowError):
            return None
    zone = _ZONE.search(text)
    at_utc = http_date(_ZONE.sub(" GMT", text))
    if at_utc is None or zone is None:
        return at_utc
    offset = int(zone[2]) * 3600 + int(zone[3]) * 60
    return at_utc - offset if zone[1] == "+" else at_utc + offset
