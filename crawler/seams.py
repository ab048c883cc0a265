"""The seams: what a caller may put in the place of a part of ours. Each is a Protocol with one method.

==========  =================  ==========================  =====================================================
argument    Protocol           runs                        stands for
==========  =================  ==========================  =====================================================
extract     a function         in a worker process         nothing of ours: what it returns is ``page.extracted``
fetcher     PageFetcher        on the event loop           the HTTP client, for the pages that it wants to fetch
store       PageStore          in the journal's thread     nothing of ours: it is given what is archived
scope       URLScope           in the journal's thread     nothing of ours: it is asked after the scope's own rules
==========  =================  ==========================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from crawler.core.document import Document
from crawler.core.records import CrawlURL, Page
from crawler.core.shards import Shard


@dataclass(frozen=True, slots=True)
class Answer:
    """What a :class:`PageFetcher` got for a URL."""

    status: int
    """HTTP status, 100 to 599. With 301, 302, 303, 307 or 308, the ``location`` header is followed as usual."""
    body: bytes = b""
    """Without any content coding. ``fetch.max_body`` bounds it: what is longer is cut, and ends as ``too_large``."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name, in any case; without them it counts as HTML in UTF-8. ``content-encoding`` is ignored."""


class PageFetcher(Protocol):
    """Fetches pages in its own way, such as with a browser."""

    async def fetch(self, url: CrawlURL) -> Answer | None:
        """Fetch one URL; return None to leave it to the crawler's own client.

        Called on the event loop, at most ``fetch.concurrency`` times at once and as politely as our own client:
        a host's delay begins with the call, and robots.txt has been asked, by our own client.
        ``fetch.total_timeout`` bounds it. What it raises ends that URL as ``fetch_failed``, which is tried again;
        a ``TimeoutError`` ends it as ``total_timeout``.
        Which addresses may be reached is for the fetcher to see to: the guard against private ones is our client's.
        """


class PageStore(Protocol):
    """Takes every finished page, besides the archive and the page log."""

    def write(self, pages: Sequence[tuple[Page, bytes]]) -> None:
        """Take pages, each with its body after content decoding; the body is empty where none came.

        Called in one thread, with 1 to 256 pages, before they count as finished. So after a kill the last pages may
        come once more, and it must be able to take a page twice. What it raises ends the crawl.
        """


class URLScope(Protocol):
    """Says which URLs belong to the crawl, among those that the settings of the scope allow."""

    def allows(self, url: str, depth: int) -> bool:
        """Say whether a URL is to be crawled.

        Called in one thread, once for each URL, seeds too, when it becomes known; what is refused ends as
        ``out_of_scope``. It may block, which slows the crawl. What it raises ends the crawl.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What a caller puts in; None where it is nothing."""

    extract: Callable[[Document], Any] | None = None
    fetcher: PageFetcher | None = None
    store: PageStore | None = None
    scope: URLScope | None = None
    shard: Shard | None = None
    """Which part of the crawl this is, where several shards share it; put in by :mod:`crawler.cluster`."""
