"""Crawls of a few pages whose folder is copied to an object store, and stores that fail in the midst of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from crawler.config import Config, Scope, Store
from crawler.core.manifest import Manifest
from crawler.core.records import CrawlURL
from crawler.core.window import Want
from crawler.storage.frontier import StoredHost
from crawler.storage.journal import Journal
from crawler.storage.object_store import ObjectStore
from crawler.storage.snapshots import Snapshots
from tests.storage.attempts import answer

LINKS = {f"http://a/{number}": (f"http://a/{number + 1}", f"http://a/{number + 2}") for number in range(3)}
BODIES = {"http://a/2": b"same", "http://a/4": b"same"}
PAGES = {f"http://a/{number}" for number in range(5)}


QUICK = Config(scope=Scope(rule="any"), store=Store(durability="normal"))


class Lost(BaseException):
    """Stands for the death of the whole machine."""


class Failing(ObjectStore):
    """A store that does something in the place of its n-th change, or after it."""

    def __init__(self, url: str, *, at: int = 0, then: Callable[[], None], after: bool = False) -> None:
        super().__init__(url)
        self.changes = 0
        self.written: list[str] = []
        self._at = at
        self._then = then
        self._after = after

    def create(self, key: str, content: bytes) -> bool:
        with self._counted():
            return super().create(key, content)

    def write(self, key: str, chunks: Iterator[bytes], length: int) -> None:
        self.written.append(key)
        with self._counted():
            super().write(key, chunks, length)

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._counted():
                super().remove([key])

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.changes += 1
        if self.changes == self._at and not self._after:
            self._then()
        yield
        if self.changes == self._at and self._after:
            self._then()


class Shard:
    """A crawl in one folder, two pages a commit and a snapshot after each; used from one thread."""

    def __init__(self, folder: Path, store: ObjectStore, *, keep: int = 3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.snapshots = Snapshots(store, folder, keep=keep)
        self.restored = self.snapshots.begin()
        self.journal = Journal(folder, QUICK)
        self.asked: list[str] = []

    def crawl(self, *, commits: int = 99) -> None:
        """Crawl what is not crawled yet."""
        self.journal.sow(["http://a/0"])
        while (waiting := self._queued()) and commits:
            self.step(waiting[:2])
            commits -= 1

    def step(self, sources: list[CrawlURL]) -> Manifest:
        self.asked += [source.url for source in sources]
        self.journal.commit(
            [answer(source, BODIES.get(source.url, b""), links=LINKS.get(source.url, ())) for source in sources]
        )
        return self.snapshot()

    def snapshot(self) -> Manifest:
        frozen = self.journal.freeze()
        try:
            copy = self.snapshots.copy(frozen)
        finally:
            self.journal.thaw()
        return self.snapshots.take(frozen, copy)

    def close(self) -> None:
        self.journal.close()

    def _queued(self) -> list[CrawlURL]:
        hosts = self.journal.load([Want("http://a", 0, 100)])
        return [url for host in hosts if isinstance(host, StoredHost) for url in host.urls]


@contextmanager
def shard(folder: Path, store: ObjectStore, *, keep: int = 3) -> Iterator[Shard]:
    with closing(Shard(folder, store, keep=keep)) as opened:
        yield opened


def place(folder: Path) -> str:
    return f"file://{folder}"
