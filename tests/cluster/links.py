"""Members of a shared crawl in one process, linked by calls that get lost as calls to other machines do."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from crawler.cluster.crawl import Post, SharedCrawler
from crawler.cluster.link import Part, Peer, Unreachable
from crawler.cluster.member import Member
from crawler.config import Config
from crawler.core.manifest import MANIFESTS, manifest_key, newest, read_manifest
from crawler.storage.object_store import ObjectStore


class Lossy:
    """A member, of whose calls some are lost, with their answers or without, and some callers die on the way.

    Args:
        member: which; another one if it was lost, None until there is one.
        chance: for each call; None loses none.
    """

    def __init__(self, member: Member, chance: random.Random | None) -> None:
        self.member: Member | None = member
        self._chance = chance
        self._runs: set[asyncio.Task[Any]] = set()

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(0)
            if self._is_lost(name) or self.member is None:
                raise Unreachable
            run = asyncio.ensure_future(getattr(self.member, name)(*arguments, **named))
            self._runs.add(run)
            if self._is_lost(name):
                for _ in range(3):
                    await asyncio.sleep(0)  # it has begun
                run.cancel()
            try:
                answer = await run
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                raise Unreachable from None  # the member was killed, or the caller
            finally:
                self._runs.discard(run)
            if self._is_lost(name):
                raise Unreachable
            return answer

        return call

    async def kill(self) -> None:
        """End the member and all that it is doing."""
        self.member = None
        runs = list(self._runs)
        for run in runs:
            run.cancel()
        if runs:
            await asyncio.wait(runs)

    def _is_lost(self, name: str) -> bool:
        return name != "run" and self._chance is not None and self._chance.random() < 0.1


class InProcess:
    """A place for shards that is this process.

    Args:
        seed: of what is lost; None loses nothing.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._chance = None if seed is None else random.Random(seed)  # noqa: S311  # no secret
        self.posts: Sequence[Post] = ()
        self._peers: dict[int, Lossy] = {}

    async def suits(self) -> int:
        return 2

    @asynccontextmanager
    async def put(self, posts: Sequence[Post]) -> AsyncIterator[Sequence[Part]]:
        self.posts = posts
        for number in range(len(posts)):
            self._peers[number] = Lossy(self._member(number), self._chance)
        yield cast("Sequence[Part]", list(self._peers.values()))

    def _member(self, number: int) -> Member:
        post, peers = self.posts[number], cast("dict[int, Peer]", self._peers)
        return Member(post.config, post.folder, post.seams, peers, begin=post.begin)

    async def strike(self, number: int, *, lose: bool) -> int:
        """Kill a shard, lose its folder if so wished, and start it again.

        Returns:
            Pages that it had finished, or had in flight, since its last snapshot.
        """
        there = self._peers[number]
        behind = _behind(there.member)
        await there.kill()
        if lose:
            shutil.rmtree(self.posts[number].folder, ignore_errors=True)
        there.member = self._member(number)
        return behind


def _behind(member: Member | None) -> int:
    """Return how many pages a shard has finished or begun since its last snapshot, or may have by the next instant."""
    crawler = member.crawler if member else None
    if crawler is None or crawler.engine is None or crawler.snapshots is None:
        return 0
    store = ObjectStore(crawler.snapshots.url)
    last = newest(store.keys(MANIFESTS))
    kept = read_manifest(store.content(manifest_key(last), most=1 << 20), last).pages
    return crawler.commit.finished - kept + crawler.engine.in_flight + crawler.engine.slots


def shared(
    config: Config, out: Path, shards: int | None = None, *, lossy: int | None = None, **how: Any
) -> SharedCrawler:
    return SharedCrawler(config, out=out, shards=shards, place=InProcess(lossy), **how)
