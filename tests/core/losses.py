"""Shards that crawl a made-up web, tell each other links, take snapshots, die and lose their folders, a step at a time.

What they remember and what they say goes by the rules of :mod:`crawler.core.exchange`; all else is as simple as can be.
A message may be lost, come twice, or come when its sender is long dead, or lives on beside its successor.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from crawler.core.ending import Sight
from crawler.core.exchange import Heard, Parcel, Receipt, Way


@dataclass
class Folder:
    """What a shard has on its disk."""

    queued: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    outbox: list[tuple[int, Parcel]] = field(default_factory=list)
    posted: int = 0
    inbox: dict[int, Heard] = field(default_factory=dict)

    def add(self, url: int) -> None:
        if url not in self.done:
            self.queued.add(url)


class Shard:
    """A process of a shard."""

    def __init__(self, number: int, life: int, folder: Folder) -> None:
        self.number, self.life, self.folder = number, life, folder
        self.ways: dict[int, Way] = {}
        self.sent: set[int] = set()
        self.commits, self.kept = 0, -1
        self.taking: tuple[int, Folder] | None = None
        self.news: dict[int, tuple[int, Receipt]] = {}

    def introduce(self, shards: int) -> None:
        for sender in set(range(shards)) - {self.number}:
            heard = self.folder.inbox.get(sender, Heard())
            self.news[sender] = heard.life, Receipt(self.life, heard.last, 0)

    def way(self, owner: int) -> Way:
        return self.ways.get(owner, Way())

    def told(self, owner: int, life: int, receipt: Receipt) -> None:
        if life != self.life:
            receipt = Receipt(receipt.life, 0, 0)
        self.ways[owner] = way = self.way(owner).told(receipt)
        left = [(to, parcel) for to, parcel in self.folder.outbox if to != owner or parcel.number > way.kept]
        if len(left) < len(self.folder.outbox):
            self.folder.outbox = left
            self.commits += 1

    def receive(self, sender: int, life: int, after: int, parcels: tuple[Parcel, ...]) -> Receipt:
        heard, new = self.folder.inbox.get(sender, Heard()).next(life, after, parcels)
        self.folder.inbox[sender] = heard
        for parcel in new:
            self.folder.add(parcel.shard)
        self.commits += 1
        return Receipt(self.life, heard.last, 0)

    def look(self) -> Sight:
        nothing_to_do = not self.folder.queued and not self.folder.outbox
        return Sight(nothing_to_do and self.kept == self.commits, f"{self.number} {self.life}", self.commits)


class World:
    """All of them, and what is on its way between them.

    Args:
        chance: decides everything.
        shards: how many.
        faults: how many messages are lost, and how many processes and folders.
    """

    def __init__(self, chance: random.Random, shards: int, faults: int) -> None:
        self.chance, self.shards, self.faults = chance, shards, faults
        urls = range(4 * shards)
        self.links = {url: chance.choices(urls, k=chance.randint(0, 4)) for url in urls}
        self.seeds = {0, 1}
        self.store = [Folder() for _ in range(shards)]
        self.there: list[Shard | None] = [self._started(number, 1, Folder()) for number in range(shards)]
        self.lives = [1] * shards
        self.down: dict[int, Folder] = {}
        self.ghosts: list[Shard] = []
        """Processes that were thought dead."""
        self.under_way: list[Callable[[], None]] = []

    @property
    def truth(self) -> set[int]:
        found, left = set[int](), list(self.seeds)
        while left:
            if (url := left.pop()) not in found:
                found.add(url)
                left += self.links[url]
        return found

    @property
    def folders(self) -> list[Folder]:
        """Of all shards, as their processes have them or will find them."""
        return [shard.folder if shard else self.down[number] for number, shard in enumerate(self.there)]

    def left_of(self, folders: list[Folder]) -> set[int]:
        """Return what has not been crawled, as these folders have it."""
        return self.truth - set[int]().union(*(folder.done for folder in folders))

    def _started(self, number: int, life: int, folder: Folder) -> Shard:
        for seed in self.seeds:  # the driver deals them again to whoever has come back
            if seed % self.shards == number:
                folder.add(seed)
        return Shard(number, life, folder)

    # what happens

    def step(self) -> None:
        if self.under_way and self.chance.random() < 0.5:
            self._arrive()
            return
        number = self.chance.randrange(self.shards)
        shard = self.there[number]
        if shard is None:
            self._come_back(number)
        elif self.faults and self.chance.random() < 0.1:
            self.faults -= 1
            self._strike(shard)
        else:
            self.chance.choice((self._work, self._work, self._send, self._tell, self._snapshot))(shard)
        if self.ghosts and self.chance.random() < 0.2:
            self._send(self.chance.choice(self.ghosts))

    def _arrive(self) -> None:
        message = self.under_way.pop(self.chance.randrange(len(self.under_way)))
        if self.faults and self.chance.random() < 0.1:
            self.faults -= 1
            if self.chance.random() < 0.5:
                return
            self.under_way.append(message)
        message()

    def _strike(self, shard: Shard) -> None:
        self.there[shard.number] = None
        if self.chance.random() < 0.7:
            self.ghosts.append(Shard(shard.number, shard.life, deepcopy(shard.folder)))
            shard.folder = deepcopy(self.store[shard.number])
        self.down[shard.number] = shard.folder

    def _come_back(self, number: int) -> None:
        self.lives[number] += 1
        self.there[number] = back = self._started(number, self.lives[number], self.down.pop(number))
        back.introduce(self.shards)

    def _work(self, shard: Shard) -> None:
        folder = shard.folder
        if not folder.queued:
            return
        url = folder.queued.pop()
        folder.done.add(url)
        for link in self.links[url]:
            owner = link % self.shards
            if owner == shard.number:
                folder.add(link)
            elif link not in shard.sent:
                shard.sent.add(link)
                folder.posted += 1
                folder.outbox.append((owner, Parcel(folder.posted, link, str(url), (), ())))
        shard.commits += 1

    def _send(self, shard: Shard) -> None:
        owner = self.chance.randrange(self.shards)
        after = shard.way(owner).heard
        waiting = [parcel for to, parcel in shard.folder.outbox if to == owner and parcel.number > after]
        parcels = tuple(waiting[: self.chance.randint(1, 3)])
        if not parcels:
            return

        def arrive() -> None:
            if (there := self.there[owner]) is not None:
                try:
                    receipt = there.receive(shard.number, shard.life, after, parcels)
                except ValueError:
                    return  # it is told that its life is over
                self.under_way.append(lambda: shard.told(owner, shard.life, receipt))

        self.under_way.append(arrive)

    def _tell(self, shard: Shard) -> None:
        """Tell somebody something, and remember it until it was heard."""
        if not shard.news:
            return
        sender = self.chance.choice(sorted(shard.news))
        news = shard.news[sender]

        def arrive() -> None:
            if (there := self.there[sender]) is not None:
                there.told(shard.number, *news)
                if shard.news.get(sender) == news:
                    del shard.news[sender]

        self.under_way.append(arrive)

    def _snapshot(self, shard: Shard) -> None:
        """Begin a snapshot, or end one that was begun: it is of the moment of its beginning."""
        if shard.taking is None:
            if shard.kept != shard.commits:
                shard.taking = shard.commits, deepcopy(shard.folder)
            return
        (shard.kept, self.store[shard.number]), shard.taking = shard.taking, None
        for sender, heard in self.store[shard.number].inbox.items():
            shard.news[sender] = heard.life, Receipt(shard.life, heard.last, heard.last)
