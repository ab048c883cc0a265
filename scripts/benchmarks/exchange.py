"""The exchange of links between two shards alone: what a URL costs on its way from one frontier to another.

No network, no pages: outlinks are posted and committed, read and packed, unpacked and made known, and let go of.
What the receiver spends on making a URL known, a crawl without a cluster spends as well; it is told apart.
Costs are CPU time of one thread, by URL; figures are medians.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import msgspec

from crawler.config import Config, Scope
from crawler.core.exchange import Parcel, Receipt, batch
from crawler.core.records import CrawlURL, Kind
from crawler.core.shards import Shard, Territory, assign
from crawler.core.url import host_key
from crawler.storage.database import Database, open_database
from crawler.storage.exchange import Exchange
from crawler.storage.frontier import Frontier

PAGES_A_COMMIT = 32
"""Pages of one transaction, as a busy crawl has them."""
URLS_A_PAGE = 2
"""URLs that a page sends: what 1,000 shards of the simulated web send, and a little more."""
_CONFIG = Config(scope=Scope(rule="any"))
_KEY = b"k" * 32
_TWO = assign(2)
_OWNERS = Territory(_TWO, 0)
_parcels = msgspec.msgpack.Decoder(tuple[Parcel, ...])


class ExchangeCost(msgspec.Struct, frozen=True, kw_only=True):
    """µs of CPU, by URL."""

    urls: int
    posting: float
    """Put into the outbox, and committed with the page."""
    sending: float
    """Read from the outbox and packed."""
    receiving: float
    """Unpacked, and noted as heard; making the URLs known is not in it."""
    knowing: float
    """Making them known, which a crawl without a cluster does too."""
    letting_go: float
    """Taken out of the outbox when the receiver has them."""
    total: float
    """All but making them known."""


def exchange_cost(folder: Path, pages: int, turns: int) -> ExchangeCost:
    """Measure in two new folders for each turn."""
    found = [_turn(folder / str(turn), pages) for turn in range(turns)]
    names = ("posting", "sending", "receiving", "knowing", "letting_go")
    costs = {name: median(1e6 * one[name] / (pages * URLS_A_PAGE) for one in found) for name in names}
    total = sum(cost for name, cost in costs.items() if name != "knowing")
    return ExchangeCost(urls=pages * URLS_A_PAGE, total=total, **costs)


def _turn(folder: Path, pages: int) -> dict[str, float]:
    """Return seconds, by what they were spent on."""
    spent = dict.fromkeys(("posting", "sending", "receiving", "knowing", "letting_go"), 0.0)
    sources = list(_pages(pages))
    with _Side.opened(folder / "0", 0) as sender, _Side.opened(folder / "1", 1) as receiver:
        _discover(sender, sources, spent, "posting")
        while True:
            with _clock(spent, "sending"):
                after, waiting = sender.exchange.parcels(1)
                parcels = batch(waiting)
                content = msgspec.msgpack.encode(parcels)
            if not parcels:
                break
            with _clock(spent, "receiving"):
                receipt = receiver.receive(after, content)
            with _clock(spent, "letting_go"):
                sender.told(receipt)
    with _Side.opened(folder / "2", 1) as alone:
        _discover(alone, sources, spent, "knowing")
    spent["receiving"] -= spent["knowing"]
    return spent


class _Side:
    """What one shard has on its disk; it does what its journal does with it, and nothing else."""

    def __init__(self, database: Database, number: int) -> None:
        self.database = database
        self.exchange = Exchange(database, Shard(number, _TWO, 1, _KEY))
        self.frontier = Frontier(database, _CONFIG.scope, _CONFIG.traps, None, exchange=self.exchange)

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, number: int) -> Iterator[_Side]:
        folder.mkdir(parents=True)
        with closing(open_database(folder, "full")) as database:
            yield cls(database, number)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.database.transaction():
            yield
            self.frontier.flush()
        self.exchange.committed()

    def receive(self, after: int, content: bytes) -> Receipt:
        parcels = _parcels.decode(content)
        heard, new = self.exchange.heard_of(0).next(0, after, parcels)
        with self.transaction():
            receipt = self.exchange.remember(0, heard, len(new))
            self.frontier.receive(new, self.exchange)
        return receipt

    def told(self, receipt: Receipt) -> None:
        if self.exchange.told(1, receipt):
            with self.transaction():
                self.exchange.let_go(1)


def _discover(
    side: _Side, pages: Sequence[tuple[CrawlURL, list[tuple[Kind, str]]]], spent: dict[str, float], what: str
) -> None:
    for at in range(0, len(pages), PAGES_A_COMMIT):
        with _clock(spent, what), side.transaction():
            for source, links in pages[at : at + PAGES_A_COMMIT]:
                for _ in side.frontier.discover(source, links):
                    pass


def _pages(count: int) -> Iterator[tuple[CrawlURL, list[tuple[Kind, str]]]]:
    """Yield pages of the first shard, each with URLs of the second one that nobody has met."""
    here, there = (
        [host for number in range(200) if _OWNERS.owner(host := f"https://docs.example{number}.org") == shard]
        for shard in (0, 1)
    )
    for number in range(count):
        url = f"{here[number % len(here)]}/library/chapter-{number}.html"
        links = [
            (Kind.LINK, f"{there[(number + link) % len(there)]}/library/part-{link}/chapter-{number}.html")
            for link in range(URLS_A_PAGE)
        ]
        yield CrawlURL(number + 1, url, host_key(url)), links


@contextmanager
def _clock(spent: dict[str, float], what: str) -> Iterator[None]:
    began = time.thread_time()
    yield
    spent[what] += time.thread_time() - began
