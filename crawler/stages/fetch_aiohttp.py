"""LOOP: CrawlURL → Fetched, by aiohttp."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from yarl import URL

from crawler.config import Fetch
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL
from crawler.core.url import host_key
from crawler.net.exchange import Exchange
from crawler.net.room import Room
from crawler.net.session import Session
from crawler.net.session_failures import failure
from crawler.net.wire import Wire, current
from crawler.stages.fetch import Answer, ByClient, conditions


class HttpFetcher(ByClient):
    """Fetch by aiohttp; a :class:`~crawler.stages.fetch.Fetcher`.

    Args:
        session: the client, already open.
        settings: deadlines and caps.
        room: where large bodies are counted while they come.
        max_retry_after: seconds; a longer Retry-After is cut to this.
    """

    def __init__(self, session: Session, settings: Fetch, room: Room, *, max_retry_after: float) -> None:
        super().__init__(settings, room, max_retry_after=max_retry_after)
        self._session = session

    async def _ask(self, source: CrawlURL, exchange: Exchange, answer: Answer) -> None:
        token, asked = current.set(exchange), conditions(source)
        try:
            response = await self._session.get(source, exchange, asked)
            try:
                self._head(answer, response, exchange, asked)
                await self._body(answer, response)
            finally:
                response.close()
        finally:
            current.reset(token)

    def _failure(self, error: Exception, exchange: Exchange) -> tuple[Outcome, str]:
        return failure(error, exchange)

    def _head(
        self, answer: Answer, response: aiohttp.ClientResponse, exchange: Exchange, asked: Mapping[str, str]
    ) -> None:
        wire, url = exchange.line, response.url
        assert isinstance(wire, Wire)  # noqa: S101  there is no answer without a connection
        line = f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {_host(url)}\r\n"
        line += "".join(f"{name}: {value}\r\n" for name, value in asked.items())
        answer.request = line.encode() + self._session.headers.tail(host_key(answer.source.url))
        head = wire.take_head() or _rebuilt_head(response)
        answer.headed(self._clock(), response.status, response.reason or "", head)

    async def _body(self, answer: Answer, response: aiohttp.ClientResponse) -> None:
        content, clock = response.content, self._clock
        if answer.refuses(response.content_length or 0):
            return
        if not content.is_eof():
            answer.expect_more(clock())
        while chunk := await content.readany():
            if not answer.take(chunk):
                return
            if not content.is_eof():
                answer.expect_more(clock())


def _host(url: URL) -> str:
    host = url.host_port_subcomponent
    return host or ""


def _rebuilt_head(response: aiohttp.ClientResponse) -> bytes:
    """Write the header anew where its bytes were too irregular to be told from the body."""
    version = response.version or aiohttp.HttpVersion11
    status = f"HTTP/{version.major}.{version.minor} {response.status} {response.reason or ''}".encode(
        "latin-1", "replace"
    )
    return b"\r\n".join([status, *(name + b": " + value for name, value in response.raw_headers), b"", b""])
