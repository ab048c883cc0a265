"""The live page: ``/`` is the report as it stands, ``/metrics`` for Prometheus, ``/healthz`` for whoever watches.

It runs on the crawl's own loop, and changes nothing: only GET and HEAD are answered.
What takes time to make is made once in two seconds at most, however many ask.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from crawler.errors import UsageError
from crawler.executors import Threads
from crawler.report.metrics import metrics
from crawler.report.page.page import html, policy
from crawler.report.report import Progress, Report
from crawler.serve.address import Address

AGAIN = 5
"""Seconds after which a browser asks for the page anew."""
_KEPT = 2.0
"""Seconds for which what was made is given out."""
_LINGER = 1.0
"""Seconds that requests are given when the crawl ends."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_WAITING = b"The crawl has not begun yet.\n"


class Server:
    """Serves a crawl for as long as it is entered.

    Args:
        address: where to listen.
        so_far: the run as a report; None while it has not begun.
        progress: the run at this moment.

    Raises (on entering):
        UsageError: nothing can listen there.
    """

    def __init__(self, address: Address, so_far: Callable[[], Report | None], progress: Callable[[], Progress]) -> None:
        self.address = address
        """Where it listens; the port is the real one once it is entered."""
        self._so_far = so_far
        self._progress = progress
        self._making = asyncio.Lock()
        self._made: dict[str, tuple[float, bytes]] = {}
        application = web.Application(middlewares=[self._guard], client_max_size=0)
        application.router.add_get("/", self._page)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._health)
        self._runner = web.AppRunner(
            application, handle_signals=False, access_log=None, shutdown_timeout=_LINGER, keepalive_timeout=2 * AGAIN
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        self._thread = Threads("page", 1)
        try:
            site = web.TCPSite(self._runner, self.address.host, self.address.port)
            await site.start()
        except OSError as error:
            await self._close()
            why = error.strerror or str(error)
            raise UsageError(f"--serve: cannot listen at {self.address.url} ({why})") from error
        self.address = Address(self.address.host, self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._runner.cleanup()
        self._thread.close()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse whoever means another host, and put the headers on that every answer has."""
        if not self.address.answers_to(request.headers.get("Host", "")):
            response: web.StreamResponse = web.Response(status=421, text="This is not the host that was asked for.\n")
        else:
            try:
                response = await handler(request)
            except web.HTTPException as refusal:
                response = web.Response(status=refusal.status, text=f"{refusal.status} {refusal.reason}\n")
        response.headers.update(_HEADERS)
        return response

    async def _page(self, _: web.Request) -> web.Response:
        body = await self._once("page", lambda report: html(report, every=AGAIN))
        if body is None:
            return web.Response(status=503, body=_WAITING, headers={"Retry-After": "1"})
        return web.Response(body=body, content_type="text/html", charset="utf-8")

    async def _metrics(self, _: web.Request) -> web.Response:
        progress = self._progress()
        body = await self._once("metrics", lambda report: metrics(report, progress=progress))
        if body is None:
            return web.Response(status=503, body=_WAITING, headers={"Retry-After": "1"})
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _health(self, _: web.Request) -> web.Response:
        """Answer 200 while the crawl goes on: that there is an answer says that its loop is alive."""
        stopping = self._progress().stopping
        return web.Response(status=503 if stopping else 200, text="stopping\n" if stopping else "ok\n")

    async def _once(self, what: str, make: Callable[[Report], bytes]) -> bytes | None:
        """Return what was made a moment ago, or make it, in a thread: 30 ms that the loop is not to stand still."""
        async with self._making:
            now = time.monotonic()
            at, body = self._made.get(what, (0.0, b""))
            if body and now - at < _KEPT:
                return body
            report = self._so_far()
            if report is None:
                return None
            body = await self._thread(make, report)
            self._made[what] = (now, body)
            return body
