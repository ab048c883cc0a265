"""References: what an ``href`` on a page leads to, found once per folder.

Joining costs more than everything else that is done to a link, and the pages of a site say the same thing again and
again. What a reference means hangs on the *folder* of its page alone (``../index.html`` is one URL on all pages of a
folder), so it is remembered there. The exceptions hang on the page itself, and are joined each time: ``?page=2``,
and ``https:rest``, a scheme that no slash follows (URL Standard §4.4, "special relative or authority state").

Parsing is that of the WHATWG URL Standard, by ada-url, and what comes out is a crawl URL as
:func:`crawler.core.url.normalise` makes them; that module is not imported, because worker processes must start fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ada_url import join_url

MAX_REFERENCE = 128 * 1024
"""Characters of a reference; a longer one is no link."""
MAX_BASE = 16 * 1024
"""Characters of a base URL. It stands in every link of its page, so a long one makes a small page a large answer."""
ROOM = 16 * 1024**2
"""Bytes that remembered references may take, roughly."""

_ENTRY = 200
"""Bytes that one of them takes besides its characters, roughly."""
_EDGES = "".join(map(chr, range(0x21)))
"""C0 controls and space: they count for nothing around a URL (URL Standard §4.4)."""
_TAB_AND_NEWLINE = str.maketrans("", "", "\t\n\r")
"""They count for nothing within a URL either."""
_SPECIAL = re.compile(
    r"(?P<page> \? | https?:(?![/\\]) ) | (?!https?:) [a-z][a-z0-9+.-]*+: | \Z",
    re.IGNORECASE | re.ASCII | re.VERBOSE,
).match
"""What hangs on the page rather than its folder; and what leads nowhere: a foreign scheme, or nothing at all."""
_HAS_PORT_0 = re.compile(r"https?://[^/]*:0/").match


class References:
    """Remembers, from page to page and within a bound, what the references of each folder lead to."""

    def __init__(self, *, room: int = ROOM) -> None:
        self._room = self._left = room
        self._folders: dict[str, _Folder] = {}

    def on(self, page: str) -> Mapping[str, str]:
        """Return what references lead to on one page, until the next page is asked for.

        Args:
            page: absolute http(s) URL of the page, or of its base element.

        Returns:
            For each reference, less its fragment, a crawl URL; or an empty string if it leads to none, be it empty,
            too long, invalid, or of another scheme. Any string may be looked up; iteration and length mean nothing.
        """
        name = _folder(page)
        folder = self._folders.get(name)
        if folder is None:
            self._spend(len(name))
            folder = self._folders[name] = _Folder(name, self._spend)
        folder.page = page
        return folder

    def _spend(self, characters: int) -> None:
        self._left -= characters + _ENTRY
        if self._left < 0:
            self._folders.clear()
            self._left = self._room


class _Folder(dict[str, str]):
    """A dict that fills itself: the usual look-up, a hit, runs no Python."""

    __slots__ = ("name", "page", "spend")

    def __init__(self, name: str, spend: Callable[[int], None]) -> None:
        super().__init__()
        self.name = name
        self.page = name
        self.spend = spend

    def __missing__(self, reference: str) -> str:
        if len(reference) > MAX_REFERENCE:
            return ""
        text = _clean(reference)
        special = _SPECIAL(text)
        if special and special["page"]:
            return _join(text, self.page)
        link = self[reference] = "" if special else _join(text, self.name)
        self.spend(len(reference) + len(link))
        return link


def absolute(reference: str, base: str) -> str:
    """Return the crawl URL to which a reference leads, or an empty string if it leads to none.

    Args:
        reference: as found; an empty one leads nowhere, for it is the page itself.
        base: absolute http(s) URL.
    """
    if len(reference) > MAX_REFERENCE:
        return ""
    text = _clean(reference)
    special = _SPECIAL(text)
    return "" if special and not special["page"] else _join(text, base)


def base_of(reference: str, page: str) -> str:
    """Return the URL on which references hang, given the ``href`` of the first base element.

    Source: HTML Standard, "set the frozen base URL"; it refuses ``data:`` and ``javascript:``, we all but http(s).
    """
    base = absolute(reference, page)
    return base if base and len(base) <= MAX_BASE else page


def _clean(reference: str) -> str:
    text = reference.strip(_EDGES)
    return text if text.isprintable() else text.translate(_TAB_AND_NEWLINE)


def _join(text: str, base: str) -> str:
    try:
        return _crawl_url(join_url(base, text))
    except ValueError:
        return ""


def _crawl_url(href: str) -> str:
    """Make a crawl URL of a serialised URL: http(s), no fragment, no user-info, a port one can connect to."""
    if not href.startswith(("https://", "http://")):
        return ""
    if "#" in href:
        href = href[: href.index("#")]
    if "@" in href:
        start = href.index("//") + 2
        at = href.rfind("@", start, href.index("/", start))
        href = href[:start] + href[at + 1 :] if at > 0 else href
    return "" if ":0/" in href and _HAS_PORT_0(href) else href


def _folder(url: str) -> str:
    query = url.find("?")
    return url[: url.rfind("/", 0, query if query >= 0 else len(url)) + 1]
