"""What a caller may put in the place of parts of ours, beyond the examples of the docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler import Answer, Crawler, CrawlURL, Outcome, Page, UsageError, crawl
from crawler.config import Fetch, Scope
from crawler.testing.site import Site
from tests.conftest import EAGER


class Told:
    """A fetcher that answers what it was told, and leaves the rest to the crawler."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def fetch(self, url: CrawlURL) -> Answer | None:
        self.asked.append(url.url)
        answer = self.answers.get(url.url)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Kept:
    """A store in memory."""

    def __init__(self, error: Exception | None = None) -> None:
        self.pages: dict[str, tuple[Page, bytes]] = {}
        self.error = error

    def write(self, pages: Sequence[tuple[Page, bytes]]) -> None:
        if self.error:
            raise self.error
        self.pages |= {page.url: (page, body) for page, body in pages}


class Even:
    """A scope of even lengths."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def allows(self, url: str, depth: int) -> bool:
        self.asked.append((url, depth))
        return not url.endswith("/no")


async def test_a_fetcher_answers_pages_and_leaves_others_and_robots_to_the_crawler(site: Site, tmp_path: Path) -> None:
    start, other = site.url("/"), site.page("/other")
    made = Answer(200, b"<a href=/other>on</a><a href=/moved>away</a>", {"Content-Type": "text/html"})
    fetcher = Told({start: made, site.url("/moved"): Answer(302, headers={"Location": "/target"})})
    site.page("/target")

    async with Crawler(EAGER, out=tmp_path, fetcher=fetcher) as crawler:
        pages = {page.url: page async for page in crawler.run(start)}

    assert {url: page.outcome for url, page in pages.items()} == {
        start: Outcome.OK,
        other: Outcome.OK,
        site.url("/moved"): Outcome.REDIRECT,
        site.url("/target"): Outcome.OK,
    }
    assert await pages[start].body() == made.body
    assert sorted(site.requests) == ["/other", "/target"]
    assert site.robots_requests == 1
    assert site.url("/robots.txt") not in fetcher.asked


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ValueError("the browser is gone"), Outcome.FETCH_FAILED),
        (TimeoutError(), Outcome.TOTAL_TIMEOUT),
        (Answer(404), Outcome.HTTP_CLIENT_ERROR),
        (Answer(99), Outcome.FETCH_FAILED),
        (Answer(200, "text"), Outcome.FETCH_FAILED),  # type: ignore[arg-type]
        ("answer", Outcome.FETCH_FAILED),
        (Answer(200, b"x" * 2000), Outcome.TOO_LARGE),
        (Answer(200, b"fine", {"content-encoding": "gzip", "x": "a\r\nb: c"}), Outcome.OK),
    ],
)
async def test_whatever_a_fetcher_does_ends_its_own_page(answer: Any, outcome: Outcome, site: Site) -> None:
    config = msgspec.structs.replace(
        EAGER, fetch=Fetch(allow_private="always", backoff=0.01, attempts=2, max_body=1000, concurrency=4)
    )
    async with Crawler(config, out=None, fetcher=Told({site.url("/"): answer})) as crawler:
        pages = [page async for page in crawler.run(site.url("/"))]

    assert [page.outcome for page in pages] == [outcome]


async def test_a_store_is_given_every_page_with_its_body_decoded(site: Site) -> None:
    start = site.page("/", links=("/packed", "/gone"))
    packed = site.put("/packed", 200, b"unpacked", {"Content-Type": "text/plain"}, coding="gzip")
    store = Kept()

    await crawl(start, config=EAGER, out=None, store=store)

    assert {url: body for url, (_, body) in store.pages.items()} == {
        start: site.answers["/"].payload,
        packed: b"unpacked",
        site.url("/gone"): b"not found\n",
    }


async def test_a_store_that_raises_ends_the_crawl_and_what_it_did_not_take_is_still_queued(
    site: Site, tmp_path: Path
) -> None:
    start = site.page("/")
    with pytest.raises(UsageError, match="your store raised OSError: no room"):
        await crawl(start, config=EAGER, out=tmp_path, store=Kept(OSError("no room")))
    store = Kept()

    report = await crawl(start, config=EAGER, out=tmp_path, store=store)

    assert (report.totals.done, list(store.pages)) == (1, [start])


async def test_a_scope_is_asked_once_about_each_url_that_the_settings_take_in(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/yes", "/no", "http://127.0.0.9/elsewhere"))
    site.page("/yes", links=("/", "/no"))
    scope = Even()

    report = await crawl(start, config=EAGER, out=tmp_path, scope=scope)

    assert scope.asked == [(start, 0), (site.url("/yes"), 1), (site.url("/no"), 1)]
    assert report.totals.by_outcome == {"ok": 2, "out_of_scope": 2}


async def test_a_scope_that_raises_ends_the_crawl(site: Site) -> None:
    class Broken:
        def allows(self, url: str, depth: int) -> bool:
            raise ConnectionError(f"no database for {url} at {depth}")

    with pytest.raises(UsageError, match="your scope raised ConnectionError: no database"):
        await crawl(
            site.page("/"), config=msgspec.structs.replace(EAGER, scope=Scope(rule="any")), out=None, scope=Broken()
        )
