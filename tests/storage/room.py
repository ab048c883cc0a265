"""A frontier for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from crawler.config import Scope, Traps
from crawler.core.outcomes import Outcome, State
from crawler.core.records import CrawlURL, Kind
from crawler.core.window import Want
from crawler.storage.database import open_database
from crawler.storage.frontier import Frontier, Sown

ANY = Scope(rule="any")


class Room:
    """A frontier, each of whose calls is a transaction of its own."""

    def __init__(self, folder: Path, scope: Scope, traps: Traps) -> None:
        with ExitStack() as opened:
            self.database = opened.enter_context(closing(open_database(folder, "normal")))
            self.frontier = Frontier(self.database, scope, traps)
            self.close = opened.pop_all().close

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.database.transaction():
            yield
            self.frontier.flush()

    def sow(self, *urls: str) -> Sown:
        with self.transaction():
            return self.frontier.sow(urls)

    def discover(self, source: CrawlURL, *urls: str, kind: Kind = Kind.LINK) -> list[CrawlURL]:
        with self.transaction():
            return list(self.frontier.discover(source, [(kind, url) for url in urls]))

    def finish(self, source: CrawlURL, outcome: Outcome = Outcome.OK) -> None:
        with self.transaction():
            self.frontier.finish(source, outcome)

    def reconsider(self) -> list[CrawlURL]:
        """Ask about all refused URLs."""
        found: list[CrawlURL] = []
        while True:
            with self.transaction():
                some = self.frontier.reconsider()
            if some is None:
                return found
            found += some

    def load(self, host: str, after: int = 0, limit: int = 100) -> tuple[CrawlURL, ...]:
        return self.frontier.load(Want(host, after, limit))

    def rows(self, sql: str) -> list[Any]:
        return self.database.connection.execute(sql).fetchall()

    def totals(self) -> dict[tuple[State, str], int]:
        """Return the running totals, checked against the table."""
        totals = {key: count for key, count in self.frontier.totals.items() if count}
        assert totals == self.frontier.counts()
        return totals


@contextmanager
def room(folder: Path, scope: Scope = ANY, **traps: int) -> Iterator[Room]:
    with closing(Room(folder, scope, Traps(**traps))) as opened:
        yield opened


def urls(found: Sequence[CrawlURL]) -> list[str]:
    return [url.url for url in found]
