"""The simulation of a large crawl: its parts against plain ways to the same answers, on small webs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.core.exchange import MOST_URLS, due
from crawler.core.shards import Territory, assign
from scripts.benchmarks.tables import write_place
from scripts.simulation.crawl import Plan, Simulation, batches_of
from scripts.simulation.parcels import parcel_size
from scripts.simulation.web import SyntheticWeb, synthetic_web
from tests.cli.command import ROOT, environment

WEB = synthetic_web(20_000, 7)


class Plainly(Simulation):
    """Asks the rules of the crawler itself for each URL, and keeps sets."""

    def __init__(self, web: SyntheticWeb, plan: Plan) -> None:
        super().__init__(web, plan)
        self._territories = [Territory(assign(plan.shards), shard) for shard in range(plan.shards)]
        self.told: set[tuple[int, int]] = set()
        self.parcels = 0

    def _lead(self, shard: int, pages: int) -> None:
        for _ in range(pages):
            deep = int(self._rng.random() * self._web.pages)
            front = self._web.host[int(self._rng.random() * self._web.pages)]
            self._tell(shard, front, self._web.first[front], front_page=True)
            self._tell(shard, self._web.host[deep], deep, front_page=False)
        self.course.links += 2 * pages

    def _tell(self, shard: int, host: int, page: int, *, front_page: bool) -> None:
        url = f"https://{self._web.name(host)}/{page}"
        if self._territories[shard].elsewhere(url) is not None:
            self.parcels += not front_page or (shard, host) not in self.told
            self.told |= {(shard, host)} if front_page else set()
        self._find(page)


def test_a_web_is_made_of_whole_hosts_and_the_same_seed_makes_the_same_one() -> None:
    sizes = [end - start for start, end in pairwise(WEB.first)]

    assert (WEB.pages, sum(sizes), len(sizes)) == (20_000, 20_000, WEB.hosts)
    assert Counter(WEB.host) == Counter({host: size for host, size in enumerate(sizes) if size})
    assert WEB.largest == max(sizes) <= 200
    assert synthetic_web(20_000, 7, budget=50).largest == 50
    assert WEB.domains < WEB.hosts
    assert synthetic_web(20_000, 7) == WEB != synthetic_web(20_000, 8)


def test_sizes_of_hosts_follow_the_power_law() -> None:
    web = synthetic_web(300_000, 1)
    sizes = [end - start for start, end in pairwise(web.first)]

    for size in (8, 40, 200):
        share = sum(one > size for one in sizes) / len(sizes)
        assert share == pytest.approx((size / 4) ** -1.1, rel=0.35)


@pytest.mark.parametrize("shards", [1, 4, 16])
def test_links_between_shards_are_those_that_the_rules_name_url_by_url(shards: int) -> None:
    fast, plain = Simulation(WEB, Plan(shards=shards)), Plainly(WEB, Plan(shards=shards))

    course, other = fast.run(), plain.run()

    assert course.sent == plain.parcels
    assert (course.pages, course.seconds, course.links) == (other.pages, other.seconds, other.links)
    assert course.sent == 0 if shards == 1 else 0 < course.sent < course.links


def test_every_known_page_is_fetched_once_and_hosts_are_never_hurried() -> None:
    simulation = Simulation(WEB, Plan(shards=4, rate=50))

    course = simulation.run()

    assert course.pages == sum(simulation._known) == sum(simulation._archive)
    assert not any(simulation._queued)
    assert course.pages > 0.95 * WEB.pages
    assert course.polite_bound <= course.bound <= course.seconds < 2 * course.bound


def test_what_a_shard_owns_and_has_left_is_recounted() -> None:
    simulation = Simulation(WEB, Plan(shards=8, rate=50))
    course = simulation.run()
    owners = [assign(8)[virtual] for virtual in WEB.virtual]

    owned = Counter(owners[WEB.host[page]] for page, known in enumerate(simulation._known) if known)

    assert course.owned == pytest.approx(max(owned.values()) * 8 / sum(owned.values()))
    assert [skew.done for skew in course.left] == [0.5, 0.9, 0.99]
    assert all(skew.by_mean >= 1 and 0 < skew.one_host <= 1 for skew in course.left)


def test_a_lost_node_costs_what_came_after_the_snapshots_and_nothing_is_missing_in_the_end() -> None:
    calm = Simulation(WEB, Plan(shards=16, rate=2, shards_per_node=4)).run()
    simulation = Simulation(WEB, Plan(shards=16, rate=2, shards_per_node=4, loss_every=300.0))

    course = simulation.run()

    assert course.pages == sum(simulation._known) == sum(simulation._archive)
    assert course.losses >= calm.seconds // 300
    assert 0 < course.again <= course.losses * 4 * 2 * (300 + 10)
    assert course.down >= course.losses * 4 * 30 * 0.5
    assert course.seconds > calm.seconds


def test_the_same_plan_has_the_same_course() -> None:
    plan = Plan(shards=16, loss_every=300.0, rate=20)

    assert Simulation(WEB, plan).run() == Simulation(WEB, plan).run()


@pytest.mark.parametrize("rate", [0.05, 1.0, 30.0, 2_500.0])
def test_batches_are_counted_as_the_rule_of_the_exchange_sends_them(rate: float) -> None:
    rng, now, batches, urls, waiting, oldest = random.Random(3), 0.0, 0, 0, 0, 0.0  # noqa: S311  no secret
    seconds = max(40.0, 1_000.0 / rate)
    while now < seconds:
        now += rng.expovariate(rate)
        if waiting and now >= oldest + due(waiting, oldest, oldest, idle=False):
            batches, waiting = batches + 1, 0
        oldest = oldest if waiting else now
        waiting, urls = waiting + 1, urls + 1
        if due(waiting, oldest, now, idle=False) == 0.0:
            batches, waiting = batches + 1, 0

    assert batches_of(urls, int(seconds)) == pytest.approx(batches, rel=0.15)
    assert batches_of(50 * MOST_URLS, 10) == 50


def test_a_parcel_weighs_more_than_its_url() -> None:
    size = parcel_size()

    assert size.urls == MOST_URLS
    assert 40 < size.url < 110
    assert size.url < size.sent < 5 * size.url


def test_the_command_writes_its_figures_and_its_tables(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/simulate_cluster.py"), "--pages", "20000", "--shards", "1", "16"]

    done = subprocess.run(
        [*command, "--json", str(tmp_path / "kept.json")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert [(run["plan"]["shards"], run["plan"]["loss_every"]) for run in kept["runs"]] == [(1, 0), (16, 0), (16, 300)]
    assert done.stdout.count("| shards |") == 3
    for name in ("sharing", "exchange", "losses"):
        document = tmp_path / "scale.md"
        document.write_text((ROOT / "docs" / "scale.md").read_text())
        write_place(document, name, "made here")
        assert "made here" in document.read_text()
