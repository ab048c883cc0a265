from __future__ import annotations

import gzip
import http.client
import re
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser

import ada_url
import brotli
import pytest

from crawler.testing.answers import Answer
from crawler.testing.site import Site, serve_in_thread
from tests.graph import Web
from tests.nodes import BEYOND, CLOSED, Kind

SEEDS = range(4)
DECODE = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress, None: bytes}


class Links(HTMLParser):
    """What a document leads to, read by a parser and a URL library that the crawler does not use in this way."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.base, self.found = url, set[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        href = dict(attributes).get("href") or ""
        if tag == "base":
            self.base = href
        elif tag == "a":
            self.found.add(ada_url.join_url(self.base, href).partition("#")[0])


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[list[Site], Site]]:
    sites, beyond = [Site(f"127.0.0.{number}") for number in (1, 2, 3)], Site("127.0.0.9")
    with serve_in_thread(*sites, beyond):
        yield sites, beyond


@pytest.fixture(params=SEEDS)
def web(request: pytest.FixtureRequest, places: tuple[list[Site], Site]) -> Web:
    web = Web.make(request.param, pages=90)
    web.install(*places)
    return web


def fetch(url: str) -> tuple[int, str, str, bytes]:
    """Return status, type, target and decoded body."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", f"/{path}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status == 503:
        return fetch(url)
    coding = answer.headers["Content-Encoding"]
    return answer.status, answer.headers["Content-Type"] or "", answer.headers["Location"] or "", DECODE[coding](body)


def crawl(web: Web) -> dict[str, int]:
    """Crawl as simply as can be, and return the status of each URL."""
    found: dict[str, int] = {}
    ahead = web.fronts
    origins = tuple(site.origin + "/" for site in web.sites)
    while ahead:
        url = ahead.pop()
        if url in found or not url.startswith(origins) or (web.obey and CLOSED in url):
            continue
        status, mime, target, body = fetch(url)
        found[url] = status
        if target:
            ahead.append(ada_url.join_url(url, target).partition("#")[0])
        elif status == 200 and mime.startswith("text/html"):
            ahead += Links(url, body.decode()).found
    return found


def test_the_closure_is_what_a_plain_crawl_finds(web: Web) -> None:
    found = crawl(web)

    assert set(found) == web.closure()
    assert {url for url, status in found.items() if status == 200} == set(web.bodies)


def test_a_plain_crawl_that_obeys_robots_finds_the_smaller_closure(places: tuple[list[Site], Site]) -> None:
    web = Web.make(3, pages=90, obey=True)
    web.install(*places)

    found = crawl(web)

    assert set(found) == web.closure()
    assert not any(CLOSED in url for url in found)
    assert any(node.closed for node in web.nodes)


def test_the_site_sends_the_payloads_of_the_truth(web: Web) -> None:
    for url, payload in web.bodies.items():
        path = re.sub("^http://[^/]*", "", url)
        (site,) = (site for site in web.sites if url == site.url(path))
        coding = site.answers[path].headers.get("Content-Encoding")

        assert fetch(url)[3] == DECODE[coding](payload)


def test_the_same_seed_makes_the_same_web_and_another_another() -> None:
    first, again, other = Web.make(7), Web.make(7), Web.make(8)

    assert first == again
    assert first.nodes != other.nodes


def test_installing_again_makes_failures_due_again(places: tuple[list[Site], Site]) -> None:
    web = Web.make(1, pages=100)
    web.install(*places)
    before = dict(web.bodies)
    crawl(web)
    crawled = [request.status for site in web.sites for request in site.log]

    web.install(*places)
    crawl(web)

    assert 503 in crawled
    assert sorted(request.status for site in web.sites for request in site.log) == sorted(crawled)
    assert web.bodies == before


def test_a_web_holds_all_that_it_promises() -> None:
    webs = [Web.make(seed, pages=120) for seed in range(12)]
    nodes = [node for web in webs for node in web.nodes]

    assert {node.kind for node in nodes} == set(Kind)
    assert {node.status for node in nodes} == {200, 301, 302, 303, 307, 308, 403, 404, 410}
    assert {name for node in nodes for name in node.faults} == {"fail_times", "slow", "chunked", "coding"}
    assert any(web.nodes[to].kind is Kind.REDIRECT for web in webs for to in targets(web) if to != BEYOND)
    assert any(to == BEYOND for web in webs for to in targets(web))
    assert any(number not in web._reached() for web in webs for number in range(len(web.nodes)))
    assert all(len({node.path for node in web.nodes}) == len(web.nodes) - web.hosts + 1 for web in webs)


def targets(web: Web) -> list[int]:
    return [node.links[0] for node in web.nodes if node.kind is Kind.REDIRECT]


def test_twins_share_their_bytes_and_links_under_two_urls(places: tuple[list[Site], Site]) -> None:
    web = Web.make(2, pages=200)
    web.install(*places)
    twins = [(number, node.twin) for number, node in enumerate(web.nodes) if node.kind is Kind.TWIN]

    same = [answer(web, one).payload == answer(web, other).payload for one, other in twins]

    assert len(same) > 5
    assert all(same)
    assert all(web.url(one) != web.url(other) for one, other in twins)


def answer(web: Web, number: int) -> Answer:
    node = web.nodes[number]
    return web.sites[node.host].answers[node.path]
