"""Reads the meters of a running crawl, a few times a second, from its own loop.

Theory of operation
-------------------
Most meters are counted where the work is done and only read here.
Two things have to be sampled: how late the loop is, which a timer finds out by when it fires,
and *why* the feed can start no page, which is written in the state of the hosts.
The time between two samples varies, so that a crawl that beats in time with the samples is seen in all its phases,
and grows with the number of hosts, so that looking costs less than a three-hundredth of the loop's time.

What happens before the first page is finished (workers start, seeds are sown) says nothing about the crawl,
so the evidence begins there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from time import perf_counter, process_time, thread_time

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.evidence import Blame, Blamed, Cause, Estimate, Evidence, Reading, Rules, between
from crawler.core.host_queues import HostQueues
from crawler.core.ledger import Feed, Histogram, Ledger
from crawler.core.scan import Scan
from crawler.core.tally import Tally
from crawler.core.timeline import Timeline
from crawler.cores import Cores

_OFTEN, _SELDOM = 0.05, 0.25
"""Seconds from one look to the next: at first, and after a while..."""
_LOOKS = 200
"""...in which there have been this many, which is enough for a share to be right to a few percent."""
_READ_EVERY = 0.2
"""Seconds from one reading of all meters to the next, and to the last."""
_COST = 300
"""Times as long as a look took it is until the next one, at least."""
_GOLDEN = 0.6180339887
_WARM_UP = 10.0
"""Seconds after which the evidence begins, though no page has been finished."""
_WINDOW = 10
"""Seconds that the live verdict looks back."""
_FULL = (Feed.PARSE, Feed.MIRROR, Feed.COMMIT, Feed.CALLER)
_MOST_BLAMED = 1_000
_LATE = 0.005
"""Seconds by which an idle loop is never late."""
_SLOW_COMMIT = 0.05
"""Seconds a commit takes on a disk that is slow to sync; usual are 1 to 10 ms."""
_CROWD = 8
"""Pages that wait for a commit together, when it is no longer for want of URLs that so few are fetched."""


class Sources(Struct, frozen=True, kw_only=True):
    """Where meters are read that are not in the ledger."""

    tally: Tally
    queues: HostQueues
    now: Callable[[], float]
    """Unix seconds, by the clock of the queues."""
    carried: Callable[[], int]
    """Bytes of bodies waiting for parse or commit."""
    synced: Callable[[], float]
    """Seconds for which the journal waited for the disk."""
    lookups: Callable[[], int]
    taken: Callable[[], tuple[float, float]]
    """Seconds that parse workers had batches which are back, and those that they have had the others."""
    slots: Callable[[], int]
    """Requests that may be in flight at once."""


class Probe:
    """Samples a crawl from :meth:`start` to :meth:`stop`, both on its loop."""

    def __init__(
        self, ledger: Ledger, rules: Rules, sources: Sources, heard: Callable[[Reading], None] | None = None
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._sources = sources
        self._heard = heard
        self.lag = Histogram()
        """How late the loop was, seconds."""
        self.timeline = Timeline()
        """How the crawl went, from start to stop."""
        self.most_carried = 0
        self.looked = 0.0
        """CPU seconds spent in looking."""
        self._sampled: defaultdict[tuple[Feed, Cause], float] = defaultdict(float)
        self._blamed: defaultdict[Blame, float] = defaultdict(float)
        self._samples = self._ready = self._spare = self._carried = self._late = 0.0
        self._slots = self._room = self._allowed = 0.0
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._parse_ran = Estimate()
        self._cores = Cores()
        self._began = self._last = 0.0
        self._warm = False
        self._first = self._latest = Reading()
        self._second: deque[Reading] = deque(maxlen=_WINDOW + 1)

    def start(self) -> None:
        """Begin to read the meters."""
        self._loop = asyncio.get_running_loop()
        self._cores.open()
        self._began = self._last = perf_counter()
        self._first = self._latest = self._read(self._began)
        self.timeline.see(self._first)
        self._again(_OFTEN)

    def stop(self) -> None:
        """Look no more; what was read stays."""
        if self._timer is not None:
            self._timer.cancel()
        self.timeline.see(self._read(perf_counter()))
        self._cores.close()

    @property
    def rules(self) -> Rules:
        """The bounds under which the crawl works."""
        slots = self._sources.slots()
        more = slots - self._rules.concurrency
        return replace(self._rules, concurrency=slots, most_pages=self._rules.most_pages + more)

    def evidence(self, *, recent: bool = False) -> Evidence:
        """Return what the crawl, or only its last ten seconds, tells about itself."""
        first = self._second[0] if recent and self._second else self._first
        used = between(first, self._latest)
        return Evidence(used=used, rules=self.rules, hosts=self._hosts(used))

    # looking

    def _again(self, seconds: float) -> None:
        self._turn += 1
        seconds *= 0.5 + self._turn * _GOLDEN % 1.0
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._ledger.feed.ended:
            return
        began, cpu = perf_counter(), thread_time()
        lag = max(0.0, self._loop.time() - self._due)
        self.lag.add(lag)
        self._late += (lag > _LATE) * (began - self._last)
        self._sample(self._ledger.feed.state, began - self._last)
        self._last = began
        warm = self._warm or self._sources.tally.pages > 0 or began - self._began > _WARM_UP
        if warm != self._warm or began - self._latest.at >= _READ_EVERY:
            self._keep(self._read(began), begins=warm != self._warm)
            self._warm = warm
        spent = thread_time() - cpu
        self.looked += spent
        every = min(_SELDOM, max(_OFTEN, (began - self._began) / _LOOKS))
        self._again(max(every, _COST * spent))

    def _keep(self, latest: Reading, *, begins: bool) -> None:
        self._latest = latest
        self.timeline.see(latest)
        if self._heard is not None:
            self._heard(latest)
        if begins:
            self._first = latest
            self._second.clear()
        if not self._second or latest.at - self._second[-1].at >= 1.0:
            self._second.append(latest)

    def _sample(self, state: Feed, seconds: float) -> None:
        carried = self._sources.carried()
        self.most_carried = max(self.most_carried, carried)
        self._samples += seconds
        self._carried += carried * seconds
        self._slots += self._ledger.fetching * seconds
        self._room += self._sources.slots() * seconds
        scan = Scan(self._sources.queues, self._sources.now())
        self._ready += len(scan.ready) * seconds
        self._spare += scan.spare * seconds
        self._allowed += scan.allowed * seconds
        if state in (Feed.SLOTS, Feed.WAIT, Feed.IDLE):
            for cause, share in self._why(state, scan).items():
                self._sampled[state, cause] += share * seconds
                self._blame(cause, scan, seconds)
        elif state in _FULL:  # the feed looked when it began to wait; since then the pages have moved on
            self._sampled[state, Cause(self._ledger.backlog.name.lower())] += seconds

    def _why(self, state: Feed, scan: Scan) -> dict[Cause, float]:
        """Return the causes of a state, with their shares."""
        if scan.ready and state is Feed.SLOTS:
            return {Cause.SLOTS: 1.0}
        if scan.kept:
            if state is Feed.SLOTS and Cause.PLACES not in scan.kept:
                return {Cause.SLOTS: 1.0}
            whole = sum(len(hosts) for hosts in scan.kept.values())
            return {cause: len(hosts) / whole for cause, hosts in scan.kept.items()}
        if scan.ready:  # it has become due this instant; what kept it is gone
            return {Cause.DELAY if state is Feed.WAIT else Cause.FEW: 1.0}
        if self._sources.queues.window.loading:
            return {Cause.LOADING: 1.0}
        return {self._where(): 1.0}

    def _where(self) -> Cause:
        """Say what no URL is waiting for: that a page is fetched, or that those which are get through."""
        ledger, place = self._ledger, self._ledger.backlog
        beyond = {
            Feed.PARSE: ledger.parse.inside,
            Feed.MIRROR: ledger.mirror.inside,
            Feed.COMMIT: ledger.commit.inside,
            Feed.CALLER: ledger.delivering,
        }[place]
        if beyond <= ledger.fetching:
            return Cause.FEW
        commit = ledger.commit
        crowded = {
            Feed.PARSE: beyond > self._rules.workers,
            Feed.MIRROR: beyond > self._rules.mirror_threads,
            Feed.COMMIT: beyond >= _CROWD or commit.running.total > _SLOW_COMMIT * max(1, commit.batches),
            Feed.CALLER: True,
        }[place]
        return Cause(place.name.lower()) if crowded else Cause.FEW

    def _blame(self, cause: Cause, scan: Scan, seconds: float) -> None:
        hosts = scan.kept.get(cause)
        if not hosts:
            return
        key = (cause, max(hosts, key=lambda queue: queue.left).key)
        if key in self._blamed or len(self._blamed) < _MOST_BLAMED:
            self._blamed[key] += seconds

    def _hosts(self, used: Reading) -> dict[Cause, tuple[Blamed, ...]]:
        found: dict[Cause, list[Blamed]] = {}
        for (cause, key), seconds in sorted(used.blamed.items(), key=lambda one: -one[1]):
            if seconds <= 0:
                continue
            queue = self._sources.queues.hosts.get(key)
            found.setdefault(cause, []).append(
                Blamed(
                    host=key,
                    share=min(1.0, seconds / max(1e-9, used.at)),
                    delay=queue.delay if queue else self._sources.queues.delay,
                    robots_delay=queue.robots_delay if queue else None,
                    rate_limited=queue.rate_limited if queue else 0,
                )
            )
        return {cause: tuple(hosts) for cause, hosts in found.items()}

    def _read(self, now: float) -> Reading:
        ledger, sources = self._ledger, self._sources
        parse, extract, commit, requests = ledger.parse, ledger.extract, ledger.commit, ledger.requests
        return Reading(
            at=now,
            pages=sources.tally.pages,
            bytes=sources.tally.bytes,
            feed=dict(zip(Feed, ledger.feed.spent(now), strict=True)),
            sampled=dict(self._sampled),
            blamed=dict(self._blamed),
            loop_cpu=thread_time(),
            loop_starved=self._cores.starved(),
            main_cpu=process_time(),
            machine=self._cores.machine(),
            parse_ran=self._parse_ran.read(parse.running.total + extract.running.total, *sources.taken()),
            extract_ran=extract.running.total,
            parse_cpu=parse.cpu + extract.cpu,
            mirror_ran=ledger.mirror.running.total,
            commit_ran=commit.running.total,
            commit_cpu=commit.cpu,
            commits=commit.batches,
            committed=commit.running.count,
            journal_other=commit.other,
            synced=sources.synced(),
            requests=requests.sent,
            answered=requests.answered,
            dns=requests.dns,
            connect=requests.connect,
            first_byte=requests.first_byte,
            body=requests.body,
            connections=requests.connections,
            handshakes=requests.handshakes,
            lookups=sources.lookups(),
            rate_limited=requests.rate_limited,
            outcomes=dict(sources.tally.outcomes),
            samples=self._samples,
            late=self._late,
            slots=self._slots,
            room=self._room,
            ready=self._ready,
            spare=self._spare,
            allowed=self._allowed,
            carried=self._carried,
        )
