"""The live page over real sockets, asked by aiohttp's client and by bare bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from crawler.errors import UsageError
from crawler.report.report import Ending, Progress, Report
from crawler.serve.address import Address
from crawler.serve.server import Server
from tests.report.samples import DRAWN

RUNNING = msgspec.structs.replace(DRAWN, ending=Ending.RUNNING)


class Crawl:
    """What the server is told."""

    def __init__(self) -> None:
        self.report: Report | None = RUNNING
        self.stopping = False
        self.asked = 0

    def so_far(self) -> Report | None:
        self.asked += 1
        return self.report

    def progress(self) -> Progress:
        return Progress(in_flight=7, hosts_ready=3, stopping=self.stopping)


@pytest.fixture
def crawl() -> Crawl:
    return Crawl()


@pytest.fixture
async def server(crawl: Crawl) -> AsyncIterator[Server]:
    async with Server(Address("127.0.0.1", 0), crawl.so_far, crawl.progress) as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


async def test_the_page_is_the_report_as_it_stands_and_is_asked_for_again(
    server: Server, client: aiohttp.ClientSession
) -> None:
    async with client.get(server.address.url) as answer:
        page = await answer.text()

    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert '<meta http-equiv="refresh" content="5">' in page
    assert '<p class="ending fair">Running' in page
    assert "please report it" not in page


async def test_every_answer_says_that_nothing_may_run_and_nobody_may_frame_it(
    server: Server, client: aiohttp.ClientSession
) -> None:
    for path in ("", "metrics", "healthz", "nowhere"):
        async with client.get(server.address.url + path) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"


async def test_the_metrics_are_read_by_the_official_parser(server: Server, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{server.address.url}metrics") as answer:
        families = {one.name: one for one in text_string_to_metric_families(await answer.text())}

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert families["crawler_running"].samples[0].value == 1
    assert families["crawler_pages_in_flight"].samples[0].value == 7


async def test_it_is_healthy_until_it_stops(server: Server, client: aiohttp.ClientSession, crawl: Crawl) -> None:
    async with client.get(f"{server.address.url}healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")

    crawl.stopping = True

    async with client.get(f"{server.address.url}healthz") as answer:
        assert (answer.status, await answer.text()) == (503, "stopping\n")


async def test_before_the_crawl_has_begun_it_asks_for_patience(
    server: Server, client: aiohttp.ClientSession, crawl: Crawl
) -> None:
    crawl.report = None

    async with client.get(server.address.url) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_however_many_ask_the_page_is_made_once(
    server: Server, client: aiohttp.ClientSession, crawl: Crawl
) -> None:
    async def ask() -> int:
        async with client.get(server.address.url) as answer:
            return answer.status

    assert await asyncio.gather(*(ask() for _ in range(20))) == [200] * 20
    assert crawl.asked <= 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "metrics", "healthz"])
async def test_nothing_can_be_changed(server: Server, client: aiohttp.ClientSession, method: str, path: str) -> None:
    async with client.request(method, server.address.url + path) as answer:
        assert answer.status == 405


async def test_a_name_that_was_bent_to_our_address_is_refused(server: Server, client: aiohttp.ClientSession) -> None:
    async with client.get(server.address.url, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421
        assert "docs.example.org" not in await answer.text()


async def test_bytes_that_are_no_request_end_their_connection_and_nothing_else(
    server: Server, client: aiohttp.ClientSession
) -> None:
    for nonsense in (
        b"\x16\x03\x01\x00\xff" * 50 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\r\n" * 9,
    ):
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        writer.write(nonsense)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 60)
        writer.close()

    async with client.get(f"{server.address.url}healthz") as answer:
        assert answer.status == 200


async def test_a_port_that_is_taken_is_a_mistake_with_a_sentence(server: Server, crawl: Crawl) -> None:
    with pytest.raises(UsageError, match=rf"--serve: cannot listen at http://127\.0\.0\.1:{server.address.port}/ \("):
        async with Server(server.address, crawl.so_far, crawl.progress):
            pass


async def test_who_holds_a_connection_open_does_not_hold_up_the_end(crawl: Crawl) -> None:
    async with Server(Address("127.0.0.1", 0), crawl.so_far, crawl.progress) as server:
        reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: loc")
        await reader.readuntil(b"ok\n")

    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
