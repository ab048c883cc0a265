"""What the verdict is judged by: what a crawl has used up between two moments, and of how much.

A :class:`Reading` is all meters at one moment; each only ever grows.
The difference of two is an :class:`Evidence`, so the same judgement serves a whole run and its last ten seconds.
Times are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from crawler.core.ledger import Feed
from crawler.core.outcomes import Outcome


class Cause(StrEnum):
    """Why no further page was started, as exactly as it can be told."""

    WORKING = "working"
    """None; the next one was just being started."""
    SLOTS = "slots"
    """All fetch slots were taken."""
    PLACES = "places"
    """Each host with waiting URLs had as many requests in flight as it may."""
    ADDRESSES = "addresses"
    """At the IP address of each host with waiting URLs as many requests were in flight as may be."""
    DELAY = "delay"
    """Each host with waiting URLs had been asked less than its delay ago."""
    HOLD = "hold"
    """Hosts with waiting URLs had asked to be left alone, or had failed."""
    FEW = "few"
    """No URL was waiting: the next ones had to be found in pages that were in flight."""
    PARSE = "parse"
    MIRROR = "mirror"
    COMMIT = "commit"
    """As many pages as may be were on their way, most of them in that stage."""
    CALLER = "caller"
    LOADING = "loading"
    """URLs were waiting on disk only."""


Blame = tuple[Cause, str]
"""A cause, and the host with most URLs waiting that it kept from being asked."""


class Reading(Struct, frozen=True, kw_only=True):
    """All meters at one moment. Mappings hold sums as well."""

    at: float = 0.0
    pages: float = 0.0
    bytes: float = 0.0
    feed: Mapping[Feed, float] = field(default_factory=dict)
    """Seconds in each state of the feed."""
    sampled: Mapping[tuple[Feed, Cause], float] = field(default_factory=dict)
    """Seconds for which samples found a cause behind a state."""
    blamed: Mapping[Blame, float] = field(default_factory=dict)
    loop_cpu: float = 0.0
    """CPU time of the loop's thread."""
    loop_starved: float = 0.0
    """Time for which that thread was ready to run and no core was free; 0.0 where the system does not tell."""
    main_cpu: float = 0.0
    """CPU time of the loop's whole process."""
    machine: float = 0.0
    """Core-seconds used by all programs of the machine; 0.0 where the system does not tell."""
    parse_ran: float = 0.0
    """Time for which workers worked, the user's extract function included."""
    extract_ran: float = 0.0
    """Time for which that function ran."""
    parse_cpu: float = 0.0
    mirror_ran: float = 0.0
    commit_ran: float = 0.0
    commit_cpu: float = 0.0
    commits: float = 0.0
    committed: float = 0.0
    """Attempts in those commits."""
    journal_other: float = 0.0
    synced: float = 0.0
    """Time for which the journal waited for the disk."""
    requests: float = 0.0
    answered: float = 0.0
    """Those of them that an answer came to, other than 429 and 503."""
    dns: float = 0.0
    connect: float = 0.0
    first_byte: float = 0.0
    body: float = 0.0
    connections: float = 0.0
    handshakes: float = 0.0
    lookups: float = 0.0
    rate_limited: float = 0.0
    outcomes: Mapping[Outcome, float] = field(default_factory=dict)
    """URLs that ended, by outcome."""
    samples: float = 0.0
    """Seconds for which the numbers below were sampled; they are sums over those seconds."""
    late: float = 0.0
    """Samples that the loop took with a delay: something else ran on it."""
    slots: float = 0.0
    """Fetches under way."""
    room: float = 0.0
    """Fetches that might have been under way."""
    ready: float = 0.0
    """Hosts that could be asked."""
    spare: float = 0.0
    """Requests that could have been started if there had been slots."""
    allowed: float = 0.0
    """Requests a second that the delays of the hosts with URLs allow."""
    carried: float = 0.0
    """Bytes of bodies waiting for parse or commit."""


class Rules(Struct, frozen=True, kw_only=True):
    """The bounds under which a crawl works."""

    concurrency: int
    per_host: int
    per_address: int = 0
    workers: int
    cores: int
    most_pages: int
    """Pages that may be on their way at once."""
    mirror_threads: int = 1
    leaner: bool = False
    """Whether there is an HTTP client that takes less of the event loop than the one in use."""


class Blamed(Struct, frozen=True, kw_only=True):
    """A host that was not to be asked while it had URLs waiting."""

    host: str
    share: float
    """Of the time, 0..1."""
    delay: float = 0.0
    robots_delay: float | None = None
    """What its robots.txt asks for."""
    rate_limited: int = 0


