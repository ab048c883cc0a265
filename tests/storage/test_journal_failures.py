"""Writes that fail, starts that fail, and a database that is older than the rest."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.config import Config, Politeness, Scope, Store
from crawler.core.outcomes import State
from crawler.errors import FolderDamaged, StorageError
from crawler.storage.database import PAGE_LOG, WAL
from crawler.storage.journal import Journal, Robots
from crawler.storage.page_log import MOST_AT_ONCE
from crawler.storage.verify import verify
from tests.storage.attempts import EVERYTHING, Holdings, answer, copy, journal, sow, tamper

# writes that fail


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("config", [EVERYTHING, Config(store=Store(archive="none"))], ids=["archive", "no archive"])
def test_a_write_that_fails_ends_the_journal_and_loses_nothing_committed(tmp_path: Path, config: Config) -> None:
    opened = Journal(tmp_path, config)
    one, two, three = sow(opened, "http://a/1", "http://a/2", "http://a/3")
    opened.commit([answer(one)])
    log = (tmp_path / PAGE_LOG).stat().st_size
    with no_file_longer_than(log + 20), pytest.raises(StorageError, match=os.strerror(27)) as caught:
        opened.commit([answer(two, b"longer " * 100)])
    assert str(tmp_path) in str(caught.value)

    for write in (
        lambda: opened.commit([answer(three)]),
        lambda: opened.sow(["http://a/4"]),
        lambda: opened.keep_robots(Robots("http://a", b"", 200, 1.0)),
        opened.reconsider,
    ):
        with pytest.raises(StorageError, match="takes no more after a write that failed"):
            write()
    opened.close()

    assert Holdings.of(tmp_path).lines == [("http://a/1", "ok")]
    assert verify(tmp_path).ok
    with journal(tmp_path, config) as again:
        again.commit([answer(two), answer(three)])
    assert [url for url, _ in Holdings.of(tmp_path).lines] == ["http://a/1", "http://a/2", "http://a/3"]
    assert verify(tmp_path).ok


def test_a_transaction_that_fails_ends_the_journal_and_loses_nothing_committed(tmp_path: Path) -> None:
    """The records and the lines are on disk by then, whole; they must not count."""
    opened = Journal(tmp_path, EVERYTHING)
    one, two = sow(opened, "http://a/1", "http://a/2")
    opened.commit([answer(one)])
    opened._database.connection.execute("PRAGMA max_page_count = 1")
    many = tuple(f"http://a/{number}/{'x' * 500}" for number in range(500))
    with pytest.raises(StorageError, match=r"crawl\.db: cannot be read or written \(database or disk is full\)"):
        opened.commit([answer(two, links=many)])
    assert len((tmp_path / PAGE_LOG).read_text().splitlines()) == 2
    opened.close()

    assert Holdings.of(tmp_path).lines == [("http://a/1", "ok")]
    with journal(tmp_path) as again:
        assert again.counts() == {(State.DONE, "ok"): 1, (State.QUEUED, ""): 1}
        again.commit([answer(two)])
    assert [url for _, url, _ in Holdings.of(tmp_path).records] == ["http://a/1", "http://a/2"]
    assert verify(tmp_path).ok


def test_a_start_that_fails_lets_go_of_everything(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.commit([answer(source) for source in sow(opened, "http://a/1", "http://a/2")])
    (segment,) = (tmp_path / "archive").glob("*.warc.gz")
    segment.rename(tmp_path / "elsewhere")
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(FolderDamaged, match=r"missing, but \d+ bytes of it were committed") as caught:
        Journal(tmp_path, EVERYTHING)

    assert len(list(Path("/proc/self/fd").iterdir())) == before, caught.value
    (tmp_path / "elsewhere").rename(segment)
    with journal(tmp_path) as again:
        assert again.counts() == {(State.DONE, "ok"): 2}


# a database that is older than the rest


def killed_after(folder: Path, pages: int) -> Path:
    """Return what a kill leaves after a commit of each page; all of it is in the database's log only."""
    with journal(folder) as opened:
        sources = sow(opened, *(f"http://a/{number}" for number in range(pages)))
        for at in range(0, pages, MOST_AT_ONCE):
            opened.commit([answer(source) for source in sources[at : at + MOST_AT_ONCE]])
        assert (folder / WAL).stat().st_size
        return copy(folder, "killed")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_missing_write_ahead_log_is_damage_and_nothing_begins_anew(tmp_path: Path) -> None:
    killed = killed_after(tmp_path / "out", 2)
    log = (killed / WAL).read_bytes()
    (killed / WAL).unlink()
    before = contents(killed)

    with pytest.raises(FolderDamaged, match=f"pages.jsonl: names finished pages .* and {WAL}.* is missing"):
        Journal(killed, EVERYTHING)

    assert contents(killed) == before
    assert not verify(killed).ok
    (killed / WAL).write_bytes(log)
    with journal(killed) as opened:
        assert opened.counts() == {(State.DONE, "ok"): 2}


