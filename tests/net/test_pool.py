from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from crawler.net.pool import Pool


@dataclass(eq=False)
class One:
    origin: str
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        self.closed.set()


async def test_the_connection_that_was_used_last_is_handed_out_first() -> None:
    pool: Pool[One] = Pool(room=9, patience=60.0)
    first, second, other = One("http://a"), One("http://a"), One("http://b")
    for one in (first, second, other):
        pool.keep(one)

    taken = [pool.take("http://a") for _ in range(3)]

    assert taken == [second, first, None]
    assert len(pool) == 1


async def test_the_oldest_goes_where_there_is_no_room() -> None:
    pool: Pool[One] = Pool(room=2, patience=60.0)
    kept = [One(f"http://{name}") for name in "abc"]

    for one in kept:
        pool.keep(one)

    assert [one.closed.is_set() for one in kept] == [True, False, False]


async def test_a_connection_is_not_kept_for_ever() -> None:
    pool: Pool[One] = Pool(room=0, patience=0.01)
    kept = [One("http://a"), One("http://b")]

    for one in kept:
        pool.keep(one)
        await one.closed.wait()

    assert len(pool) == 0


async def test_what_is_forgotten_is_not_handed_out() -> None:
    pool: Pool[One] = Pool(room=0, patience=60.0)
    one = One("http://a")
    pool.keep(one)

    pool.forget(one)
    pool.forget(one)

    assert pool.take("http://a") is None
    assert not one.closed.is_set()


async def test_closing_hangs_up_all() -> None:
    pool: Pool[One] = Pool(room=0, patience=60.0)
    kept = [One("http://a"), One("http://a"), One("http://b")]
    for one in kept:
        pool.keep(one)

    pool.close()

    assert all(one.closed.is_set() for one in kept)
    assert len(pool) == 0
