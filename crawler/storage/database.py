"""The crawl's database: how it is made and opened, and what its refusals mean.

One connection, owned by one thread, for the life of a crawl, and locked against all others
(SQLite before 3.51.3 can corrupt a write-ahead log that several connections reset).

What a kill can leave is opened and gone on with. What it cannot leave is damage, and nothing is changed or begun anew:
a database that is cut, empty, foreign, of another version, or missing while the files it speaks of are there.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Literal

from crawler.errors import CrawlerError, FolderBusy, FolderDamaged, FolderUnusable, StorageError
from crawler.storage.schema import APPLICATION, SCHEMA, TABLES, VERSION

NAME = "crawl.db"
WAL = f"{NAME}-wal"
"""The write-ahead log: what was committed last, and is not yet in the database itself."""
PAGE_LOG = "pages.jsonl"
CHANGE_LOG = "changes.jsonl"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_CLOSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FAILING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
_MEMORY = ":memory:"
_CHECKPOINT = 1_000
"""Pages of the write-ahead log from which on it is moved into the database; SQLite's own default."""
_MAKE = (
    f"BEGIN; {SCHEMA};"  # noqa: S608  only constants are put into it
    f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
    "INSERT INTO setting VALUES ('key', randomblob(32)); COMMIT;"
)
_AMENDS = "restore it, or begin anew with --fresh, or from its archive with --rebuild"


