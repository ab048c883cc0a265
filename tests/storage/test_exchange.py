from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.config import Config, Scope
from crawler.core.exchange import Parcel, Receipt
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.core.shards import Shard, Territory, assign
from crawler.core.tally import Tally
from crawler.core.url import host_key
from crawler.core.window import Want
from crawler.errors import FolderDamaged, Overtaken, UsageError
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
def shard(
    folder: Path, number: int = 0, *, run: int = 1, config: Config = ANY, key: bytes = KEY, life: int = 0
) -> Iterator[Journal]:
    folder.mkdir(exist_ok=True)
    with closing(Journal(folder, config, Seams(shard=Shard(number, TWO, run, key, life=life)))) as opened:
        yield opened


def fetch(journal: Journal, url: str, *links: str) -> list[CrawlURL]:
    """Finish a queued URL as a page with these links; return what is to be crawled."""
    source = queued(journal, url)
    return journal.commit([answer(source, b"body", links=links)]).queued


def queued(journal: Journal, url: str) -> CrawlURL:
    return next(one for one in journal.frontier.load(Want(host_key(url), 0, 100)) if one.url == url)


def waiting(journal: Journal, owner: int = 1) -> tuple[Parcel, ...]:
    return journal.parcels(owner)[1]


def urls(journal: Journal, owner: int = 1) -> list[str]:
    return [url for parcel in waiting(journal, owner) for _, _, url in parcel.links]


def receive(receiver: Journal, parcels: Sequence[Parcel], life: int = 0, after: int = 0) -> list[CrawlURL]:
    return receiver.receive(0, life, after, parcels)[1]


def standing(journal: Journal) -> tuple[int, int, int, int]:
    """Return parcels sent and received, and URLs that wait to be heard and to be kept."""
    assert journal.exchange is not None
    now = journal.exchange.standing
    return now.sent, now.received, now.waiting.total(), now.heard


