"""A journal killed before any call that touches the disk, by a process that simply ends there."""

from __future__ import annotations

import itertools
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest

from crawler.core.records import CrawlURL
from crawler.core.window import Want
from crawler.storage.attempt import Attempt
from crawler.storage.database import NAME, PAGE_LOG
from crawler.storage.frontier import StoredHost
from crawler.storage.journal import Journal, Robots
from crawler.storage.verify import verify
from tests.storage.attempts import SMALL_SEGMENTS, Holdings, answer, copy, journal, query, unanswered
from tests.storage.segments import FATAL

pytestmark = pytest.mark.timeout(600)  # hundreds of processes

KILLED = 9
LINKS = {"http://a/0": ("http://a/2", "http://b/0"), "http://b/0": ("http://b/1", "http://a/0", "http://a/3")}
BODIES = {"http://a/2": b"same", "http://b/1": b"same"}
PAGES = {"http://a/0", "http://a/1", "http://a/2", "http://a/3", "http://b/0", "http://b/1"}
REFUSING = "http://a/1"


def crawl(folder: Path) -> None:
    """Crawl what is not crawled yet, two pages a commit, as the engine would."""
    with journal(folder, SMALL_SEGMENTS) as opened:
        opened.sow(["http://a/0", "http://a/1"])
        while opened.reconsider() is not None:
            pass
        while waiting := queued(opened):
            opened.keep_robots(Robots(waiting[0].host, b"", 200, 1e10))
            opened.commit([ended(source) for source in waiting[:2]])


def queued(opened: Journal) -> list[CrawlURL]:
    hosts = opened.load([Want(key, 0, 100) for key in sorted(opened.frontier.waiting_hosts(set(), 9))])
    return [url for host in hosts if isinstance(host, StoredHost) for url in host.urls]


def ended(source: CrawlURL) -> Attempt:
    if source.url == REFUSING:
        return unanswered(source)
    return answer(source, BODIES.get(source.url, b""), links=LINKS.get(source.url, ()))


def killed_before(call: int, work: Callable[[], None]) -> bool:
    """Do the work in a process that ends before its n-th call to the disk or the database; tell whether it did."""
    child = os.fork()
    if not child:
        _work_and_end(call, work)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, KILLED}, f"the work failed before call {call}"
    return code == KILLED


def _work_and_end(call: int, work: Callable[[], None]) -> NoReturn:
    calls = itertools.count(1)
    fatal = FATAL | {"execute", "executemany", "executescript"}

    def watch(_frame: FrameType, event: str, function: object) -> None:
        if event == "c_call" and getattr(function, "__name__", "") in fatal and next(calls) == call:
            os._exit(KILLED)

    code = 1
    try:
        sys.setprofile(watch)
        work()
        sys.setprofile(None)
        code = 0
    except BaseException:  # noqa: BLE001  a test's child must not go on as the test
        sys.setprofile(None)
        traceback.print_exc()
    os._exit(code)


def kills(folder: Path) -> Iterator[Path]:
    """Yield a folder for each call of a crawl that was killed before it."""
    for call in itertools.count(1):
        out = folder / f"{call}"
        if not killed_before(call, partial(crawl, out)):
            assert call > 100, "the watch saw too few calls"
            return
        yield out


def as_it_is(folder: Path) -> None:
    """Leave all that was written: the process was killed."""
    del folder


def torn(folder: Path) -> None:
    """Leave half of what was not committed: the power was cut."""
    committed = dict(query(folder, "SELECT name, length FROM file"))
    for path in (folder / PAGE_LOG, *(folder / "archive").glob("*.open")):
        if path.exists():
            length = committed.get(path.name.removesuffix(".open"), 0)
            os.truncate(path, length + (path.stat().st_size - length) // 2)


def test_a_crawl_killed_before_any_call_holds_each_page_once_in_the_end(tmp_path: Path) -> None:
    for folder, harm in zip(kills(tmp_path), itertools.cycle((as_it_is, torn))):
        if (folder / NAME).exists():
            harm(folder)
            report = verify(folder)
            assert report.ok, report.lines

        crawl(folder)

        assert_whole(folder)


def test_a_start_killed_before_any_call_is_done_again(tmp_path: Path) -> None:
    killed = next(folder for folder in kills(tmp_path) if has_uncommitted_lines(folder))
    for call in itertools.count(1):
        folder = copy(killed, f"start-{call}")
        if not killed_before(call, partial(start, folder)):
            assert call > 20, "the watch saw too few calls"
            return

        crawl(folder)

        assert_whole(folder)


def start(folder: Path) -> None:
    with journal(folder, SMALL_SEGMENTS):
        pass


def has_uncommitted_lines(folder: Path) -> bool:
    """Tell whether the kill came between the lines of a batch, not the first one, and their transaction."""
    committed = dict(query(folder, "SELECT name, length FROM file")) if (folder / NAME).exists() else {}
    counting: int = committed.get(PAGE_LOG, 0)
    return 0 < counting < (folder / PAGE_LOG).stat().st_size


def assert_whole(folder: Path) -> None:
    report = verify(folder)
    assert report.ok, report.lines
    held = Holdings.of(folder)
    assert sorted(url for _, url, _ in held.records) == sorted(PAGES - {REFUSING})
    assert sorted(url for url, _ in held.lines) == sorted(PAGES)
    assert held.urls.keys() == PAGES
    assert {kind for kind, *_ in held.records} == {"response", "revisit"}
    assert [json.loads(line)["url"] for line in (folder / PAGE_LOG).read_text().splitlines()] == [
        url for url, _ in held.lines
    ]
    assert len(list((folder / "archive").glob("*.cdxj"))) == len(list((folder / "archive").glob("*.warc.gz")))
