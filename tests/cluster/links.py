"""Members of a shared crawl in one process, linked by calls that get lost as calls to other machines do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from crawler.cluster.crawl import Post, SharedCrawler
from crawler.cluster.link import Part, Unreachable
from crawler.cluster.member import Member
from crawler.config import Config


class Lossy:
    """A member, of whose calls some are lost, with their answers or without.

    Args:
        member: which.
        chance: for each call; None loses none.
    """

    def __init__(self, member: Member, chance: random.Random | None) -> None:
        self._member = member
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(0)
            if name != "run" and self._chance and self._chance.random() < 0.1:
                raise Unreachable
            answer = await getattr(self._member, name)(*arguments, **named)
            if name != "run" and self._chance and self._chance.random() < 0.1:
                raise Unreachable
            return answer

        return call


class InProcess:
    """A place for shards that is this process.

    Args:
        seed: of what is lost; None loses nothing.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._chance = None if seed is None else random.Random(seed)  # noqa: S311  # no secret
        self.members: list[Member] = []

    async def suits(self) -> int:
        return 2

    @asynccontextmanager
    async def put(self, posts: Sequence[Post]) -> AsyncIterator[Sequence[Part]]:
        peers: dict[int, Any] = {}
        self.members = [self._member(post, peers) for post in posts]
        peers.update((number, Lossy(member, self._chance)) for number, member in enumerate(self.members))
        yield [peers[number] for number in range(len(posts))]

    def _member(self, post: Post, peers: Mapping[int, Any]) -> Member:
        return Member(post.config, post.folder, post.seams, peers, begin=post.begin)


def shared(
    config: Config, out: Path, shards: int | None = None, *, lossy: int | None = None, **how: Any
) -> SharedCrawler:
    return SharedCrawler(config, out=out, shards=shards, place=InProcess(lossy), **how)
