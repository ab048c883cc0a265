"""What bombs take of memory, read where the kernel keeps it, at the settings that everybody has."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import brotli
import pytest

from crawler.api import Crawler
from crawler.testing.answers import zstd
from crawler.testing.site import Site, serve_in_thread
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
    found = [0]
    for pid in children():
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        except OSError:  # it has ended
            continue
        found += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(found)


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