def test_a_missing_write_ahead_log_that_held_no_page_is_not_missed(tmp_path: Path) -> None:
    with journal(tmp_path / "out") as opened:
        sow(opened, "http://a/1")
        killed = copy(tmp_path / "out", "killed")
    (killed / WAL).unlink()

    with journal(killed) as opened:
        assert len(sow(opened, "http://a/1")) == 1


@pytest.mark.parametrize("end", [b"half a line of the log", b'{"url":"http://a/', bytes(512), b"\xff\n", b"[]\n"])
def test_a_torn_line_after_a_clean_end_is_no_sign_of_damage(tmp_path: Path, end: bytes) -> None:
    with journal(tmp_path) as opened:
        opened.commit([answer(source) for source in sow(opened, "http://a/1")])
    whole = (tmp_path / PAGE_LOG).read_bytes()
    (tmp_path / PAGE_LOG).write_bytes(whole + end)

    with journal(tmp_path) as opened:
        assert opened.counts() == {(State.DONE, "ok"): 1}

    assert (tmp_path / PAGE_LOG).read_bytes() == whole


@pytest.mark.parametrize("harm", [bytes, lambda size: b"garbage!" * (size // 8)], ids=["zeros", "garbage"])
def test_a_damaged_write_ahead_log_that_held_many_pages_is_damage(tmp_path: Path, harm: type[bytes]) -> None:
    killed = killed_after(tmp_path / "out", MOST_AT_ONCE + 1)
    (killed / WAL).write_bytes(harm((killed / WAL).stat().st_size))
    before = contents(killed)

    with pytest.raises(FolderDamaged, match=f"names more than {MOST_AT_ONCE} finished pages"):
        Journal(killed, EVERYTHING)

    assert contents(killed) == before
    assert not verify(killed).ok
    with journal(killed, Config(scope=Scope(rule="any"), store=Store(durability="normal"))) as opened:
        assert opened.counts() == {}


def test_a_database_brought_back_from_yesterday_is_damage(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        one, two = sow(opened, "http://a/1", "http://a/2")
        opened.commit([answer(one)])
    yesterday = (tmp_path / "crawl.db").read_bytes()
    with journal(tmp_path) as opened:
        opened.commit([answer(two)])
    (tmp_path / "crawl.db").write_bytes(yesterday)

    with pytest.raises(FolderDamaged, match="names finished pages that the database does not know"):
        Journal(tmp_path, EVERYTHING)


def test_settings_that_are_not_about_urls_ask_nothing_again(tmp_path: Path) -> None:
    with journal(tmp_path, Config(scope=Scope(rule="host"))) as opened:
        (seed,) = sow(opened, "http://a/1")
        opened.commit([answer(seed, links=("http://b/",))])
        assert opened.reconsider() == []
        assert opened.reconsider() is None
    tamper(tmp_path, "UPDATE url SET url = 'http://a/never' WHERE url = 'http://b/'")

    with journal(tmp_path, Config(scope=Scope(rule="host"), politeness=Politeness(delay=9.0))) as opened:
        assert opened.reconsider() is None
