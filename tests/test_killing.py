from __future__ import annotations

import gzip
import io
import signal
import time
from pathlib import Path

import pytest

from crawler.testing.site import Site, serve_in_thread
from tests.killing import Blow, Ending, Tear, run_and_kill, tear, trial
from tests.leftovers import Process, ended, processes

SEED = 1
"""A web of which robots.txt is obeyed, crawled without a delay."""
POLITE_SEED = 2


@pytest.mark.parametrize("how", [Tear.MEMBER, Tear.ZEROS])
def test_a_tear_is_added_to_the_open_segment_alone(tmp_path: Path, how: Tear) -> None:
    (tmp_path / "archive").mkdir()
    whole = gzip.compress(b"whole")
    closed, opened = tmp_path / "archive" / "1.warc.gz", tmp_path / "archive" / "2.warc.gz.open"
    opened.write_bytes(whole)
    closed.write_bytes(whole)

    torn = tear(tmp_path, how)

    assert torn
    assert closed.read_bytes() == whole
    assert opened.read_bytes().startswith(whole)
    assert len(opened.read_bytes()) > len(whole)


def test_a_cut_member_looks_whole_until_its_end(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    opened = tmp_path / "archive" / "1.warc.gz.open"
    opened.touch()

    tear(tmp_path, Tear.MEMBER)

    with gzip.open(io.BytesIO(opened.read_bytes())) as file:
        assert file.read(8) == b"WARC/1.1"
        with pytest.raises(EOFError):
            file.read()


def test_there_is_nothing_to_tear_in_a_folder_without_open_segments(tmp_path: Path) -> None:
    assert not tear(tmp_path, Tear.MEMBER)
    assert not tear(tmp_path, Tear.LINE)


def test_a_run_that_ends_by_itself_is_not_struck(tmp_path: Path) -> None:
    with serve_in_thread(site := Site()):
        ending = run_and_kill(["--version"], tmp_path / "printed", [site], after=1, blow=Blow.GROUP)

    assert (ending.struck, ending.code, ending.overdue) == (False, 0, False)
    assert (tmp_path / "printed").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    ("blow", "code"),
    [(Blow.GROUP, -signal.SIGKILL), (Blow.PARENT, -signal.SIGKILL), (Blow.TERM, 10)],
    ids=["group", "parent", "term"],
)
def test_a_blow_falls_after_the_request_and_leaves_no_process(tmp_path: Path, blow: Blow, code: int) -> None:
    with serve_in_thread(site := Site()):
        seeds = [site.page("/", links=("/a", "/b")), *(site.page(path, slow=0.5) for path in ("/a", "/b"))]
        arguments = [*seeds, "-o", str(tmp_path / "out"), "--delay", "0.1", "--quiet"]
        ending = run_and_kill(arguments, tmp_path / "printed", [site], after=2, blow=blow)
        gone = all(ended(process.pid, time.monotonic() + 10) for process in session_of(ending))

    assert ending.struck
    assert ending.code == code
    assert gone


def session_of(ending: Ending) -> list[Process]:
    return [process for process in processes() if process.session == ending.session]


@pytest.mark.parametrize("seed", [SEED, POLITE_SEED])
def test_a_crawl_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    result = trial(seed, tmp_path / "trial", kills=4, pages=32)

    assert result.wrong == []
    assert result.kills == 4
    assert result.rounds >= 2
