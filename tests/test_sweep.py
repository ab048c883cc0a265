"""A sample of the deterministic sweep; ``scripts/kill_sweep`` does all of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.testing.site import serve_in_thread
from tests.sweep import Fault, Sweep, why_not


@contextlib.contextmanager
def sweeping(folder: Path, round_number: int) -> Iterator[Sweep]:
    if reason := why_not():
        pytest.skip(reason)
    sites, beyond = Sweep.hosts()
    with serve_in_thread(*sites, beyond):
        yield Sweep(folder, sites, beyond, round_number=round_number)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with sweeping(tmp_path_factory.mktemp("sweep"), 1) as made:
        yield made


@pytest.fixture(scope="module")
def second_round(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with sweeping(tmp_path_factory.mktemp("second"), 2) as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [
        Fault("kill", "rename", 2),
        Fault("kill", "writev", 6),
        Fault("kill", "fsync", 9),
        Fault("kill", "fdatasync", 8),
        Fault("kill", "pwrite64", 60),
        Fault("ENOSPC", "writev", 3),
        Fault("ENOSPC", "pwrite64", 40),
        Fault("EIO", "fsync", 7),
        Fault("EIO", "fdatasync", 9),
    ],
    ids=str,
)
def test_a_fault_at_a_given_call_loses_and_doubles_nothing(sweep: Sweep, fault: Fault) -> None:
    tried = sweep.strike(fault)

    assert tried.struck
    assert tried.wrong == []


@pytest.mark.parametrize(
    "fault",
    [Fault("kill", "pwrite64", 5), Fault("kill", "writev", 4), Fault("kill", "fdatasync", 4), Fault("EIO", "write", 4)],
    ids=str,
)
def test_a_fault_in_a_later_round_loses_and_doubles_nothing(second_round: Sweep, fault: Fault) -> None:
    tried = second_round.strike(fault)

    assert tried.struck
    assert tried.wrong == []


def test_a_disk_that_fails_ends_the_crawl_with_the_code_that_says_so(sweep: Sweep) -> None:
    tried = sweep.strike(Fault("ENOSPC", "writev", 4))

    assert tried.codes == [74, 0]


def test_a_kill_on_the_way_back_from_a_kill_loses_nothing_either(sweep: Sweep) -> None:
    tried = sweep.strike(Fault("kill", "writev", 8), Fault("kill", "pwrite64", 5))

    assert tried.codes[:2] == [-9, -9]
    assert tried.wrong == []


def test_a_crawl_that_makes_fewer_such_calls_is_not_struck(sweep: Sweep) -> None:
    tried = sweep.strike(Fault("kill", "rename", 500))

    assert (tried.struck, tried.codes, tried.wrong) == (False, [0, 0], [])
