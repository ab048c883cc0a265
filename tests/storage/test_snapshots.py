"""Snapshots: what was copied to an object store goes on elsewhere, whatever happened on the way."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from crawler.core.manifest import manifest_key
from crawler.errors import (
    ConfigError,
    FolderUnusable,
    Overtaken,
    SnapshotDamaged,
    StorageError,
    StoreUnreachable,
    UsageError,
)
from crawler.storage.object_store import ObjectStore
from crawler.storage.snapshots import Abandoned, Snapshots
from crawler.storage.verify import verify
from tests.evidence import Evidence
from tests.storage.attempts import Holdings, sow
from tests.storage.snapshotting import BODIES, PAGES, Failing, Lost, Shard, place, shard


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(place(tmp_path / "store"))


def objects(store: ObjectStore, ending: str = "") -> list[Path]:
    root = Path(store.url.removeprefix("file://"))
    return sorted(path for path in root.rglob(f"*{ending}") if path.is_file())


def assert_whole(folder: Path) -> None:
    """Check I1, I2, I3, I5 and I7."""
    report = verify(folder)
    assert report.ok, report.lines
    evidence = Evidence.of(folder)
    assert evidence.wrong == []
    assert Counter(record.url for record in evidence.records) == dict.fromkeys(PAGES, 1)
    bodies = {url: BODIES.get(url, b"this is " + url.encode()) for url in PAGES}
    assert {one.url: one.payload for one in evidence.records if one.kind == "response"}.items() <= bodies.items()
    assert Counter(line["url"] for line in evidence.lines) == dict.fromkeys(PAGES, 1)


def test_a_crawl_goes_on_elsewhere_from_its_last_snapshot(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=2)
        last = first.snapshots.newest
    with shard(tmp_path / "two", store) as second:
        second.crawl()

    assert (first.restored, second.restored) == (False, True)
    assert last.pages == 3
    assert not set(first.asked) & set(second.asked)
    assert_whole(tmp_path / "two")


def test_what_is_brought_back_is_the_folder_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl()
    Snapshots(store, tmp_path / "two", keep=3).bring_back()
    with pytest.raises(UsageError, match="two: holds a crawl already; name an empty folder"):
        Snapshots(store, tmp_path / "two", keep=3).bring_back()

    names = ["pages.jsonl", *(f"archive/{path.name}" for path in (tmp_path / "one/archive").iterdir())]
    assert len(names) > 6
    for name in names:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
    assert Holdings.of(tmp_path / "two") == Holdings.of(tmp_path / "one")
    assert_whole(tmp_path / "two")


def test_commits_between_the_freezing_and_the_copying_are_not_in_the_snapshot(
    store: ObjectStore, tmp_path: Path
) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=1)
        frozen = first.journal.freeze()
        before = (tmp_path / "one" / "crawl.db").read_bytes
        size = len(before())
        first.journal.sow([f"http://b/{number:0300}" for number in range(20_000)])
        copy = first.snapshots.copy(frozen)
        first.journal.thaw()
        first.snapshots.take(frozen, copy)
        first.journal.sow(["http://c/"])
        grown = (tmp_path / "one" / "crawl.db").stat().st_size
    with shard(tmp_path / "two", store) as second:
        known = len(second.journal.frontier)

    assert known == 3
    assert size == frozen.size < grown


def test_a_machine_that_dies_at_any_change_of_the_store_loses_only_what_came_after_its_last_snapshot(
    tmp_path: Path,
) -> None:
    for at in itertools.count(1):
        folders = tmp_path / f"{at}"
        url = place(folders / "store")
        lost = _crawl_and_die(folders / "lost", Failing(url, at=at, then=_die))
        if lost is None:
            assert at > 18, "the store saw too few changes"
            return

        with shard(folders / "next", ObjectStore(url), keep=1) as successor:
            had = successor.snapshots.newest.pages
            successor.crawl()
            again = set(lost) & set(successor.asked)

        assert len(again) <= 2, "more than the pages since the last snapshot"
        assert len(successor.asked) == len(PAGES) - had
        assert_whole(folders / "next")
        assert_no_litter(ObjectStore(url), folders / "third")


def _die() -> None:
    raise Lost


def _crawl_and_die(folder: Path, store: ObjectStore) -> list[str] | None:
    """Crawl until the machine dies, and lose its disk; return what was asked for, or None if it did not die."""
    first: Shard | None = None
    try:
        first = Shard(folder, store, keep=1)
        first.crawl()
    except Lost:
        if first is not None:
            first.journal._sound = False  # it is dead: nothing more is written
            first.close()
        shutil.rmtree(folder)
        return first.asked if first else []
    first.close()
    return None


def assert_no_litter(store: ObjectStore, folder: Path) -> None:
    """Check that after the next start only what manifests name is there."""
    with shard(folder, store) as opened:
        manifests = opened.snapshots._manifests._there
        named = {piece.key for manifest in manifests.values() for piece in manifest.pieces}
        assert {*store.keys()} == named | {manifest_key(number) for number in manifests}


def test_a_snapshot_that_fails_is_made_up_for_by_the_next(tmp_path: Path) -> None:
    for at in range(1, 6):
        failing = Failing(place(tmp_path / f"s{at}"), at=1 + at, then=_refuse, after=at != 3)
        failed = 0
        with shard(tmp_path / f"f{at}", failing) as first:
            first.journal.sow(["http://a/0"])
            while waiting := first._queued():
                try:
                    first.step(waiting[:2])
                except StoreUnreachable:
                    failed += 1
            manifest = first.snapshot()
        Snapshots(failing, tmp_path / f"b{at}", keep=3).bring_back()

        assert failed == 1
        assert manifest.pages == len(PAGES)
        assert_whole(tmp_path / f"b{at}")


def _refuse() -> None:
    raise StoreUnreachable("does not answer")


def test_a_shard_thought_dead_cannot_write_once_its_successor_has_begun(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first, shard(tmp_path / "two", store) as second:
        with pytest.raises(Overtaken, match=r"one: another crawl has written snapshot 2 of file://.* an empty folder"):
            first.crawl(commits=1)
        second.crawl()

    Snapshots(store, tmp_path / "three", keep=3).bring_back()
    assert_whole(tmp_path / "three")


def test_a_shard_thought_dead_is_found_out_even_when_its_number_was_swept_away(
    store: ObjectStore, tmp_path: Path
) -> None:
    with shard(tmp_path / "one", store) as first, shard(tmp_path / "two", store, keep=1) as second:
        second.crawl()
        assert manifest_key(first.snapshots.newest.number + 1) not in store.keys("manifests/")

        with pytest.raises(Overtaken):
            first.crawl(commits=1)

    assert store.keys("manifests/") == [manifest_key(second.snapshots.newest.number)]
    Snapshots(store, tmp_path / "three", keep=3).bring_back()
    assert_whole(tmp_path / "three")


def test_a_folder_that_was_overtaken_does_not_go_on(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=1)
    with shard(tmp_path / "two", store):
        pass

    with pytest.raises(Overtaken):
        Shard(tmp_path / "one", store)
    with shard(tmp_path / "two", store) as second:
        second.crawl()

    assert_whole(tmp_path / "two")


def test_a_folder_goes_on_after_a_death_between_its_manifest_and_its_own_note_of_it(tmp_path: Path) -> None:
    url = place(tmp_path / "store")
    folder = tmp_path / "out"
    first = Shard(folder, Failing(url, at=6, then=_die, after=True))
    with pytest.raises(Lost):
        first.crawl()
    assert first.snapshots.newest.number < len(ObjectStore(url).keys("manifests/"))
    first.journal._sound = False
    first.close()

    with shard(folder, ObjectStore(url)) as again:
        again.crawl()

    assert not again.restored
    assert_whole(folder)


def test_an_object_that_was_altered_is_named_and_the_snapshot_before_it_is_used_only_if_asked_for(
    store: ObjectStore, tmp_path: Path
) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=3)
        newest = first.snapshots.newest
    database = max(objects(store, ".db"))
    content = bytearray(database.read_bytes())
    content[-1] ^= 1
    database.write_bytes(content)

    with pytest.raises(SnapshotDamaged, match=rf"{database.name}: is not what was written \(SHA-256 of crawl\.db"):
        Snapshots(store, tmp_path / "two", keep=3).bring_back()
    earlier = Snapshots(store, tmp_path / "two", keep=3).bring_back(newest.number - 1)
    with shard(tmp_path / "two", store) as second:
        second.crawl()

    assert earlier.number == newest.number - 1
    assert second.snapshots.newest.pages == len(PAGES)
    assert_whole(tmp_path / "two")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "is missing, but holds archive/"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"has \d+ bytes, not the \d+ of archive/"),
        (lambda path: path.write_bytes(path.read_bytes() + b"0" * 9), r"has more than \d+ bytes, not"),
    ],
)
def test_a_segment_that_is_not_what_it_was_is_named(
    store: ObjectStore, tmp_path: Path, harm: object, words: str
) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=3)
    harm(objects(store, ".warc.gz")[0])  # type: ignore[operator]

    with pytest.raises(SnapshotDamaged, match=words):
        Shard(tmp_path / "two", store)
    assert not (tmp_path / "two" / "crawl.db").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no manifest"),
        (b'{"number":1,"claim":1}', "says that it is number 1"),
        (b'{"version":2,"number":9,"claim":1}', "is of version 2, known is 1"),
        (b'{"number":9,"claim":1,"pieces":[{"file":"../x","length":1,"key":"a","sha256":""}]}', r"names '\.\./x'"),
        (
            b'{"number":9,"claim":1,"pieces":[{"file":"pages.jsonl","length":1,"key":"0000000001/../../x","sha256":""}]}',
            "which no snapshot writes",
        ),
    ],
)
def test_a_manifest_is_not_trusted(store: ObjectStore, tmp_path: Path, content: bytes, words: str) -> None:
    store.create(manifest_key(9), content)

    with pytest.raises(SnapshotDamaged, match=words):
        Shard(tmp_path / "one", store)


def test_an_empty_place_holds_nothing_to_bring_back(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no snapshot"):
        Snapshots(store, tmp_path / "one", keep=3).bring_back()


def test_a_place_with_snapshots_is_not_begun_anew(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store):
        pass

    with pytest.raises(UsageError, match="holds snapshots of an earlier crawl"):
        Snapshots(store, tmp_path / "two", keep=3).begin(fresh=True)


def test_parts_of_a_crawl_without_a_database_are_not_overwritten(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=1)
    (tmp_path / "one" / "crawl.db").unlink()
    kept = (tmp_path / "one" / "pages.jsonl").read_bytes()

    with pytest.raises(FolderUnusable, match=r"has archive, but no crawl\.db; name an empty folder"):
        Shard(tmp_path / "one", store)
    assert (tmp_path / "one" / "pages.jsonl").read_bytes() == kept


def test_a_restoring_that_was_cut_short_is_done_again(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=3)
    folder = tmp_path / "two"
    shutil.copytree(tmp_path / "one" / "archive", folder / "archive")
    (folder / "restoring").mkdir()
    (folder / "pages.jsonl").write_bytes(b"half a li")

    with shard(folder, store) as second:
        second.crawl()

    assert second.restored
    assert_whole(folder)


def test_only_so_many_snapshots_are_kept(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store, keep=2) as first:
        first.crawl()
        newest = first.snapshots.newest.number

    assert store.keys("manifests/") == [manifest_key(newest - 1), manifest_key(newest)]
    assert len(objects(store, ".db")) == 2


def test_a_segment_is_sent_once(store: ObjectStore, tmp_path: Path) -> None:
    counting = Failing(store.url, then=_die)
    with shard(tmp_path / "one", counting) as first:
        first.crawl()
        logs = [path for path in objects(store) if path.name.startswith("pages-")]
        segments = [key for key in counting.written if key.endswith(".warc.gz")]

    assert len(segments) == len(list((tmp_path / "one" / "archive").glob("*.warc.gz")))
    assert len(counting.written) == len(set(counting.written))
    assert b"".join(map(Path.read_bytes, logs)) == (tmp_path / "one" / "pages.jsonl").read_bytes()
    assert len(logs) == 3


def test_a_snapshot_is_given_up_when_the_crawl_ends(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.snapshots.abandoned = True

        with pytest.raises(Abandoned):
            first.crawl(commits=1)

    assert objects(store, ".db") == []


def test_a_log_that_shrank_is_not_copied(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=1)
        (tmp_path / "one" / "pages.jsonl").write_bytes(b"")
        sow(first.journal, "http://b/")

        with pytest.raises(StorageError, match="is shorter than committed"):
            first.crawl(commits=1)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x", "must begin with one of s3://"),
        ("bucket", "must begin with one of s3://"),
        ("s3://key:hidden@bucket/x", "credentials belong into the environment"),
        ("s3://bucket/x?secret=hidden", "credentials belong into the environment"),
        ("s3://", "names no place"),
    ],
)
def test_a_place_that_is_none_is_refused_without_repeating_secrets(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        ObjectStore(url)
    assert "hidden" not in str(raised.value)


def test_the_folder_knows_which_snapshots_are_its_own(store: ObjectStore, tmp_path: Path) -> None:
    with shard(tmp_path / "one", store) as first:
        first.crawl(commits=1)

    known = json.loads((tmp_path / "one" / "snapshot.json").read_text())
    assert (known["place"], list(known["manifests"])) == (store.url, [str(first.snapshots.newest.number)])
