from __future__ import annotations

import gzip
import time
import zlib
from pathlib import Path

import pytest

from tests.graph import Web
from tests.invariants import Ordeal, check
from tests.killing import Blow, Ending, Tear, environment, run_and_kill, tear, trial, verify
from tests.leftovers import ended, processes
from tests.site import Site, serve_in_thread

SEED = 1
"""A web of which robots.txt is obeyed, crawled without a delay."""
POLITE_SEED = 2


@pytest.mark.parametrize("how", [Tear.MEMBER, Tear.ZEROS])
def test_a_tear_is_added_to_the_newest_open_segment(tmp_path: Path, how: Tear) -> None:
    (tmp_path / "archive").mkdir()
    whole = gzip.compress(b"whole")
    closed, opened = tmp_path / "archive" / "1.warc.gz", tmp_path / "archive" / "2.warc.gz.open"
    closed.write_bytes(whole)
    opened.write_bytes(whole)

    torn = tear(tmp_path, how)

    assert torn
    assert closed.read_bytes() == whole
    rest = opened.read_bytes().removeprefix(whole)
    assert rest
    assert not zlib.decompressobj(31).decompress(rest)[:0] if how is Tear.MEMBER else not rest.strip(b"\0")


def test_there_is_nothing_to_tear_in_a_folder_without_open_segments(tmp_path: Path) -> None:
    assert not tear(tmp_path, Tear.MEMBER)
    assert not tear(tmp_path, Tear.LINE)


def test_a_run_that_ends_by_itself_is_not_struck(tmp_path: Path) -> None:
    with serve_in_thread(site := Site()):
        ending = run_and_kill(["--version"], tmp_path / "printed", [site], after=1, blow=Blow.GROUP)

    assert (ending.struck, ending.code, ending.overdue) == (False, 0, False)
    assert (tmp_path / "printed").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    ("blow", "codes"), [(Blow.GROUP, {-9}), (Blow.PARENT, {-9}), (Blow.TERM, {10})], ids=lambda value: str(value)
)
def test_a_blow_falls_after_the_request_and_leaves_no_process(tmp_path: Path, blow: Blow, codes: set[int]) -> None:
    with serve_in_thread(site := Site()):
        seeds = [site.page("/", links=("/a", "/b")), *(site.page(path, slow=0.5) for path in ("/a", "/b"))]
        arguments = [*seeds, "-o", str(tmp_path / "out"), "--delay", "0.1", "--quiet"]
        ending = run_and_kill(arguments, tmp_path / "printed", [site], after=2, blow=blow)
        gone = all(ended(process.pid, time.monotonic() + 10) for process in session_of(ending))

    assert ending.struck
    assert ending.code in codes
    assert gone


def session_of(ending: Ending) -> list[object]:
    return [process for process in processes() if process.session == ending.session]


@pytest.mark.parametrize("seed", [SEED, POLITE_SEED])
def test_a_crawl_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    result = trial(seed, tmp_path / "trial", kills=3, pages=40)

    assert result.wrong == []
    assert result.kills