class Database:
    """An open database. A refusal of SQLite becomes an error of ours, which names the file.

    ``started`` tells how to read a refusal: before, the folder is not fit for use; later, a write failed.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, incomplete: bool, file: BinaryIO | None = None
    ) -> None:
        self.connection = connection
        self.path = path
        self._file = file
        self.incomplete = incomplete
        """Whether a write-ahead log belongs to it that was not there: it may be older than the other files."""
        self.started = False
        self.litter: Path | None = None
        """A file to be removed in the end."""
        self.synced = 0.0
        """Seconds that transactions took to become durable."""

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn SQLite's errors into ours.

        Raises:
            FolderDamaged: the database is not what a crawl writes.
            FolderBusy, FolderUnusable: another program holds it, or it cannot be written; at the start only.
            StorageError: the disk is full or failing.
        """
        try:
            yield
        except sqlite3.Error as error:
            raise _refused(error, self.path, starting=not self.started) from error
        except (TypeError, ValueError, OverflowError) as error:
            if self.started:
                raise
            raise FolderDamaged(f"holds what no crawl writes ({error})", where=str(self.path)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make all that is done within durable together, or none of it.

        Raises:
            CrawlerError: as :meth:`refusing`; whether the transaction stands is seen at the next start.
        """
        with self.refusing():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                began = time.perf_counter()
                self.connection.execute("COMMIT")
                self.synced += time.perf_counter() - began
            except BaseException:
                with suppress(sqlite3.Error):  # the first error is the one to tell
                    self.connection.execute("ROLLBACK")
                raise

    def lineage(self) -> str:
        """Return a random word that tells this database, and its copies, from all others; within a transaction."""
        self.connection.execute("INSERT OR IGNORE INTO setting VALUES ('lineage', ?)", (token_hex(16),))
        ((word,),) = self.connection.execute("SELECT value FROM setting WHERE name = 'lineage'").fetchall()
        return str(word)

    def freeze(self) -> int:
        """Move all that is committed into the file itself, and leave it unchanged until :meth:`thaw`.

        What is committed meanwhile stands in the write-ahead log alone, so the file is the database of this moment,
        and may be read with :meth:`read` from another thread while commits go on.

        Returns:
            Its bytes.

        Source: SQLite's documentation, PRAGMA wal_checkpoint and wal_autocheckpoint.
        """
        with self.refusing():
            self.connection.execute("PRAGMA wal_autocheckpoint = 0")
            (blocked, *_), *_ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if blocked:
                raise StorageError("cannot be moved out of its log", where=str(self.path))
            ((pages,), *_) = self.connection.execute("PRAGMA page_count").fetchall()
            ((size,), *_) = self.connection.execute("PRAGMA page_size").fetchall()
        return int(pages) * int(size)

    def thaw(self) -> None:
        """Let what is committed be moved from the log into the file again."""
        with self.refusing():
            self.connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")

    def read(self, offset: int, length: int) -> bytes:
        """Read from the file itself, which is only its own database while it is frozen; any thread may.

        The file must not be opened anew for that: closing it would end SQLite's lock on it, which is the process's.
        """
        assert self._file is not None  # noqa: S101  -- what is in memory has no file, and is not frozen
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Let go of the file; what was committed is moved into it from its log."""
        self.connection.close()
        if self._file is not None:
            self._file.close()
        if self.litter is not None:
            self.litter.unlink(missing_ok=True)


def open_database(folder: Path, durability: Literal["full", "normal"]) -> Database:
    """Open the folder's database, or make it where nothing is there.

    Raises:
        FolderDamaged: it is not a database of ours, is damaged, missing, or was written by another version.
        FolderUnusable: it cannot be opened for writing.
        FolderBusy: another program holds it.
        StorageError: the disk is full or failing.
    """
    path = folder / NAME
    try:
        if not path.exists():
            _create(path)
        with ExitStack() as opened:
            file = opened.enter_context(path.open("r+b"))  # SQLite would say less clearly that it may not be written
            incomplete = _lacks_its_log(path)
            connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
            opened.pop_all()
    except sqlite3.Error as error:
        raise _refused(error, path, starting=True) from error
    except OSError as error:
        raise FolderUnusable(f"cannot be opened or written ({error.strerror})", where=str(path)) from error
    database = Database(connection, path, incomplete=incomplete, file=file)
    try:
        with database.refusing():
            database.connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # before anything is read
            recognise(database)
            _prepare(database.connection, durability)
    except BaseException:
        database.close()
        raise
    return database


def memory_database(most_bytes: int) -> Database:
    """Make a database that is in memory only, and takes so many bytes at most; past that it raises StorageError."""
    connection = sqlite3.connect(_MEMORY, isolation_level=None, cached_statements=64)
    connection.executescript(_MAKE)
    connection.execute("PRAGMA temp_store = MEMORY")
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA max_page_count = {max(1, most_bytes // page)}")
    return Database(connection, Path(_MEMORY), incomplete=False)


def open_for_reading(folder: Path) -> Database:
    """Open the database of a folder that no crawl is writing to, and leave it as it is.

    Raises:
        FolderDamaged: it is not a database of ours, is damaged, or was written by another version.
        FolderUnusable: it cannot be read.
    """
    path, shared = folder / NAME, folder / f"{NAME}-shm"
    has_log = _size(folder / WAL) > 0
    how = "mode=ro" if has_log else "mode=ro&immutable=1"  # without the latter, SQLite makes an empty log
    try:
        incomplete = _lacks_its_log(path)
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise _refused(error, path, starting=True) from error
    except OSError as error:
        raise FolderUnusable(f"cannot be opened ({error.strerror})", where=str(path)) from error
    database = Database(connection, path, incomplete=incomplete)
    database.litter = None if shared.exists() else shared  # SQLite makes it to read the log
    try:
        with database.refusing():
            recognise(database)
    except BaseException:
        database.close()
        raise
    return database


def recognise(database: Database) -> None:
    """Make sure that it is a database of ours, of this version, with all its tables.

    Raises:
        FolderDamaged: it is not.
    """
    where, connection = str(database.path), database.connection
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application != APPLICATION:
        raise FolderDamaged("this is not a crawler's database", where=where)
    if version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise FolderDamaged(f"written by {age} version (schema {version}, known is {VERSION})", where=where)
    if missing := sorted(TABLES - tables):
        raise FolderDamaged(f"has no table {', '.join(missing)}", where=where)


def sync_folder(folder: Path) -> None:
    """Make a created, renamed or removed file of a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_lost(folder: Path) -> None:
    """Refuse a folder that has no database, but what only a crawl with one can have left.

    Raises:
        FolderDamaged: its database is lost.
    """
    remains = [folder / WAL, folder / PAGE_LOG, *folder.glob("archive/crawl-*.warc.gz*")]
    if there := [one.relative_to(folder) for one in remains if _size(one)]:
        raise FolderDamaged(f"missing, but {there[0]} is there; {_AMENDS}", where=str(folder / NAME))


def _create(path: Path) -> None:
    """Make the database under another name first: one that bears its own name is whole, whenever the kill comes."""
    refuse_lost(path.parent)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.executescript(f"PRAGMA journal_mode = OFF; {_MAKE}")
    finally:
        connection.close()
    path.with_name(WAL).unlink(missing_ok=True)
    draft.replace(path)
    sync_folder(path.parent)


def _lacks_its_log(path: Path) -> bool:
    """Tell whether a log was in use and is gone. What it held is not missed if the other files know of nothing more.

    Source: the SQLite file format, §1.3: page size, format of writes, size in pages.
    """
    with path.open("rb") as file:
        header = file.read(100)
        size = file.seek(0, os.SEEK_END)
    if not header:
        raise FolderDamaged(f"is empty; {_AMENDS}", where=str(path))
    if path.with_name(WAL).exists():
        return False
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (page if page > 1 else 1 << 16)
    if header[24:28] == header[92:96] and size < whole:
        raise FolderDamaged(f"has {size} bytes of {whole}; {_AMENDS}", where=str(path))
    return header[18:19] == b"\x02"


def _prepare(connection: sqlite3.Connection, durability: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {durability.upper()}")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN IMMEDIATE")  # it is better to be told now that it cannot be written
    connection.execute("ROLLBACK")


def _refused(error: sqlite3.Error, path: Path, *, starting: bool) -> CrawlerError:
    code, where = getattr(error, "sqlite_errorcode", 0) & 0xFF, str(path)
    if code == sqlite3.SQLITE_FULL and where == _MEMORY:
        return StorageError(
            "the crawl has outgrown the memory that its state may take (store.memory); name an output folder,"
            " or allow it more"
        )
    if code in _DAMAGED or (starting and code not in _CLOSED | _BUSY | _FAILING):
        return FolderDamaged(f"is damaged ({error}); {_AMENDS}", where=where)
    if starting and code in _BUSY:
        return FolderBusy(f"another program holds it ({error})", where=where)
    if starting and code in _CLOSED:
        return FolderUnusable(f"cannot be opened or written ({error})", where=where)
    return StorageError(f"cannot be read or written ({error})", where=where)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
