"""The crawl's database: its tables, and how it is opened.

One connection, owned by one thread, for the life of a crawl
(SQLite before 3.51.3 can corrupt a write-ahead log that several connections reset).
Rows are appended in the order of discovery and found by row number;
what must be looked up by fingerprint is looked up in memory, since a unique index on random numbers costs three times as much.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

from crawler.errors import FolderDamaged, FolderUnusable

NAME = "crawl.db"
VERSION = 1
_APPLICATION = 0x43524C57  # "CRLW"

_SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- Fingerprints of what seeds stand for (scope keys), and of the host names they name.
CREATE TABLE root (fingerprint INTEGER NOT NULL);

CREATE TABLE host (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,           -- scheme://name[:port]
    shard INTEGER NOT NULL,             -- 0..4095, from the registered domain
    known INTEGER NOT NULL DEFAULT 0,   -- URLs ever queued
    queued INTEGER NOT NULL DEFAULT 0,  -- URLs queued now
    next_at REAL NOT NULL DEFAULT 0,    -- not to be asked before, Unix seconds
    robots BLOB,                        -- its robots.txt
    robots_status INTEGER NOT NULL DEFAULT 0,
    robots_until REAL NOT NULL DEFAULT 0
);

CREATE TABLE url (
    id INTEGER PRIMARY KEY,             -- order of discovery
    fingerprint INTEGER NOT NULL,
    host INTEGER NOT NULL,              -- 0: never queued
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    depth INTEGER NOT NULL,
    via INTEGER NOT NULL,               -- 0: none
    state INTEGER NOT NULL,             -- 0 queued, 1 done, 2 failed, 3 skipped
    outcome TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0         -- not to be fetched before, Unix seconds
);
CREATE INDEX waiting ON url (host, id) WHERE state = 0;
CREATE INDEX deep ON url (fingerprint) WHERE outcome = 'too_deep';

CREATE TABLE page (
    id INTEGER PRIMARY KEY,             -- the URL's
    fetched_at REAL NOT NULL,
    status INTEGER NOT NULL,
    mime TEXT NOT NULL,
    digest BLOB NOT NULL,               -- SHA-256 of the payload
    prefix INTEGER NOT NULL,            -- its first eight bytes
    size INTEGER NOT NULL,
    segment INTEGER NOT NULL,           -- 0: not archived
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    revisit INTEGER NOT NULL
);
CREATE INDEX payload ON page (prefix) WHERE segment > 0 AND revisit = 0;

-- Append-only files and how much of each counts.
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    length INTEGER NOT NULL,
    closed INTEGER NOT NULL
);
"""


def open_database(folder: Path, durability: Literal["full", "normal"]) -> sqlite3.Connection:
    """Open the folder's database, or make it.

    Raises:
        FolderDamaged: it is not a database of ours, is damaged, or was written by a newer version.
        FolderUnusable: it cannot be opened for writing.
    """
    path = folder / NAME
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_size == 0:
            raise FolderDamaged("the database is empty; restore it, or begin anew with --fresh", where=str(path))
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
        _recognise(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {durability.upper()}")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA temp_store = MEMORY")
    except (sqlite3.OperationalError, OSError) as error:
        raise FolderUnusable(f"the database cannot be opened ({error})", where=str(path)) from error
    except sqlite3.DatabaseError as error:
        raise FolderDamaged(f"the database is damaged ({error})", where=str(path)) from error
    return connection


def _create(path: Path) -> None:
    """Make the database under another name first: one that bears its own name is whole, whenever the kill comes."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    connection.executescript(
        f"{_SCHEMA}; PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {VERSION};"
        f"INSERT INTO setting VALUES ('key', randomblob(32));"
    )
    connection.close()
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a created, renamed or removed file of a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise FolderDamaged("this is not a crawler's database", where=str(path))
    if version > VERSION:
        raise FolderDamaged(f"written by a newer version (schema {version}, known is {VERSION})", where=str(path))
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
