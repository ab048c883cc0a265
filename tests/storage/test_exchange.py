from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.config import Config, Scope
from crawler.core.host_queues import Want
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.core.shards import Shard, Territory, assign
from crawler.core.tally import Tally
from crawler.core.url import host_key
from crawler.errors import FolderDamaged, UsageError
from crawler.seams import Seams
from crawler.storage.journal import Journal
from crawler.storage.verify import verify
from tests.storage.attempts import answer

ANY = Config(scope=Scope(rule="any"))
TWO = assign(2)
KEY = b"k" * 32


def owned_by(shard: int, number: int = 0) -> str:
    """Return the number-th host that belongs to a shard."""
    hosts = (f"http://host{count}.example{count}.org" for count in range(1000))
    return [host for host in hosts if Territory(TWO, 0).owner(host) == shard][number]


HERE, THERE, ALSO_THERE = owned_by(0), owned_by(1), owned_by(1, 1)


@contextmanager
def shard(folder: Path, number: int = 0, *, run: int = 1, config: Config = ANY, key: bytes = KEY) -> Iterator[Journal]:
    folder.mkdir(exist_ok=True)
    with closing(Journal(folder, config, Seams(shard=Shard(number, TWO, run, key)))) as opened:
        yield opened


def fetch(journal: Journal, url: str, *links: str) -> list[CrawlURL]:
    """Finish a queued URL as a page with these links; return what is to be crawled."""
    source = queued(journal, url)
    return journal.commit([answer(source, b"body", links=links)]).queued


def queued(journal: Journal, url: str) -> CrawlURL:
    return next(one for one in journal.frontier.load(Want(host_key(url), 0, 100)) if one.url == url)


def urls(journal: Journal, owner: int = 1) -> list[str]:
    return [url for parcel in journal.parcels(owner) for _, _, url in parcel.links]


