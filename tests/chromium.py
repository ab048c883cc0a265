"""A real browser, without a window: what a person would see of a page, asked over Chromium's own protocol.

Source: the Chrome DevTools Protocol, domains Page, Runtime, Log, Network and Emulation.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60.0
"""Seconds that the browser may take to start, or to answer."""
_FLAGS = (
    "--headless",
    "--no-sandbox",  # root, in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)

_LISTENS = re.compile(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/").search
"""What the browser says on standard error when it can be asked."""

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here; .ci/run installs it where it can be had")


@dataclass(slots=True)
class Tab:
    """One page of the browser, and what it complained of."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    """Messages on the console, and errors of scripts."""
    requests: list[str] = field(default_factory=list)
    """URLs that were asked for."""
    _number: int = 0

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command, and return its answer."""
        self._number += 1
        await self.socket.send_json({"id": self._number, "method": method, "params": parameters})
        return await self._until(lambda message: message.get("id") == self._number)

    async def open(self, url: str, *, width: int = 1000, scheme: str = "light") -> None:
        """Load a page into a window of so many pixels, with a preference for light or dark."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.ask(f"{domain}.enable")
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await self.ask("Page.navigate", url=url)
        await self._until(lambda message: message.get("method") == "Page.loadEventFired")

    async def value(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")

    async def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        answer = await self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["result"]["data"])

    async def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self.socket.receive_json(timeout=PATIENCE)
            self._note(message)
            if wanted(message):
                return message

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
            self.complaints.append(str(told))


@contextlib.asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """Start a browser with an empty profile, and end it and all that it started."""
    browser = await _start(profile)
    assert browser.stderr is not None
    rest: asyncio.Task[bytes] | None = None
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
            port = await _port(browser.stderr)
            rest = asyncio.create_task(browser.stderr.read())  # or the browser would wait for somebody to listen
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                target = next(one for one in await answer.json() if one["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=1 << 28) as socket:
                yield Tab(socket)
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
        if rest is not None:
            await rest


async def _start(profile: Path) -> asyncio.subprocess.Process:
    assert PROGRAM is not None
    environment = {**os.environ, "HOME": str(profile), "XDG_RUNTIME_DIR": str(profile)}
    command = [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    nobody, us = subprocess.DEVNULL, subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=nobody, stdout=nobody, stderr=us, start_new_session=True
    )


async def _port(said: asyncio.StreamReader) -> int:
    """Return the port at which the browser listens, as soon as it tells."""
    async for line in said:
        if found := _LISTENS(line):
            return int(found[1])
    raise AssertionError("the browser has ended")
