"""Carries what waits in the outbox of a shard to the others, and tells them what it has of theirs.

One task looks at the outbox; each other shard is sent one batch at a time, by a task of its own.
Where folders may be lost, each shard is also told how much of its parcels this one has: when this one has been started
again, for then it may have less than before; and after each snapshot, for then it has more for good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec

from crawler.cluster.link import Batch, Peer, Unreachable
from crawler.core.exchange import MOST_URLS, Heard, Receipt, batch, due
from crawler.core.shards import Shard
from crawler.stages.commit import Commit
from crawler.storage.frozen import Frozen

AGAIN = 0.2
"""Seconds until a shard that did not answer is tried again."""
_LOOK_EVERY = 0.05
"""Seconds from one look at the outbox to the next."""


class Courier:
    """Works for one shard in one of its lives.

    Args:
        shard: which.
        peers: the others, by their numbers.
        commit: the door to its journal.
        idle: whether the shard has nothing else to do.
        again: whether it has been started before in this run.
    """

    def __init__(
        self, shard: Shard, peers: Mapping[int, Peer], commit: Commit, idle: Callable[[], bool], *, again: bool
    ) -> None:
        self._shard = shard
        self._peers = peers
        self._commit = commit
        self._idle = idle
        self._again = again
        self._news: dict[int, tuple[int, Receipt]] = {}
        """What each sender is to be told, and of which of its lives."""
        self._kept: dict[int, Heard] = {}
        self._tasks = asyncio.TaskGroup()
        self._told: set[int] = set()
        """Whom a task is telling at this moment."""
        self.exchanged = 0
        """Bytes of parcels sent."""

    async def run(self) -> None:
        """Send and tell, until cancelled."""
        async with self._tasks:
            if self._again and self._commit.life:
                await self._introduce()
            await self._go_on()

    def kept(self, frozen: Frozen) -> None:
        """Tell the senders what a snapshot has of theirs."""
        for sender, heard in frozen.heard.items():
            if self._kept.get(sender) != heard:
                self._kept[sender] = heard
                self._news[sender] = self._news_of(heard, kept=heard.last)

    # telling

    async def _introduce(self) -> None:
        """Tell all others how much this shard has of theirs: a life before it may have had more."""
        heard = await self._commit.heard()
        for sender in set(self._peers) - {self._shard.number}:
            self._news[sender] = self._news_of(heard.get(sender, Heard()), kept=0)

    def _news_of(self, heard: Heard, *, kept: int) -> tuple[int, Receipt]:
        return heard.life, Receipt(self._commit.life, heard.last, kept)

    async def _tell(self, sender: int) -> None:
        while (news := self._news.pop(sender, None)) is not None:
            try:
                await self._peers[sender].told(self._shard.number, self._shard.run, *news)
            except Unreachable:
                self._news.setdefault(sender, news)
                await asyncio.sleep(AGAIN)
        self._told.discard(sender)

    # sending

    async def _go_on(self) -> None:
        began: dict[int, float] = {}
        under_way: dict[int, asyncio.Task[None]] = {}
        while True:
            for sender in set(self._news) - self._told:
                self._told.add(sender)
                self._tasks.create_task(self._tell(sender))
            await asyncio.sleep(_LOOK_EVERY)
            now = time.monotonic()
            for owner, urls in self._waiting().items():
                if not urls:
                    began.pop(owner, None)
                elif not ((task := under_way.get(owner)) and not task.done()):
                    oldest = began.setdefault(owner, now)
                    if not due(urls, oldest, now, idle=self._idle()):
                        del began[owner]
                        under_way[owner] = self._tasks.create_task(self._send(owner))

    def _waiting(self) -> Mapping[int, int]:
        standing = self._commit.standing
        return standing.waiting if standing is not None else {}

    async def _send(self, owner: int) -> None:
        """Send a shard what it has not heard, a batch at a time, until what is left can wait for more."""
        while True:
            after, waiting = await self._commit.parcels(owner)
            if not (parcels := batch(waiting)):
                return
            content = msgspec.msgpack.encode(parcels)
            receipt = await self._delivered(owner, Batch(life=self._commit.life, after=after, parcels=content))
            await self._commit.told(owner, receipt)
            if self._waiting().get(owner, 0) < MOST_URLS:
                return

    async def _delivered(self, owner: int, sent: Batch) -> Receipt:
        """Send a batch again and again until the other shard answers."""
        while True:
            try:
                receipt = await self._peers[owner].receive(self._shard.number, self._shard.run, sent)
            except Unreachable:
                await asyncio.sleep(AGAIN)
            else:
                self.exchanged += len(sent.parcels)
                return receipt
