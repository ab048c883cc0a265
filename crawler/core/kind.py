"""How URLs come to be known. Apart from the records, which worker processes, that must start fast, do without."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How a URL came to be known: the element or the header that named it."""

    SEED = "seed"
    LINK = "link"
    REDIRECT = "redirect"
    REFRESH = "refresh"
    CANONICAL = "canonical"
    NEXT = "next"
    ALTERNATE = "alternate"
    FRAME = "frame"
    ASSET = "asset"
    SITEMAP = "sitemap"
    """A sitemap that robots.txt or an index names."""
    LISTED = "listed"
    """A page that a sitemap or a feed lists."""
    ROBOTS = "robots"
    """The host's robots.txt: asked for before the first page of a host, never counted as a page."""
