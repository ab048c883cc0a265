"""How the database is made, opened and refused."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from crawler.errors import CrawlerError, FolderBusy, FolderDamaged, FolderUnusable, StorageError
from crawler.storage.database import NAME, WAL, Database, open_database, open_for_reading
from crawler.storage.schema import VERSION
from tests.storage.attempts import copy, crawled, journal, sow, tamper

NOBODY = 65534


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    open_database(folder, "full").close()
    return folder / NAME


def key(database: Database) -> bytes:
    (value,) = database.connection.execute("SELECT value FROM setting WHERE name = 'key'").fetchone()
    assert isinstance(value, bytes)
    return value


def test_a_new_database_is_whole_and_the_only_file(tmp_path: Path) -> None:
    (tmp_path / "crawl.new").write_bytes(b"half a database, left by a kill")

    made(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_each_crawl_has_a_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")

    with (
        closing(open_database(tmp_path / "a", "full")) as first,
        closing(open_database(tmp_path / "b", "full")) as other,
    ):
        assert len(key(first)) == 32
        assert key(first) != key(other)
        before = key(first)
    with closing(open_database(tmp_path / "a", "full")) as again:
        assert key(again) == before


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_commits_go_to_a_log_and_wait_for_the_disk_as_asked(tmp_path: Path, durability: str, level: int) -> None:
    with closing(open_database(tmp_path, durability)) as database:  # type: ignore[arg-type]  # a parameter is no literal
        assert database.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.connection.execute("PRAGMA synchronous").fetchone() == (level,)


def test_a_second_connection_is_kept_out_while_a_crawl_has_it_open(tmp_path: Path) -> None:
    with (
        closing(open_database(tmp_path, "full")),
        closing(sqlite3.connect(tmp_path / NAME, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT * FROM url")


def test_a_database_that_another_program_reads_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, timeout=0))

    with closing(connect(tmp_path / NAME)) as other:
        other.execute("SELECT * FROM url").fetchall()
        with pytest.raises(FolderBusy, match=r"crawl\.db: another program holds it \(database is locked\)"):
            open_database(tmp_path, "full")


def test_reading_leaves_no_trace_and_needs_no_log(tmp_path: Path) -> None:
    crawled(tmp_path, "1", "2")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    with closing(open_for_reading(tmp_path)) as database:
        assert database.connection.execute("SELECT count(*) FROM url").fetchone() == (2,)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_reading_sees_what_is_only_in_the_log_and_leaves_it_there(tmp_path: Path) -> None:
    with journal(tmp_path / "out") as opened:
        sow(opened, "http://a/1", "http://a/2")
        killed = copy(tmp_path / "out", "killed")
    before = {path.name: path.read_bytes() for path in killed.iterdir() if path.is_file()}

    with closing(open_for_reading(killed)) as database:
        assert database.connection.execute("SELECT count(*) FROM url").fetchone() == (2,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.connection.execute("DELETE FROM url")

    assert {path.name: path.read_bytes() for path in killed.iterdir() if path.is_file()} == before
    assert before[WAL]


def test_a_refusal_while_crawling_is_a_storage_error_that_names_the_file(tmp_path: Path) -> None:
    with closing(open_database(tmp_path, "full")) as database:
        database.started = True
        database.connection.execute("PRAGMA max_page_count = 1")

        with pytest.raises(StorageError, match=rf"{NAME}: cannot be read or written \(database or disk is full\)"):
            grow(database)


def test_a_transaction_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with closing(open_database(tmp_path, "full")) as database:
        database.started = True
        database.connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StorageError):
            grow(database)
        database.connection.execute("PRAGMA max_page_count = 1000000")

        with database.transaction() as connection:
            connection.execute("INSERT INTO root VALUES (2)")

        assert database.connection.execute("SELECT fingerprint FROM root").fetchall() == [(2,)]
        assert database.connection.execute("SELECT name FROM setting").fetchall() == [("key",)]


def grow(database: Database) -> None:
    with database.transaction() as connection:
        connection.executemany("INSERT INTO setting VALUES (?, zeroblob(5000))", [(f"{n}",) for n in range(100)])


def cut_to(share: float) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garbage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def zeroed_after_its_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096))


def of_schema(version: int) -> Callable[[Path], None]:
    return lambda path: tamper(path.parent, f"PRAGMA user_version = {version}")


def foreign(path: Path) -> None:
    tamper(path.parent, "PRAGMA application_id = 7")


def without(table: str) -> Callable[[Path], None]:
    return lambda path: tamper(path.parent, f"DROP TABLE {table}")


def changed(sql: str) -> Callable[[Path], None]:
    return lambda path: tamper(path.parent, sql)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut_to(0), "is empty; restore it, or begin anew with --fresh"),
        (cut_to(0.001), "malformed"),
        (cut_to(0.1), "bytes of "),
        (cut_to(0.6), "bytes of "),
        (cut_to(0.999), "bytes of "),
        (zeroed, "file is not a database"),
        (garbage, "file is not a database"),
        (zeroed_after_its_head, "malformed"),
        (of_schema(VERSION + 1), f"written by a newer version \\(schema {VERSION + 1}, known is {VERSION}\\)"),
        (of_schema(VERSION - 1), f"written by an older version \\(schema {VERSION - 1}, known is {VERSION}\\)"),
        (foreign, "not a crawler's database"),
        (without("page"), "has no table page"),
        (changed("ALTER TABLE url RENAME COLUMN fingerprint TO mark"), "no such column: fingerprint"),
        (changed("UPDATE url SET fingerprint = 'x'"), "holds what no crawl writes"),
        (changed("UPDATE url SET state = 9"), "holds what no crawl writes"),
        (changed("DELETE FROM setting"), "holds what no crawl writes"),
        (changed("UPDATE file SET name = '../../etc/passwd' WHERE id = 1"), "passwd"),
    ],
)
def test_a_damaged_database_is_told_and_let_be(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    crawled(tmp_path, *map(str, range(40)))
    harm(tmp_path / NAME)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(FolderDamaged, match=said) as caught, journal(tmp_path):
        pass

    assert str(tmp_path) in str(caught.value) or "passwd" in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("left", ["pages.jsonl", "archive", WAL])
def test_a_missing_database_is_not_made_anew_where_its_files_are(tmp_path: Path, left: str) -> None:
    with journal(tmp_path / "out") as opened:
        opened.commit([])
        sow(opened, "http://a/1")
        killed = copy(tmp_path / "out", "killed")
    crawled(tmp_path / "whole", "1")
    folder = tmp_path / "found"
    folder.mkdir()
    ((killed if left == WAL else tmp_path / "whole") / left).rename(folder / left)

    with pytest.raises(FolderDamaged, match=r"crawl\.db: missing, but .* is there; restore it, or begin anew"):
        open_database(folder, "full")

    assert [path.name for path in folder.iterdir()] == [left]


def test_files_of_others_keep_nobody_from_beginning(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "holiday.zip").write_bytes(b"mine")
    (tmp_path / "report.json").write_bytes(b"{}")

    made(tmp_path)


def test_no_folder_no_database(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"crawl\.db: cannot be opened"):
        open_database(tmp_path / "nowhere", "full")
    with pytest.raises(FolderUnusable, match=r"crawl\.db: cannot be opened \(No such file"):
        open_for_reading(tmp_path / "nowhere")


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody for a while: root may write everywhere."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def readable() -> Iterator[Path]:
    """Make a folder that nobody, too, can get at; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        Path(name).chmod(0o755)


def test_a_folder_that_may_not_be_written_is_unusable(readable: Path) -> None:
    readable.chmod(0o555)

    with without_rights(), pytest.raises(FolderUnusable), journal(readable):
        pass

    assert list(readable.iterdir()) == []


def test_a_database_that_may_not_be_written_is_unusable(readable: Path) -> None:
    crawled(readable, "1")
    for path in (*readable.rglob("*"), readable):
        path.chmod(0o555 if path.is_dir() else 0o444)

    with (
        without_rights(),
        pytest.raises(FolderUnusable, match=r"crawl\.db: cannot be opened or written"),
        journal(readable),
    ):
        pass

    with without_rights(), closing(open_for_reading(readable)) as database:
        assert database.connection.execute("SELECT count(*) FROM url").fetchone() == (1,)


def test_a_database_that_may_be_written_in_a_folder_that_may_not_is_unusable(readable: Path) -> None:
    crawled(readable, "1")
    for path in (*readable.rglob("*"), readable):
        path.chmod(0o555 if path.is_dir() else 0o666)

    with without_rights(), pytest.raises(CrawlerError) as caught, journal(readable):
        pass

    assert isinstance(caught.value, FolderUnusable), caught.value
