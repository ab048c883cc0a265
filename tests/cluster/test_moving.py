from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crawler.core.shards import assign
from crawler.report.report import Ending
from crawler.storage.moving import move
from crawler.storage.shared_folder import common, shard_folder
from crawler.storage.verify_shared import lives_of, verify_shared
from tests.cluster.test_shared import EAGER, HOSTS, crawled, kept, limited
from tests.graph import Web, served
from tests.invariants import differing, truth


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with served(11, pages=120, hosts=HOSTS) as made:
        yield made


@pytest.mark.timeout(300)
async def test_the_number_of_shards_may_change_from_run_to_run(web: Web, tmp_path: Path) -> None:
    ends = []
    for shards, pages in ((3, 20), (5, 20), (2, 20), (3, 0)):
        report = await crawled(web, tmp_path, shards, limited(max_pages=pages))
        ends.append((report.ending, report.pages if pages else 0, len(report.shards), report.conserved))
        checked = verify_shared(tmp_path)
        assert checked.ok, checked.lines

    limit = Ending.LIMIT
    assert ends == [(limit, 20, 3, True), (limit, 20, 5, True), (limit, 20, 2, True), (Ending.COMPLETE, 0, 3, True)]
    assert differing(truth(web), kept(tmp_path), "the truth", "the crawl") == []
    asked = [request.path for site in web.sites for request in site.log]
    assert report.known == sum(report.totals.by_outcome.values())
    assert len(asked) <= report.totals.done + report.totals.failed + sum(web.failures.values()) + 60


async def test_a_move_that_was_cut_short_is_made_again_to_wherever(web: Web, tmp_path: Path) -> None:
    report = await crawled(web, tmp_path, 2, limited(max_pages=40))
    key = bytes.fromhex(common(tmp_path).key)

    move(tmp_path, assign(4), key)  # killed before it was noted: the folder still says 2
    rest = await crawled(web, tmp_path, 3)

    assert report.pages == 40
    assert rest.ending is Ending.COMPLETE
    assert differing(truth(web), kept(tmp_path), "the truth", "the crawl") == []
    assert verify_shared(tmp_path).ok


async def test_a_url_that_moved_is_told_by_its_owner_and_by_the_shard_of_its_pages(web: Web, tmp_path: Path) -> None:
    await crawled(web, tmp_path, 1)
    await crawled(web, tmp_path, 4)
    before, after = assign(1), assign(4)
    assert before != after

    told = [list(lives_of(tmp_path, url)) for url in web.bodies]

    assert all(len(lives[-1][1].looks) == 1 for lives in told)
    moved = [lives for lives in told if len(lives) == 2]
    assert moved
    assert {(len(lives[0][1].looks), lives[1][0], lives[1][1].outcome) for lives in moved} == {(0, "shard-00", "moved")}


async def test_who_is_not_where_he_belongs_is_found(web: Web, tmp_path: Path) -> None:
    await crawled(web, tmp_path, 2, EAGER)
    here, there = (shard_folder(tmp_path, shard) for shard in (0, 1))
    here.rename(tmp_path / "aside")
    there.rename(here)
    (tmp_path / "aside").rename(there)

    found = verify_shared(tmp_path)

    assert not found.ok
    assert any("belong to other shards" in line for line in found.lines)