class Evidence(Struct, frozen=True, kw_only=True):
    """What a crawl used up in some time, under which rules, and which hosts kept it waiting."""

    used: Reading
    """``at`` is the length of the time."""
    rules: Rules
    hosts: Mapping[Cause, tuple[Blamed, ...]] = field(default_factory=dict)
    """By cause, the most to blame first."""

    @property
    def seconds(self) -> float:
        """Time for which pages could be started, seconds."""
        return max(1e-9, self.used.at - self.used.feed.get(Feed.CLOSING, 0.0))

    def causes(self) -> dict[Cause, float]:
        """Return the share of the time for which each cause kept the feed from starting a page; they add up to 1.

        The feed knows at any time what it waits for; where that can have several causes, samples tell them apart.
        """
        spent = dict.fromkeys(Cause, 0.0)
        for state, seconds in self.used.feed.items():
            if state is Feed.CLOSING:
                continue
            found = {cause: time for (of, cause), time in self.used.sampled.items() if of is state and time > 0}
            whole = sum(found.values())
            for cause, time in (found if whole else {_USUAL[state]: 1.0}).items():
                spent[cause] += seconds * time / (whole or 1.0)
        whole = sum(spent.values())
        return {cause: seconds / whole if whole else 0.0 for cause, seconds in spent.items()}

    # utilisation: 0..1, what is in use of what there is

    @property
    def loop_busy(self) -> float:
        """Share of the time in which the loop could do nothing else.

        Its process ran, whose threads share one interpreter, or the loop's thread found no core free;
        or, if that was more, it did not answer at once for whatever reason, such as a call that blocks it.
        """
        used = self.used
        late = used.late / used.samples if used.samples else 0.0
        return min(1.0, max(late, (max(used.main_cpu, used.loop_cpu) + used.loop_starved) / self.used_time))

    @property
    def starved(self) -> float:
        """Share of the loop's busy time in which it was ready to run and found no core free."""
        whole = max(self.used.main_cpu, self.used.loop_cpu) + self.used.loop_starved
        return (
            self.used.loop_starved / whole * min(1.0, whole / self.used_time / max(1e-9, self.loop_busy))
            if whole
            else 0.0
        )

    @property
    def slots_busy(self) -> float:
        """Share of the slots that were taken."""
        room = self.used.room or self.used.samples * self.rules.concurrency
        return min(1.0, self.used.slots / room) if room else 0.0

    @property
    def fetching(self) -> float:
        """Fetches under way, on average."""
        return self.used.slots / self.used.samples if self.used.samples else 0.0

    @property
    def own(self) -> float:
        """Share of the time of a fetch in which it waited for nothing outside, but for its turn on the loop."""
        slots = self.fetching * self.used_time
        return max(0.0, 1.0 - self.slot_time / slots) if slots else 0.0

    @property
    def pool_busy(self) -> float:
        """Share of the parse workers' time in which they parsed."""
        return min(1.0, self.used.parse_ran / (self.used_time * max(1, self.rules.workers)))

    @property
    def extract_share(self) -> float:
        """Share of the workers' work that was the user's extract function."""
        return min(1.0, self.used.extract_ran / self.used.parse_ran) if self.used.parse_ran else 0.0

    @property
    def journal_busy(self) -> float:
        """Share of the time in which the journal's thread was at work."""
        return min(1.0, (self.used.commit_ran + self.used.journal_other) / self.used_time)

    @property
    def journal_works(self) -> float:
        """Share of a commit that was computing or waiting for the disk, and not for a core or the interpreter."""
        used = self.used
        return min(1.0, (used.commit_cpu + used.synced) / used.commit_ran) if used.commit_ran else 1.0

    @property
    def journal_needed(self) -> float:
        """The same, had each commit taken as many pages as it may: what waits for the disk is shared by its pages."""
        used = self.used
        if not used.commits:
            return self.journal_busy
        synced = min(used.synced, used.commit_ran)
        shared = synced * min(1.0, used.committed / used.commits / self.rules.most_pages)
        return min(1.0, (used.commit_ran - synced + shared + used.journal_other) / self.used_time)

    @property
    def cores_used(self) -> float:
        """Cores that the crawl kept busy."""
        return (self.used.main_cpu + self.used.parse_cpu) / self.used_time

    @property
    def cores_free(self) -> float:
        """Cores that nothing kept busy."""
        taken = max(self.used.machine / self.used_time, self.cores_used)
        return max(0.0, self.rules.cores - taken)

    @property
    def slot_time(self) -> float:
        """Seconds that requests took, all together."""
        return self.used.dns + self.used.connect + self.used.first_byte + self.used.body

    @property
    def used_time(self) -> float:
        """Length of the time, never zero."""
        return max(1e-9, self.used.at)


_USUAL = {
    Feed.WORKING: Cause.WORKING,
    Feed.SLOTS: Cause.SLOTS,
    Feed.PARSE: Cause.PARSE,
    Feed.MIRROR: Cause.MIRROR,
    Feed.COMMIT: Cause.COMMIT,
    Feed.CALLER: Cause.CALLER,
    Feed.WAIT: Cause.DELAY,
    Feed.IDLE: Cause.FEW,
}
"""What a state means where no sample tells."""


class Estimate:
    """The meter of a place that tells what a batch has cost only when it is back.

    What is away is taken for work like that which is back. It may turn out to be less, and then the meter stands still
    until the truth has come up with it: a meter that was set back would find less than nothing between two readings.
    """

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read = 0.0

    def read(self, counted: float, back: float, away: float) -> float:
        """Return the seconds of work so far; never less than the last time.

        Args:
            counted: of batches that are back.
            back: seconds for which these were away.
            away: seconds for which the others have been away.
        """
        self._read = max(self._read, counted + away * (min(1.0, counted / back) if back else 1.0))
        return self._read


def between(earlier: Reading, later: Reading) -> Reading:
    """Return what was used up between two moments."""
    used: dict[str, Any] = {}
    for name in Reading.__struct_fields__:
        before, after = getattr(earlier, name), getattr(later, name)
        if isinstance(after, Mapping):
            used[name] = {key: value - before.get(key, 0.0) for key, value in after.items()}
        else:
            used[name] = after - before
    return Reading(**used)
