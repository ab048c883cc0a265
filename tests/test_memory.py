"""What bombs and many large bodies take of memory, read where the kernel keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from crawler.api import Crawler
from crawler.core.outcomes import Outcome
from crawler.testing.answers import zstd
from crawler.testing.hostile import Play, Scenario, Stage, Talk, answers, head
from crawler.testing.site import Site, serve_in_thread
from tests.clients import CLIENTS, Client
from tests.test_supervisor import changed, children

MIB = 1 << 20
SIZE = 256
"""MiB of zeros in each bomb: eight times what a page may unpack to."""
MOST = 64
"""MiB that a bomb may take of a worker: twice what a page may unpack to."""


def _packed(compress: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> bytes:
    return b"".join([*(compress(bytes(MIB)) for _ in range(SIZE)), finish()])


PACKED = ("gzip", "br", "zstd")


def bombs() -> dict[str, bytes]:
    gzip, br, zs = zlib.compressobj(1, zlib.DEFLATED, 31), brotli.Compressor(quality=1), zstd.ZstdCompressor()
    return {
        "gzip": _packed(gzip.compress, gzip.flush),
        "br": _packed(br.process, br.finish),
        "zstd": _packed(zs.compress, zs.flush),
    }


@pytest.fixture
def web() -> Iterator[Site]:
    with serve_in_thread(site := Site()):
        for coding, body in bombs().items():
            site.put(f"/{coding}", 200, body, {"Content-Type": "text/html", "Content-Encoding": coding})
        site.page("/", links=[f"/{coding}" for coding in PACKED] + ["/last"])
        site.page("/last", slow=1.0)  # so that the worker is still there when the bombs have been told of
        yield site


def peak() -> int:
    """Return the most bytes that a living parse worker has had in memory so far."""
    return max(map(peak_of, children()), default=0)


def peak_of(pid: int) -> int:
    """Return the most bytes that a process has had in memory so far; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), default=0)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read the memory from")
async def test_a_bomb_takes_no_more_memory_than_it_may_unpack_to_twice(web: Site, tmp_path: Path) -> None:
    ended, peaks = dict[str, str](), list[int]()
    async with Crawler(changed(parse={"workers": 1}), out=tmp_path) as crawler:
        async for page in crawler.run([web.url("/")]):
            ended[page.url.rpartition("/")[2]] = page.outcome.value
            peaks.append(peak())

    bombs_ended = {name: ended.pop(name) for name in PACKED}
    assert set(bombs_ended.values()) == {"decompressed_too_large"}
    assert ended == {"": "ok", "last": "ok"}
    assert min(peaks[: len(PACKED)]) > 0
    assert max(peaks) - peaks[0] < MOST * MIB


LARGE = 8 * MIB
LARGE_ONES, SLOW_ONES = 24, 8
"""Hosts that send a body of 8 MiB as fast as it is taken, and hosts that send one of 1 MiB and take their time."""
AT_ONCE = """
[fetch]
client = "{client}"
memory = "8MiB"
max_body = "8MiB"
allow_private = "always"
concurrency = 64
[politeness]
robots = "ignore"
[parse]
workers = 1
"""
_PIECE = bytes(64 * 1024)


async def sends_much(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Content-Type": "application/octet-stream", "Content-Length": str(LARGE)}))
    for _ in range(LARGE // len(_PIECE)):
        await talk.say(_PIECE)


async def sends_slowly(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Content-Type": "application/octet-stream", "Content-Length": str(MIB)}))
    for number in range(MIB // len(_PIECE)):
        await asyncio.sleep(0.2 if number > 8 else 0.0)  # slowness is what is tested
        await talk.say(_PIECE)


def options(client: Client, folder: Path) -> list[str]:
    """Write the settings of a crawl into its folder, and return what follows the seeds."""
    folder.mkdir()
    settings = folder / "settings.toml"
    settings.write_text(AT_ONCE.format(client=client), encoding="utf-8")
    return ["-o", str(folder / "out"), "--config", str(settings), "-q"]


async def crawled(client: Client, folder: Path, *plays: Play) -> tuple[list[dict[str, Any]], int]:
    """Crawl a host for each play, all at once; return the page log, and the most bytes that the main process took."""
    async with contextlib.AsyncExitStack() as opened:
        urls = []
        for number, play in enumerate(plays):
            stage = Stage(Scenario(0, str(number), "sends a body", Outcome.OK, play=play))
            urls.append((await opened.enter_async_context(stage)).url)
        command = [sys.executable, "-m", "crawler", *urls, *options(client, folder)]
        crawl = await asyncio.create_subprocess_exec(*command)
        ended, most = asyncio.ensure_future(crawl.wait()), 0
        while not ended.done():
            most = max(most, peak_of(crawl.pid))
            await asyncio.wait([ended], timeout=0.02)
    assert crawl.returncode == 0
    return [json.loads(line) for line in (folder / "out" / "pages.jsonl").read_text().splitlines()], most


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read the memory from")
@pytest.mark.parametrize("client", CLIENTS)
async def test_large_bodies_that_come_at_once_take_turns(client: Client, tmp_path: Path) -> None:
    """Without a bound they take 230 MiB more than one small page does."""
    _, alone = await crawled(client, tmp_path / "alone", answers())
    lines, together = await crawled(
        client, tmp_path / "together", *[sends_much] * LARGE_ONES, *[sends_slowly] * SLOW_ONES
    )

    sizes = Counter((line["outcome"], line["wire_size"]) for line in lines)
    assert sizes == {("ok", LARGE): LARGE_ONES, ("ok", MIB): SLOW_ONES}
    assert alone > 0
    assert together - alone < 128 * MIB
