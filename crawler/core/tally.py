"""What a run has done so far: pages by outcome, by host, and failures grouped by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, field

from crawler.core.outcomes import Outcome, State
from crawler.core.records import Page
from crawler.core.url import host_key

_MOST_HOSTS = 10_000
_MOST_BAD_SEEDS = 20
OTHERS = "(other hosts)"


class HostTally(Struct):
    """One host's share of a run."""

    pages: int = 0
    failed: int = 0
    bytes: int = 0


class Cause(Struct):
    """Failures of one kind, with an example."""

    example: str
    detail: str
    count: int = 0


class Finished(Struct, frozen=True):
    """URLs that ended alike."""

    count: int
    bytes: int
    example: str


class Tally(Struct):
    """The counts of one run; skipped URLs are not pages."""

    done: int = 0
    failed: int = 0
    bytes: int = 0
    """Payload bytes received for finished pages."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    hosts: dict[str, HostTally] = field(default_factory=dict)
    causes: dict[tuple[Outcome, int], Cause] = field(default_factory=dict)
    seeds: int = 0
    seeds_known: int = 0
    seeds_refused: Counter[Outcome] = field(default_factory=Counter)
    seeds_bad: int = 0
    bad_seeds: list[str] = field(default_factory=list)
    """The first sentences about seeds that are no URLs."""

    @property
    def pages(self) -> int:
        """URLs finished, well or not."""
        return self.done + self.failed

    def add(self, page: Page) -> None:
        """Count a finished URL."""
        self.outcomes[page.outcome] += 1
        state = page.outcome.state
        if state is State.SKIPPED:
            return
        key = host_key(page.url)
        if key not in self.hosts and len(self.hosts) >= _MOST_HOSTS:
            key = OTHERS
        host = self.hosts.setdefault(key, HostTally())
        host.pages += 1
        host.bytes += page.wire_size
        self.bytes += page.wire_size
        if state is State.DONE:
            self.done += 1
            return
        self.failed += 1
        host.failed += 1
        cause = self.causes.setdefault((page.outcome, page.status), Cause(page.url, page.detail))
        cause.count += 1

    def recall(self, outcome: Outcome, status: int, host: str, pages: Finished) -> None:
        """Count URLs that were finished before this process began, all of one host, outcome and status."""
        self.outcomes[outcome] += pages.count
        if outcome.state is State.SKIPPED:
            return
        failed = pages.count if outcome.state is State.FAILED else 0
        tally = self.hosts.setdefault(
            host if host in self.hosts or len(self.hosts) < _MOST_HOSTS else OTHERS, HostTally()
        )
        tally.pages += pages.count
        tally.bytes += pages.bytes
        tally.failed += failed
        self.bytes += pages.bytes
        self.failed += failed
        self.done += pages.count - failed
        if failed:
            self.causes.setdefault((outcome, status), Cause(pages.example, "")).count += failed

    def bad_seed(self, sentence: str) -> None:
        """Count a seed that is no URL."""
        self.seeds_bad += 1
        if len(self.bad_seeds) < _MOST_BAD_SEEDS:
            self.bad_seeds.append(sentence)

    def sown(self, given: int, known: int, refused: Mapping[Outcome, int]) -> None:
        """Count a batch of seeds."""
        self.seeds += given
        self.seeds_known += known
        self.seeds_refused.update(refused)
