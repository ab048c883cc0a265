"""The tables of the crawl's database.

Rows are appended in the order of discovery and found by row number; what must be looked up by fingerprint
is looked up in memory, since a unique index on random numbers costs three times as much.
"""

from __future__ import annotations

APPLICATION = 0x43524C57  # "CRLW"
VERSION = 3
TABLES = {"setting", "root", "host", "url", "page", "file", "run"}

SCHEMA = """
-- key: of the fingerprints. rules: by which all refused URLs were judged; missing while that is to be done anew.
-- round: how many times the folder has been crawled; its first page, when it began, and when the one before it did.
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
    id INTEGER PRIMARY KEY,             -- order of discovery, and of being taken back
    fingerprint INTEGER NOT NULL,
    host INTEGER NOT NULL,              -- 0: never queued
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    depth INTEGER NOT NULL,
    via INTEGER NOT NULL,               -- 0: none; below 0: a page of another shard, see exchange.py
    state INTEGER NOT NULL,             -- 0 queued, 1 done, 2 failed, 3 skipped
    outcome TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,        -- not to be fetched before, or, if finished, due again then, Unix seconds
    round INTEGER NOT NULL DEFAULT 0,   -- in which it was finished last
    page INTEGER NOT NULL DEFAULT 0,    -- how it was when it was last there; 0: it never was, -1: another shard knows
    interval REAL NOT NULL DEFAULT 0,   -- seconds from one look to the next
    misses INTEGER NOT NULL DEFAULT 0   -- answers 404 and 410 in a row
);
CREATE INDEX waiting ON url (host, id) WHERE state = 0;
CREATE INDEX deep ON url (fingerprint) WHERE outcome = 'too_deep';

-- A finished URL: one row for each line of the page log, in the same order.
CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    url INTEGER NOT NULL,
    round INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    change TEXT,                        -- NULL: there is nothing to compare
    fetched_at REAL NOT NULL,
    status INTEGER NOT NULL,            -- 0: no answer
    mime TEXT NOT NULL,
    digest BLOB NOT NULL,               -- SHA-256 of the payload
    prefix INTEGER NOT NULL,            -- its first eight bytes
    size INTEGER NOT NULL,
    segment INTEGER NOT NULL,           -- 0: not archived
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    revisit INTEGER NOT NULL,
    etag TEXT,
    modified TEXT,                      -- Last-Modified as received
    location TEXT                       -- where a redirect points
);
CREATE INDEX payload ON page (prefix) WHERE segment > 0 AND revisit = 0;

-- Append-only files and how much of each counts.
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    length INTEGER NOT NULL,
    closed INTEGER NOT NULL
);

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    began_at REAL NOT NULL,
    ended_at REAL,                      -- missing: it was cut short
    told BLOB                           -- its figures, JSON
);
"""
