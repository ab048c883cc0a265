"""Scope: is this URL part of this crawl, and which rule says no.

What a seed stands for is written as *scope keys*, its roots; a URL is in scope if one of its own keys is a root.
So the set of roots may live anywhere (a set, a table) and grow while the crawl runs: all that is asked of it is
whether it knows a key.

======  ==============================  =========================================
rule    root of a seed                  keys of a URL
======  ==============================  =========================================
page    the URL                         the URL
prefix  its folder                      all folders above it, the nearest first
host    host name and port              host name and port
domain  registrable domain, else name   the same
any     none                            none; every URL is in scope
======  ==============================  =========================================

In keys of folders and hosts the scheme is left out and ports 80 of http and 443 of https are the same,
so a site that moves from http to https stays in scope.
All functions take crawl URLs, as :func:`crawler.core.url.normalise` makes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from crawler.config import UNLIMITED_DEPTH, Scope
from crawler.core.outcomes import Outcome
from crawler.core.url import host_name, registrable_domain

DEEPEST_FOLDER = 128
"""Folders above a URL that count; a seed in a deeper one stands for the folder of this depth above it."""


class ScopeRule:
    """The rule of one crawl: which keys URLs have, and which limits and patterns they must meet."""

    __slots__ = ("_exclude", "_include", "_max_depth", "_max_length", "_one_key", "_rule")

    def __init__(self, scope: Scope) -> None:
        self._rule = scope.rule
        self._one_key = _ONE_KEY.get(scope.rule)
        self._include = tuple(re.compile(pattern).search for pattern in scope.include)
        self._exclude = tuple(re.compile(pattern).search for pattern in scope.exclude)
        self._max_length = scope.max_url_length
        self._max_depth = float("inf") if scope.max_depth == UNLIMITED_DEPTH else scope.max_depth

    def roots(self, url: str) -> tuple[str, ...]:
        """Return the keys that a seed adds to the roots."""
        return self.keys(url)[:1]

    def keys(self, url: str) -> tuple[str, ...]:
        """Return the keys of a URL, any of which being a root puts it in scope; the narrowest first."""
        if self._one_key:
            return (self._one_key(url),)
        return _folders(url) if self._rule == "prefix" else ()

    def judge(self, url: str, depth: int, known: Callable[[str], bool]) -> Outcome | None:
        """Say why a URL is not part of the crawl, or None if it is.

        The first reason that holds is given, in this order: URL_TOO_LONG, which bounds the work of the others;
        OUT_OF_SCOPE; EXCLUDED; NOT_INCLUDED; and last TOO_DEEP, so that its count is what a greater depth would add.

        Args:
            url: a crawl URL.
            depth: links from a seed.
            known: whether a scope key is a root.
        """
        if len(url) > self._max_length:
            return Outcome.URL_TOO_LONG
        if self._one_key:
            in_scope = known(self._one_key(url))
        else:
            in_scope = self._rule == "any" or any(map(known, self.keys(url)))
        if not in_scope:
            return Outcome.OUT_OF_SCOPE
        for matches in self._exclude:
            if matches(url):
                return Outcome.EXCLUDED
        if self._include and not any(matches(url) for matches in self._include):
            return Outcome.NOT_INCLUDED
        return Outcome.TOO_DEEP if depth > self._max_depth else None

    def judge_sitemap(self, url: str) -> Outcome | None:
        """Say why a sitemap of a host that belongs to the crawl is not read, or None if it is."""
        if len(url) > self._max_length:
            return Outcome.URL_TOO_LONG
        return Outcome.EXCLUDED if any(matches(url) for matches in self._exclude) else None

    @staticmethod
    def alias(seed_url: str, target_url: str) -> bool:
        """Tell whether a seed that redirects there takes its scope with it.

        It does within its registrable domain (``example.org`` → ``www.example.org``, http → https),
        or within its host name where it has no such domain; never to somebody else's site.
        """
        return _domain(seed_url) == _domain(target_url)


def _host(url: str) -> str:
    """Return name and port; those of http:80 and https:443 are equal, as a crawl URL never writes them."""
    start = 8 if url.startswith("https") else 7
    return url[start : url.find("/", 8)]


def _domain(url: str) -> str:
    name = host_name(url)
    return registrable_domain(name) or name


def _folders(url: str) -> tuple[str, ...]:
    query = url.find("?")
    place = url[8 if url.startswith("https") else 7 : query if query > 0 else len(url)]
    folders: list[str] = []
    at = place.find("/")
    while at >= 0 and len(folders) < DEEPEST_FOLDER:
        folders.append(place[: at + 1])
        at = place.find("/", at + 1)
    return tuple(reversed(folders))


_ONE_KEY: dict[str, Callable[[str], str]] = {"page": str, "host": _host, "domain": _domain}
"""The rules under which a URL has exactly one key."""
