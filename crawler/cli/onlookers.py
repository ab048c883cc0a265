"""Those who look on while a crawl runs: the live line, the page over HTTP, the file of metrics."""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from crawler.cli.arguments import Arguments
from crawler.cli.console import say
from crawler.errors import UsageError

if TYPE_CHECKING:
    from crawler.api import Crawler
    from crawler.cluster.crawl import SharedCrawler
    from crawler.report.report import Report
    from crawler.serve.metrics_file import MetricsFile


class Onlookers:
    """All that were asked for. What each needs is imported only then.

    Raises (when made):
        UsageError: there can be no such file of metrics.
    """

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._file: MetricsFile | None = None
        path = arguments.metrics_file
        if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK)):
            raise UsageError(f"--metrics-file: {path} cannot be written")

    async def join(self, crawler: Crawler | SharedCrawler, opened: AsyncExitStack) -> None:
        """Let them look at a crawl until ``opened`` is closed."""
        arguments = self._arguments
        if arguments.serve is not None:
            from crawler.serve.server import Server  # noqa: PLC0415  -- aiohttp's server, and Prometheus' client

            server = await opened.enter_async_context(Server(arguments.serve, crawler.so_far, crawler.progress))
            if not arguments.quiet:
                say(f"the crawl can be looked at under {server.address.url}")
        if arguments.metrics_file is not None:
            from crawler.serve.metrics_file import MetricsFile  # noqa: PLC0415  -- the same client

            self._file = MetricsFile(arguments.metrics_file, crawler.so_far, crawler.progress, warn=say)
            await opened.enter_async_context(self._file)
        if not arguments.quiet:
            from crawler.report.live import Live  # noqa: PLC0415

            await opened.enter_async_context(Live(crawler.progress, sys.stderr))

    def end(self, report: Report | None, code: int) -> None:
        """Tell those who stay how the command ended."""
        if self._file is not None:
            self._file.end(report, code)