def test_outlinks_of_other_shards_are_kept_for_them_and_not_crawled(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/"])
        found = fetch(journal, f"{HERE}/", f"{HERE}/own", f"{THERE}/1", f"{ALSO_THERE}/2", f"{THERE}/3")

        assert [url.url for url in found] == [f"{HERE}/own"]
        assert sorted(urls(journal)) == sorted([f"{THERE}/1", f"{THERE}/3", f"{ALSO_THERE}/2"])
        assert {(parcel.via, parcel.chain) for parcel in journal.parcels(1)} == {(f"{HERE}/", ())}
        assert journal.exchange is not None
        assert journal.exchange.standing.sent == 2
        assert journal.exchange.standing.waiting[1] == 3
        assert len(journal.frontier) == 2


def test_what_waits_is_there_after_a_restart_and_gone_when_it_was_delivered(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/"])
        fetch(journal, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")

    with shard(tmp_path) as journal:
        first, second = journal.parcels(1)
        journal.delivered(1, first.number)
        left = journal.parcels(1)

    assert left == (second,)
    with shard(tmp_path) as journal:
        assert journal.parcels(1) == (second,)
        assert journal.exchange is not None
        assert (journal.exchange.standing.sent, journal.exchange.standing.waiting[1]) == (2, 1)


def test_a_link_is_sent_once_however_many_pages_have_it(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/", f"{HERE}/other"])
        fetch(journal, f"{HERE}/", f"{THERE}/1")
        fetch(journal, f"{HERE}/other", f"{THERE}/1")

        assert urls(journal) == [f"{THERE}/1"]


def test_where_depth_matters_a_link_is_sent_again_when_it_is_found_nearer(tmp_path: Path) -> None:
    with shard(tmp_path, config=Config(scope=Scope(rule="any", max_depth=5))) as journal:
        journal.sow([f"{HERE}/"])
        fetch(journal, f"{HERE}/", f"{HERE}/a", f"{HERE}/b")
        fetch(journal, f"{HERE}/a", f"{HERE}/c")
        for page in ("c", "b"):
            fetch(journal, f"{HERE}/{page}", f"{THERE}/1")

        depths = [depth for parcel in journal.parcels(1) for _, depth, _ in parcel.links]

    assert depths == [3, 2]


def test_parcels_are_committed_once_however_often_they_come(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")
        parcels = sender.parcels(1)

        first, again = receiver.receive(0, parcels), receiver.receive(0, parcels)

        assert sorted(url.url for url in first) == sorted([f"{THERE}/1", f"{ALSO_THERE}/2"])
        assert again == []
        assert {(url.depth, url.via, url.kind) for url in first} == {(1, f"{HERE}/", Kind.LINK)}
        assert receiver.exchange is not None
        assert receiver.exchange.standing.received == 2
        assert len(receiver.frontier) == 2


def test_the_page_that_led_here_is_known_after_a_restart(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1")
        receiver.receive(0, sender.parcels(1))

    with shard(tmp_path / "1", 1) as receiver:
        assert queued(receiver, f"{THERE}/1").via == f"{HERE}/"


def test_a_chain_of_redirects_goes_on_across_shards(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        source = replace(queued(sender, f"{HERE}/"), chain=("http://first.example/",))
        attempt = answer(source, b"", links=())
        sender.commit([replace(attempt, fetched=replace(attempt.fetched, status=302, location=f"{THERE}/x"))])

        (found,) = receiver.receive(0, sender.parcels(1))

    assert found.chain == ("http://first.example/", f"{HERE}/")
    assert found.depth == 0
    with shard(tmp_path / "1", 1) as receiver:
        assert queued(receiver, f"{THERE}/x").chain == found.chain


def test_what_other_shards_name_is_judged_by_the_seeds_of_this_one(tmp_path: Path) -> None:
    with shard(tmp_path / "0", config=Config()) as sender, shard(tmp_path / "1", 1, config=Config()) as receiver:
        sender.sow([f"{HERE}/"])
        receiver.sow([f"{THERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/in", f"{ALSO_THERE}/out")

        found = receiver.receive(0, sender.parcels(1))

        assert [url.url for url in found] == [f"{THERE}/in"]
        assert receiver.frontier.totals[Outcome.OUT_OF_SCOPE.state, "out_of_scope"] == 1


def test_a_new_run_counts_what_still_waits_as_sent_and_hears_it_anew(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")
        first, _ = sender.parcels(1)
        receiver.receive(0, [first])
        sender.delivered(1, first.number)

    with shard(tmp_path / "0", run=2) as sender, shard(tmp_path / "1", 1, run=2) as receiver:
        receiver.receive(0, sender.parcels(1))

        assert sender.exchange is not None
        assert receiver.exchange is not None
        assert (sender.exchange.standing.sent, receiver.exchange.standing.received) == (1, 1)
        assert len(receiver.frontier) == 2


def test_a_shard_counts_what_it_finished_in_this_run_before_it_was_killed(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/", f"{HERE}/b"])
        fetch(journal, f"{HERE}/")
    with shard(tmp_path, run=2) as journal:
        fetch(journal, f"{HERE}/b")

    tally = Tally()
    with shard(tmp_path, run=2) as journal:
        journal.recall(tally)

    assert (tally.pages, tally.bytes, tally.outcomes) == (1, len(b"body"), {Outcome.OK: 1})
    assert {host: one.pages for host, one in tally.hosts.items()} == {HERE: 1}


def test_a_folder_of_another_crawl_is_refused(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/"])

    with pytest.raises(FolderDamaged, match="belongs to another crawl"), ExitStack() as opened:
        opened.enter_context(shard(tmp_path, key=b"x" * 32))


def test_a_shard_is_not_gone_on_with_alone(tmp_path: Path) -> None:
    with shard(tmp_path):
        pass

    with pytest.raises(UsageError, match="one shard of a crawl"):
        Journal(tmp_path, ANY)


def test_a_shards_folder_agrees_with_itself(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1")
        receiver.receive(0, sender.parcels(1))
        fetch(receiver, f"{THERE}/1", f"{HERE}/")

    assert all(verify(tmp_path / number).ok for number in ("0", "1"))
