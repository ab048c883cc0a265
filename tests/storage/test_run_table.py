from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from crawler.storage.run_table import KEPT, RunRow, RunTable
from crawler.storage.schema import SCHEMA


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        yield connection


def test_a_run_that_never_ended_has_a_row_without_what_it_told(connection: sqlite3.Connection) -> None:
    RunTable(connection, 100.0).flush()
    ended = RunTable(connection, 200.0)
    ended.flush()
    ended.flush()
    ended.end(250.0, b"told")

    assert RunTable(connection, 300.0).earlier(9) == [RunRow(100.0, None), RunRow(200.0, b"told")]


def test_a_run_is_not_earlier_than_itself(connection: sqlite3.Connection) -> None:
    RunTable(connection, 100.0).end(150.0, b"first")
    now = RunTable(connection, 200.0)
    before = now.earlier(9)
    now.flush()

    assert now.earlier(9) == before == [RunRow(100.0, b"first")]


def test_the_last_ones_are_told_oldest_first(connection: sqlite3.Connection) -> None:
    for number in range(5):
        RunTable(connection, float(number)).end(number + 0.5, b"%d" % number)

    assert [row.told for row in RunTable(connection, 9.0).earlier(2)] == [b"3", b"4"]


def test_only_so_many_runs_are_kept(connection: sqlite3.Connection) -> None:
    for number in range(KEPT + 20):
        RunTable(connection, float(number)).end(number + 0.5, b"told")

    rows = RunTable(connection, 9.0).earlier(KEPT + 20)
    assert len(rows) == KEPT
    assert rows[-1].began_at == KEPT + 19
