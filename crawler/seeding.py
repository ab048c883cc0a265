"""Seeds as they come, from a list or from a source that has to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from itertools import islice

from crawler.bell import Bell

_AT_ONCE = 1_000


async def seed_batches(seeds: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[list[str]]:
    """Take seeds a thousand at a time, or fewer where their source has to be waited for."""
    if not isinstance(seeds, AsyncIterable):
        rest = iter(seeds)
        while batch := list(islice(rest, _AT_ONCE)):
            yield batch
        return
    waiting: list[str] = []
    arrived, taken = Bell(), Bell()

    async def read() -> None:
        async for seed in seeds:
            waiting.append(seed)
            arrived.ring()
            if len(waiting) >= _AT_ONCE:
                await taken.wait()

    reader = asyncio.get_running_loop().create_task(read())
    reader.add_done_callback(lambda _: arrived.ring())
    try:
        while not reader.done() or waiting:
            await arrived.wait()
            batch, waiting[:] = waiting[:], []
            taken.ring()
            if batch:
                yield batch
        await reader
    finally:
        reader.cancel()
        await asyncio.wait([reader])
