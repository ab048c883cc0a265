"""A Scrapy spider that does what the other contenders do; run by an interpreter that has Scrapy, not by ours.

``usual`` is written as the manual shows it; ``lean`` switches off what the work does not need and finds links by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import scrapy  # type: ignore[import-not-found]  # lives in an environment of its own
from scrapy.crawler import CrawlerProcess  # type: ignore[import-not-found]  # the same
from scrapy.linkextractors import LinkExtractor  # type: ignore[import-not-found]  # the same

SEEDS, OUT, WIDTH, MODE = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
URLS = SEEDS.read_text(encoding="ascii").split()
HOSTS = {urlsplit(url).netloc for url in URLS}


class Usual(scrapy.Spider):  # type: ignore[misc]  # a class unknown to the type checker
    """Keep each page, and follow its links."""

    name = "usual"
    start_urls = URLS
    links = LinkExtractor(tags=("a",), attrs=("href",), deny_extensions=[])

    def parse(self, response: Any) -> Iterator[Any]:
        """Take one answer."""
        (OUT / sha256(response.url.encode()).hexdigest()).write_bytes(response.body)
        if isinstance(response, scrapy.http.HtmlResponse):
            response.xpath("//title/text()").get()
            for url in self.outlinks(response):
                if urlsplit(url).netloc in HOSTS:
                    yield scrapy.Request(url, dont_filter=MODE == "lean")

    def outlinks(self, response: Any) -> Iterator[str]:
        """Return the links of a page."""
        return (link.url for link in self.links.extract_links(response))


class Lean(Usual):
    """The same, links by hand, each URL asked about once."""

    name = "lean"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known = set(URLS)

    def outlinks(self, response: Any) -> Iterator[str]:
        """Return the links of a page that no page had before."""
        written = {href.strip().partition("#")[0] for href in response.selector.root.xpath("//a/@href")}
        for href in written:
            url = urljoin(response.url, href)
            if url not in self.known and url.startswith("http"):
                self.known.add(url)
                yield url


SETTINGS: dict[str, Any] = {
    "LOG_LEVEL": "ERROR",
    "ROBOTSTXT_OBEY": False,
    "DOWNLOAD_DELAY": 0,
    "TELNETCONSOLE_ENABLED": False,
    "CONCURRENT_REQUESTS": WIDTH,
    "CONCURRENT_REQUESTS_PER_DOMAIN": max(8, WIDTH // len(HOSTS)),
}
if MODE == "lean":
    SETTINGS |= {
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
        "CONCURRENT_ITEMS": 4,
        "COOKIES_ENABLED": False,
        "DOWNLOADER_STATS": False,
        "LOGSTATS_INTERVAL": 0,
        "MEMUSAGE_ENABLED": False,
        "REFERER_ENABLED": False,
        "RETRY_ENABLED": False,
    }

process = CrawlerProcess(SETTINGS)
process.crawl(Lean if MODE == "lean" else Usual)
process.start()
