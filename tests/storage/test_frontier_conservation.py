"""Whatever happens to the frontier, nothing is lost and nothing is doubled."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from crawler.config import Scope, Traps
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Kind
from tests.storage.room import Room, urls

POOL = [f"http://{host}/{path}" for host in ("a", "b", "c.b") for path in ("", "1", "2", "x/x/x/x/x/x", "no")]
FINAL = st.sampled_from([outcome for outcome in Outcome if outcome.state is not State.QUEUED])


class Conservation(RuleBasedStateMachine):
    """Whatever happens, known = done + failed + skipped + queued, and each queued URL was handed out once."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.queued: set[str] = set()
        self.ended: set[str] = set()
        self.room: Room | None = None
        self.reopen(1, 3)

    def teardown(self) -> None:
        if self.room:
            self.room.close()
        self.folder.cleanup()

    @property
    def opened(self) -> Room:
        assert self.room
        return self.room

    def handed_out(self, found: Sequence[CrawlURL]) -> Any:
        new = set(urls(found))
        assert len(new) == len(found)
        assert not new & (self.queued | self.ended)
        self.queued |= new
        return multiple(*found)

    @rule(depth=st.integers(-1, 2), budget=st.integers(0, 4))
    def reopen(self, depth: int, budget: int) -> None:
        if self.room:
            self.room.close()
        scope = Scope(rule="host", max_depth=depth, exclude=("no$",))
        self.room = Room(Path(self.folder.name), scope, Traps(pages_per_host=budget))

    @rule(target=waiting, seeds=st.lists(st.sampled_from(POOL), max_size=4))
    def sow(self, seeds: list[str]) -> Any:
        sown = self.opened.sow(*seeds)
        assert len(sown.queued) + sown.known + sum(sown.refused.values()) == len(seeds)
        return self.handed_out(sown.queued)

    @rule(
        target=waiting,
        source=waiting,
        links=st.lists(st.sampled_from(POOL), max_size=4),
        kind=st.sampled_from([Kind.LINK, Kind.REDIRECT]),
    )
    def discover(self, source: CrawlURL, links: list[str], kind: Kind) -> Any:
        return self.handed_out(self.opened.discover(source, *links, kind=kind))

    @rule(target=waiting)
    def reconsider(self) -> Any:
        return self.handed_out(self.opened.reconsider())

    @rule(source=consumes(waiting), outcome=FINAL)
    def finish(self, source: CrawlURL, outcome: Outcome) -> None:
        self.opened.finish(source, outcome)
        self.queued.remove(source.url)
        self.ended.add(source.url)

    @rule(source=waiting)
    def postpone(self, source: CrawlURL) -> None:
        with self.opened.transaction():
            self.opened.frontier.postpone(source, Outcome.HTTP_RATE_LIMITED)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        opened = self.opened
        totals = opened.totals()
        rows = opened.rows("SELECT url, state, host FROM url")
        assert len(opened.frontier) == sum(totals.values()) == len(rows) == len({url for url, *_ in rows})
        assert {url for url, state, _ in rows if state == State.QUEUED} == self.queued
        assert {url for url, state, host in rows if state != State.QUEUED and host} == self.ended

    @invariant()
    def hosts_count_what_is_theirs(self) -> None:
        queued = Counter(url.rpartition("/")[0].removesuffix("/x/x/x/x/x") for url in self.queued)
        hosts = dict(self.opened.rows("SELECT key, queued FROM host WHERE queued != 0"))
        assert hosts == queued
        loaded = {host: urls(self.opened.load(host)) for host in hosts}
        assert sorted(url for found in loaded.values() for url in found) == sorted(self.queued)
        assert set(self.opened.frontier.waiting_hosts(set(), 9)) == set(hosts)


TestConservation = Conservation.TestCase
TestConservation.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
