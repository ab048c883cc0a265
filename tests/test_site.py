from __future__ import annotations

import asyncio
import gzip
import http.client
import threading
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import brotli
import pytest

from crawler.testing.answers import Coding, zstd
from crawler.testing.site import Request, Site
from tests.conftest import EAGER

DECODERS: dict[Coding, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def get(client: aiohttp.ClientSession, url: str, **asked: str) -> tuple[int, bytes]:
    headers = {name.replace("_", "-"): value for name, value in asked.items()}
    async with client.get(url, allow_redirects=False, headers=headers) as answer:
        return answer.status, await answer.read()


async def test_a_page_shows_its_title_and_its_links(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/a", links=("/b", "http://other/?x=1&y"), title="A & B")

    status, body = await get(client, url)

    assert status == 200
    assert b"<title>A &amp; B</title>" in body
    assert b'href="/b"' in body
    assert b'href="http://other/?x=1&amp;y"' in body


async def test_what_is_not_there_is_a_404_robots_too(site: Site, client: aiohttp.ClientSession) -> None:
    statuses = [(await get(client, site.url(path)))[0] for path in ("/missing", "/robots.txt")]

    assert statuses == [404, 404]


async def test_robots_are_counted_apart_from_pages(site: Site, client: aiohttp.ClientSession) -> None:
    rules = site.robots("User-agent: *\nDisallow: /")
    page = site.page("/")

    body = (await get(client, rules))[1]
    await get(client, page)

    assert body == b"User-agent: *\nDisallow: /"
    assert site.requests == ["/"]
    assert site.robots_requests == 1
    assert [seen.path for seen in site.log] == ["/robots.txt", "/"]


async def test_a_redirect_keeps_its_target_as_written(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.redirect("/old", "../new#there", status=308)

    async with client.get(url, allow_redirects=False) as answer:
        found = answer.status, answer.headers["Location"]

    assert found == (308, "../new#there")


async def test_a_request_is_noted_with_time_header_peer_and_status(site: Site, client: aiohttp.ClientSession) -> None:
    before = time.monotonic()
    await get(client, site.page("/", status=410), x_note="hello")

    seen = site.log[0]

    assert (seen.path, seen.method, seen.status) == ("/", "GET", 410)
    assert seen.headers["x-note"] == "hello"
    assert seen.peer[0] == "127.0.0.1"
    assert before < seen.at < time.monotonic()


async def test_a_connection_serves_many_requests(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/")

    for _ in range(3):
        await get(client, url)

    assert len({seen.peer for seen in site.log}) == 1


async def test_a_head_request_gets_no_body(site: Site) -> None:
    site.file("/f", b"12345")
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(b"HEAD /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    raw = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert raw.endswith(b"Content-Length: 5\r\n\r\n")


async def test_http_1_0_closes_the_connection(site: Site) -> None:
    site.file("/f", b"12345")
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(b"GET /f HTTP/1.0\r\n\r\n")

    raw = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert raw.endswith(b"\r\n\r\n12345")


@pytest.mark.parametrize("line", [b"nonsense\r\n\r\n", b"\r\n\r\n", b"GET /" + b"a" * 300_000])
async def test_what_is_no_http_is_hung_up_on(site: Site, line: bytes) -> None:
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(line)

    try:
        raw = await reader.read()
    except ConnectionResetError:
        raw = b""
    writer.transport.abort()

    assert raw == b""
    assert site.log == []


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 5001])
async def test_a_body_in_chunks_arrives_whole(site: Site, client: aiohttp.ClientSession, size: int) -> None:
    url = site.file("/f", b"x" * size, chunked=True)

    async with client.get(url) as answer:
        body = await answer.read()

    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert body == b"x" * size


@pytest.mark.parametrize("coding", DECODERS)
async def test_a_coded_body_decodes_to_the_page(site: Site, client: aiohttp.ClientSession, coding: Coding) -> None:
    url = site.file("/f", b"again and " * 99, coding=coding)

    async with client.get(url) as answer:
        body = await answer.read()

    assert answer.headers["Content-Encoding"] == coding
    assert body == site.answers["/f"].payload
    assert DECODERS[coding](body) == b"again and " * 99


async def test_failures_are_answered_first_and_then_the_page(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/", fail_times=[503, (429, "7")])

    async with client.get(url) as first, client.get(url) as second, client.get(url) as third:
        found = [(answer.status, answer.headers.get("Retry-After")) for answer in (first, second, third)]

    assert found == [(503, None), (429, "7"), (200, None)]
    assert [seen.status for seen in site.log] == [503, 429, 200]


async def test_an_unchanged_page_is_not_sent_again(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/", headers={"ETag": '"one"'})

    same = await get(client, url, If_None_Match='"one"')
    other = await get(client, url, If_None_Match='"two"')

    assert same == (304, b"")
    assert other[0] == 200


async def test_a_slow_page_waits_for_its_event(site: Site, client: aiohttp.ClientSession) -> None:
    leave = asyncio.Event()
    url = site.page("/", slow=leave)

    fetches = [asyncio.create_task(get(client, url)) for _ in range(2)]
    await site.seen(2)
    answered_early = [fetch.done() for fetch in fetches]
    leave.set()
    statuses = [(await fetch)[0] for fetch in fetches]

    assert answered_early == [False, False]
    assert statuses == [200, 200]
    assert site.most_at_once == 2


async def test_a_page_slow_by_seconds_still_answers(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/", slow=0.001)

    status, _ = await get(client, url)

    assert status == 200


async def test_a_dropped_request_gets_no_answer(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/", drop=True)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await get(client, url)

    # aiohttp asks once more on a fresh connection
    assert {seen.status for seen in site.log} == {0}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_truncated_body_ends_early(site: Site, chunked: bool) -> None:  # noqa: FBT001  # a parameter of pytest's
    site.file("/f", b"0123456789", truncate=4, chunked=chunked)
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(b"GET /f HTTP/1.1\r\n\r\n")

    raw = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert raw.partition(b"\r\n\r\n")[2] == (b"4\r\n0123\r\n" if chunked else b"0123")


@pytest.mark.parametrize("cut", [{}, {"truncate": 3}])
async def test_a_reset_is_no_orderly_end(site: Site, cut: dict[str, Any]) -> None:
    site.file("/f", b"0123456789", reset=True, **cut)
    reader, writer = await asyncio.open_connection(site.host, site.port)
    writer.write(b"GET /f HTTP/1.1\r\n\r\n")

    with pytest.raises(ConnectionResetError):
        await reader.read()

    writer.transport.abort()


async def test_sites_stand_on_several_addresses(
    sites: Callable[..., Awaitable[Site]], client: aiohttp.ClientSession
) -> None:
    first = await sites()
    second = await sites("127.0.0.2", first.port)

    await get(client, second.page("/there"))

    assert second.url("/there") == f"http://127.0.0.2:{first.port}/there"
    assert (first.requests, second.requests) == ([], ["/there"])


async def test_a_site_forgets_what_it_saw_but_not_its_pages(site: Site, client: aiohttp.ClientSession) -> None:
    url = site.page("/")
    await get(client, url)

    site.forget()
    nothing = list(site.log)
    status, _ = await get(client, url)

    assert nothing == []
    assert status == 200


async def test_closing_does_not_wait_for_a_client_that_stays(client: aiohttp.ClientSession) -> None:
    async with Site() as site:
        fetch = asyncio.create_task(get(client, site.page("/", slow=asyncio.Event())))
        await site.seen(1)

    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch


def test_the_default_port_is_not_written() -> None:
    assert Site("127.0.0.5", 80).url("/a") == "http://127.0.0.5/a"


def test_a_site_that_is_closed_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="no port"):
        Site().url("/")


def test_a_site_in_a_thread_serves_a_test_that_blocks() -> None:
    arrived = threading.Event()
    seen: list[Request] = []

    with Site().serve_in_thread() as site:
        site.listeners += [seen.append, lambda _: arrived.set()]
        site.page("/", title="hello")
        connection = http.client.HTTPConnection(site.host, site.port, timeout=10)
        connection.request("GET", "/")
        body = connection.getresponse().read()
        connection.close()

    assert arrived.is_set()
    assert seen == site.log
    assert b"hello" in body


async def test_a_canned_reply_needs_no_socket(canned: Any, client: aiohttp.ClientSession) -> None:
    canned.get("http://nowhere.test/", status=202, body=b"as told")

    answer = await get(client, "http://nowhere.test/")

    assert answer == (202, b"as told")


def test_an_eager_crawl_waits_for_nothing() -> None:
    assert EAGER.politeness.delay == 0
    assert EAGER.fetch.allow_private == "always"
