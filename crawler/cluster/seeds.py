"""Deals the seeds of a shared crawl out to the shards that own them.

What a shard has been dealt is remembered until the shard would have it even after the loss of its folder;
if it dies before, it is dealt the same seeds once more, which does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from crawler.cluster.courier import AGAIN
from crawler.cluster.link import Look, Part, Sown, Unreachable
from crawler.core.shards import Territory
from crawler.core.tally import Tally
from crawler.core.url import seed_url
from crawler.seeding import seed_batches

T = TypeVar("T")

MOST_UNKEPT = 100_000
"""Seeds of one shard that are remembered, before it is asked to keep them and no more are dealt until it has."""


@dataclass(slots=True)
class _Dealt:
    """Seeds that a shard knows."""

    urls: Sequence[str]
    sown: Sown


class DealSeeds:
    """Deals out the seeds of one run.

    Args:
        parts: the shards, by their numbers.
        territory: what belongs to which.
        until: whether the crawl is to end.
    """

    def __init__(self, parts: Sequence[Part], territory: Territory, until: Callable[[], bool]) -> None:
        self._parts = parts
        self._territory = territory
        self._ends = until
        self._dealt: list[list[_Dealt]] = [[] for _ in parts]
        self._looks: Sequence[Look | None] = [None] * len(parts)
        self.tally = Tally()
        self.sown = False
        """Whether all shards have been told that no more seeds will come."""

    @property
    def kept(self) -> bool:
        """Whether no loss of a folder could make a shard forget a seed."""
        return not any(self._dealt)

    def see(self, looks: Sequence[Look | None]) -> None:
        """Take note of a wave: forget the seeds that are kept."""
        self._looks = looks
        for shard, look in enumerate(looks):
            if look is not None:
                self._dealt[shard] = [one for one in self._dealt[shard] if not _keeps(look, one.sown)]

    async def deal(self, seeds: Iterable[str] | AsyncIterable[str]) -> None:
        """Deal out all seeds, and again those that were lost, until all are kept or the crawl is to end."""
        async for some in seed_batches(seeds):
            by_owner: dict[int, list[str]] = {}
            for seed in some:
                try:
                    url = seed_url(seed)
                except ValueError as error:
                    self.tally.bad_seed(str(error))
                else:
                    by_owner.setdefault(self._territory.owner(url), []).append(url)
            await asyncio.gather(*(self._deal(owner, urls) for owner, urls in by_owner.items()))
            await asyncio.gather(*map(self._have_room, range(len(self._parts))))
        await asyncio.gather(*(self._until_heard(part.all_sown) for part in self._parts))
        self.sown = True
        while not (self.kept or self._ends()):
            await self._deal_lost()
            await asyncio.sleep(AGAIN)

    async def _deal(self, owner: int, urls: Sequence[str]) -> None:
        sown = await self._until_heard(partial(self._parts[owner].sow, urls))
        if sown is not None:
            self.tally.sown(len(urls), sown.known, {})
            self._dealt[owner].append(_Dealt(urls, sown))

    async def _have_room(self, owner: int) -> None:
        while sum(len(one.urls) for one in self._dealt[owner]) > MOST_UNKEPT and not self._ends():
            await self._deal_lost()
            await self._until_heard(self._parts[owner].keep)
            await asyncio.sleep(AGAIN)

    async def _deal_lost(self) -> None:
        """Deal those seeds again whose shard is another process by now, which may have been brought back."""
        for owner, look in enumerate(self._looks):
            for one in self._dealt[owner]:
                if look is not None and one.sown.process != look.process:
                    sow = partial(self._parts[owner].sow, one.urls)
                    one.sown = await self._until_heard(sow) or one.sown

    async def _until_heard(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make a call again and again until it is answered; None if the crawl is to end."""
        while not self._ends():
            try:
                return await call()
            except Unreachable:
                await asyncio.sleep(AGAIN)
        return None


def _keeps(look: Look, sown: Sown) -> bool:
    return look.process == sown.process and look.kept >= sown.commits