def test_outlinks_of_other_shards_are_kept_for_them_and_not_crawled(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/"])
        found = fetch(journal, f"{HERE}/", f"{HERE}/own", f"{THERE}/1", f"{ALSO_THERE}/2", f"{THERE}/3")

        assert [url.url for url in found] == [f"{HERE}/own"]
        assert sorted(urls(journal)) == sorted([f"{THERE}/1", f"{THERE}/3", f"{ALSO_THERE}/2"])
        assert {(parcel.via, parcel.chain) for parcel in waiting(journal)} == {(f"{HERE}/", ())}
        assert standing(journal) == (2, 0, 3, 0)
        assert len(journal.frontier) == 2


def test_what_waits_is_there_after_a_restart_and_gone_when_it_was_delivered(tmp_path: Path) -> None:
    with shard(tmp_path) as journal:
        journal.sow([f"{HERE}/"])
        fetch(journal, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")

    with shard(tmp_path) as journal:
        first, second = waiting(journal)
        journal.told(1, Receipt(life=0, heard=first.number, kept=first.number))
        left = waiting(journal)

    assert left == (second,)
    with shard(tmp_path) as journal:
        assert waiting(journal) == (second,)
        assert standing(journal) == (2, 0, 1, 0)


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

        depths = [depth for parcel in waiting(journal) for _, depth, _ in parcel.links]

    assert depths == [3, 2]


def test_parcels_are_committed_once_however_often_they_come(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")
        parcels = waiting(sender)

        first, again = receive(receiver, parcels), receive(receiver, parcels)

        assert sorted(url.url for url in first) == sorted([f"{THERE}/1", f"{ALSO_THERE}/2"])
        assert again == []
        assert {(url.depth, url.via, url.kind) for url in first} == {(1, f"{HERE}/", Kind.LINK)}
        assert standing(receiver) == (0, 2, 0, 0)
        assert len(receiver.frontier) == 2


def test_the_page_that_led_here_is_known_after_a_restart(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1")
        receive(receiver, waiting(sender))

    with shard(tmp_path / "1", 1) as receiver:
        assert queued(receiver, f"{THERE}/1").via == f"{HERE}/"


def test_a_chain_of_redirects_goes_on_across_shards(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        source = replace(queued(sender, f"{HERE}/"), chain=("http://first.example/",))
        attempt = answer(source, b"", links=())
        sender.commit([replace(attempt, fetched=replace(attempt.fetched, status=302, location=f"{THERE}/x"))])

        (found,) = receive(receiver, waiting(sender))

    assert found.chain == ("http://first.example/", f"{HERE}/")
    assert found.depth == 0
    with shard(tmp_path / "1", 1) as receiver:
        assert queued(receiver, f"{THERE}/x").chain == found.chain


def test_what_other_shards_name_is_judged_by_the_seeds_of_this_one(tmp_path: Path) -> None:
    with shard(tmp_path / "0", config=Config()) as sender, shard(tmp_path / "1", 1, config=Config()) as receiver:
        sender.sow([f"{HERE}/"])
        receiver.sow([f"{THERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/in", f"{ALSO_THERE}/out")

        found = receive(receiver, waiting(sender))

        assert [url.url for url in found] == [f"{THERE}/in"]
        assert receiver.frontier.totals[Outcome.OUT_OF_SCOPE.state, "out_of_scope"] == 1


def test_where_folders_may_be_lost_a_parcel_stays_until_it_is_kept(tmp_path: Path) -> None:
    with shard(tmp_path / "0", life=3) as sender, shard(tmp_path / "1", 1, life=5) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")
        receipt, _ = receiver.receive(0, 3, 0, waiting(sender))
        sender.told(1, receipt)
        heard = standing(sender), waiting(sender)
        frozen = receiver.freeze()
        receiver.thaw()
        sender.told(1, Receipt(life=5, heard=0, kept=frozen.heard[0].last))

        assert heard == ((2, 0, 0, 2), ())
        assert (frozen.heard[0].life, receipt) == (3, Receipt(life=5, heard=frozen.heard[0].last, kept=0))
        assert standing(sender) == (2, 0, 0, 0)
    with shard(tmp_path / "0", life=4) as sender:
        assert waiting(sender) == ()


def test_a_receiver_that_was_brought_back_is_sent_again_what_it_has_forgotten(tmp_path: Path) -> None:
    with shard(tmp_path / "0", life=3) as sender:
        sender.sow([f"{HERE}/", f"{HERE}/b"])
        fetch(sender, f"{HERE}/", f"{THERE}/1")
        with shard(tmp_path / "1", 1, life=5) as receiver:
            sender.told(1, receiver.receive(0, 3, *sender.parcels(1))[0])
        fetch(sender, f"{HERE}/b", f"{THERE}/2")

        with shard(tmp_path / "elsewhere", 1, life=6) as receiver:
            gap, nothing = receiver.receive(0, 3, *sender.parcels(1))
            sender.told(1, gap)
            again = receive(receiver, waiting(sender), life=3)

    assert (gap.heard, nothing) == (0, [])
    assert {url.url for url in again} == {f"{THERE}/1", f"{THERE}/2"}


def test_a_sender_that_was_brought_back_is_heard_though_it_gives_the_same_numbers_again(tmp_path: Path) -> None:
    with shard(tmp_path / "1", 1, life=5) as receiver:
        for life, link in ((3, "lost"), (4, "found")):
            with shard(tmp_path / f"life-{life}", life=life) as sender:
                sender.sow([f"{HERE}/"])
                fetch(sender, f"{HERE}/", f"{THERE}/{link}")
                (parcel,) = waiting(sender)
                assert [url.url for url in receive(receiver, [parcel], life)] == [f"{THERE}/{link}"]

        with pytest.raises(Overtaken, match="life 3 of shard 0 is over: life 4 has been heard of"):
            receive(receiver, [parcel], life=3)


def test_a_new_run_counts_what_still_waits_as_sent_and_hears_it_anew(tmp_path: Path) -> None:
    with shard(tmp_path / "0") as sender, shard(tmp_path / "1", 1) as receiver:
        sender.sow([f"{HERE}/"])
        fetch(sender, f"{HERE}/", f"{THERE}/1", f"{ALSO_THERE}/2")
        first, _ = waiting(sender)
        receipt, _ = receiver.receive(0, 0, 0, [first])
        sender.told(1, receipt)

    with shard(tmp_path / "0", run=2) as sender, shard(tmp_path / "1", 1, run=2) as receiver:
        receive(receiver, waiting(sender))

        assert (standing(sender), standing(receiver)) == ((1, 0, 1, 0), (0, 1, 0, 0))
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
        receive(receiver, waiting(sender))
        fetch(receiver, f"{THERE}/1", f"{HERE}/")

    assert all(verify(tmp_path / number).ok for number in ("0", "1"))
