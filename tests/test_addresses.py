"""A wildcard in DNS: many host names at one address, which has no more in flight than an address may."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crawler.api import Crawler
from crawler.core.host_queues import HostQueues
from crawler.core.outcomes import Outcome
from crawler.testing.hostile import Scenario, Stage, Talk, answers_by
from tests.clients import Client
from tests.names import NameServer
from tests.test_hostile import impatient

HOSTS, PLACES = 300, 5


@pytest.mark.parametrize(("in_memory", "client"), [(4_096, "aiohttp"), (16, "aiohttp"), (4_096, "lean")])
async def test_hundreds_of_names_of_one_machine_share_its_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int, client: Client
) -> None:
    """Also where memory has room for few hosts, so that most are let go of and come back."""
    monkeypatch.setitem(HostQueues.__init__.__kwdefaults__ or {}, "most_hosts", in_memory)
    busy, most = 0, 0

    async def reply(talk: Talk) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)  # so that others are heard meanwhile, if there are others
        await asyncio.sleep(0)
        busy -= 1
        await talk.answer()

    def zone(name: str, _time: int) -> tuple[str, ...]:
        return ("127.0.0.1",) if name.endswith("wild.test") else ("127.0.0.9",)

    fetch = {"connect_timeout": 30.0, "client": client}
    config = impatient(politeness={"per_address": PLACES, "robots": "obey"}, fetch=fetch)
    one = Stage(Scenario(25, "wild", "has many names", Outcome.OK, play=answers_by(reply)))
    with NameServer(zone) as names:
        names.install(monkeypatch)
        async with one, Crawler(config, out=tmp_path / "out") as crawler:
            report = await crawler.crawl([f"http://{n}.wild.test:{one.port}/" for n in range(HOSTS)])

    assert (report.totals.done, report.totals.queued) == (HOSTS, 0)
    assert len(one.requests) == 2 * HOSTS
    assert 1 <= most <= PLACES
    assert report.conserved
