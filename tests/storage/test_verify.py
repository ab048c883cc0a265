"""A folder that agrees with itself, and one that miscounts."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from crawler.config import Config, Store
from crawler.errors import FolderBusy, FolderDamaged, UsageError
from crawler.storage.database import PAGE_LOG
from crawler.storage.lock import FolderLock
from crawler.storage.verify import verify
from tests.killing import environment
from tests.storage.attempts import EVERYTHING, answer, copy, crawled, journal, postponed, sow, tamper
from tests.storage.whole import index, records, report, segment, verify_text, wrong

# what is well


def test_a_whole_folder_is_told_in_four_counts(folder: Path) -> None:
    found = verify(folder)

    assert found.ok
    assert found.lines == [
        "6 URLs known, 4 done, 1 failed, 1 skipped, 0 queued: all accounted for",
        "4 records, 10 members, 2 segments: all whole",
        "2 indexes, 4 entries: sorted and complete",
        "5 lines in pages.jsonl: one for each finished page",
    ]


def test_checking_changes_nothing(folder: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}

    verify(folder)

    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before


def test_a_crawl_that_keeps_no_archive_is_checked_by_its_log(tmp_path: Path) -> None:
    config = Config(store=Store(archive="none"))
    crawled(tmp_path, "1", "2", config=config)

    assert verify(tmp_path).lines == [
        "2 URLs known, 2 done, 0 failed, 0 skipped, 0 queued: all accounted for",
        "0 records, 0 members, 0 segments: all whole",
        "0 indexes, 0 entries: sorted and complete",
        "2 lines in pages.jsonl: one for each finished page",
    ]


def test_a_folder_in_which_nothing_has_happened_yet_is_whole(tmp_path: Path) -> None:
    with journal(tmp_path):
        pass

    assert verify(tmp_path).ok


def test_an_unfinished_crawl_is_whole_too(tmp_path: Path) -> None:
    with journal(tmp_path / "out") as opened:
        one, two, _ = sow(opened, "http://a/1", "http://a/2", "http://a/3")
        opened.commit([answer(one), postponed(two, due=9.0)])
        killed = copy(tmp_path / "out", "killed")

    found = verify(killed)

    assert found.ok
    assert found.lines[0] == "3 URLs known, 1 done, 0 failed, 0 skipped, 2 queued: all accounted for"
    assert found.lines[2] == "0 indexes, 0 entries: sorted and complete"


def test_a_record_whose_head_has_no_certain_end_is_checked_by_its_size(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        made = answer(sow(opened, "http://a/")[0], b"body", head=b"HTTP/1.1 200 OK\r\nA: b\n \nC: d\r\n\r\n")
        opened.commit([made])
    assert not records(segment(tmp_path))[-1].header("WARC-Payload-Digest")
    assert verify(tmp_path).ok

    tamper(tmp_path, "UPDATE page SET size = size - 1")

    assert "the payload of http://a/ has the digest " in wrong(tmp_path, 1)


# what a kill may leave, and the next start clears away


@pytest.mark.parametrize("tail", [b"\x1f\x8b\x08 torn", bytes(700)])
def test_what_is_past_the_committed_length_is_said_and_is_no_mismatch(folder: Path, tail: bytes) -> None:
    for path in (segment(folder, 1), folder / PAGE_LOG):
        path.write_bytes(path.read_bytes() + tail)

    found = verify(folder)

    assert found.ok
    assert found.lines[4:] == [
        f"archive/{segment(folder, 1).name}: {len(tail)} bytes past what was committed; the next start cuts them off",
        f"pages.jsonl: {len(tail)} bytes past what was committed; the next start cuts them off",
    ]


def test_a_segment_that_was_never_committed_is_said_and_is_no_mismatch(folder: Path) -> None:
    newer = segment(folder, 1).name.replace("00002", "00003")
    (folder / "archive" / f"{newer}.open").write_bytes(b"begun")

    found = verify(folder)

    assert found.ok
    assert found.lines[4:] == [f"archive/{newer}.open: was never committed; the next start deletes it"]


def test_a_segment_that_waits_for_its_index_is_said_and_is_no_mismatch(folder: Path) -> None:
    path = segment(folder, 1)
    path.rename(path.with_name(f"{path.name}.open"))
    index(folder, 1).unlink()

    found = verify(folder)

    assert found.ok
    assert found.lines[4:] == [f"archive/{path.name}.open: is complete; the next start gives it its index and its name"]


def test_a_report_of_an_earlier_run_is_said_and_is_no_mismatch(folder: Path) -> None:
    report(folder, known=1, ended_at=5.0)

    found = verify(folder)

    assert found.ok
    assert found.lines[4:] == ["report.json: is of an earlier run; the next one that ends writes it anew"]


def test_a_report_that_is_missing_or_of_an_unfinished_crawl_is_no_mismatch(folder: Path) -> None:
    report(folder, known=1, ending="interrupted")
    assert verify(folder).ok

    (folder / "report.json").unlink()
    assert verify(folder).ok


# conservation


def test_a_url_known_twice_is_found(folder: Path) -> None:
    tamper(
        folder, "UPDATE url SET fingerprint = (SELECT fingerprint FROM url WHERE id = 1) WHERE outcome = 'out_of_scope'"
    )

    assert "crawl.db: 1 URL known more than once" in wrong(folder, 1)


@pytest.mark.parametrize(
    "change", ["url SET outcome = 'ok'", "url SET state = 7", "url SET outcome = NULL", "url SET outcome = 'what'"]
)
def test_a_state_that_does_not_fit_its_outcome_is_found(folder: Path, change: str) -> None:
    tamper(folder, f"UPDATE {change} WHERE outcome = 'out_of_scope'")

    assert re.search(r"crawl\.db: 1 URL in state \d with outcome .*, which cannot be", verify_text(folder))


def test_a_host_that_miscounts_its_queued_urls_is_found(folder: Path) -> None:
    tamper(folder, "UPDATE host SET queued = 3")

    assert "crawl.db: http://a has 3 queued URLs, but 0 were counted" in verify_text(folder)


def test_a_queued_url_of_no_host_is_found(folder: Path) -> None:
    tamper(folder, "UPDATE url SET state = 0, outcome = NULL WHERE outcome = 'out_of_scope'")

    assert "crawl.db: 1 queued URL of no host" in verify_text(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"done": 5}, "report.json: says 5 done, but 4 were counted"),
        ({"queued": 1}, "report.json: says 1 queued, but 0 were counted"),
        ({"known": 7}, "report.json: says 7 known, but 6 were counted"),
        ({"by_outcome": {"ok": 4}}, "report.json: its counts by outcome are not those of the database"),
    ],
)
def test_a_report_that_says_otherwise_is_found(folder: Path, changes: dict[str, object], said: str) -> None:
    report(folder, **changes)

    assert wrong(folder, 1) == said


@pytest.mark.parametrize("content", [b"", b"{}", b'{"ending"', b"\xff"])
def test_a_report_that_cannot_be_read_is_found(folder: Path, content: bytes) -> None:
    (folder / "report.json").write_bytes(content)

    assert wrong(folder, 1).startswith("report.json: cannot be read")


# as a whole


def test_many_mismatches_are_counted_and_the_first_twenty_named(tmp_path: Path) -> None:
    with journal(tmp_path, EVERYTHING) as opened:
        opened.commit([answer(source) for source in sow(opened, *(f"http://a/{number}" for number in range(50)))])
    tamper(tmp_path, "UPDATE page SET length = 7")

    found = verify(tmp_path)

    assert found.lines[1] == "50 records, 101 members, 1 segment: 100 mismatches"
    assert len(found.lines) == 4 + 20 + 1
    assert found.lines[-1] == "and 130 more"


def test_a_large_archive_is_not_loaded(tmp_path: Path) -> None:
    body = bytes(2_000_000)
    with journal(tmp_path) as opened:
        for source in sow(opened, *(f"http://a/{number}" for number in range(100))):
            opened.commit([answer(source, body + b"%d" % source.id)])
    script = "import resource, sys, pathlib; from crawler.storage.verify import verify;"
    script += "resource.setrlimit(resource.RLIMIT_AS, (150 << 20, -1));"
    script += "print(verify(pathlib.Path(sys.argv[1])).ok)"

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment(), capture_output=True, text=True, check=False
    )

    assert done.stdout == "True\n", done.stderr


def test_a_folder_that_a_crawl_writes_to_is_busy(folder: Path) -> None:
    lock = FolderLock(folder)

    with pytest.raises(FolderBusy, match="another crawl"):
        verify(folder)

    lock.release()


def test_a_folder_without_a_crawl_is_told_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no crawl in this folder \(no crawl\.db\)"):
        verify(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database" * 900, bytes(9000)])
def test_a_database_that_cannot_be_read_is_damage(folder: Path, content: bytes) -> None:
    (folder / "crawl.db").write_bytes(content)

    with pytest.raises(FolderDamaged, match=r"crawl\.db: "):
        verify(folder)


def test_a_database_that_is_damaged_inside_is_found_or_is_damage(folder: Path) -> None:
    content = (folder / "crawl.db").read_bytes()
    page = int.from_bytes(content[16:18], "big")
    for at in range(page, len(content), page):
        (folder / "crawl.db").write_bytes(content[:at] + bytes(page) + content[at + page :])

        with suppress(FolderDamaged):
            assert not verify(folder).ok or unused(content, at // page + 1)


def unused(content: bytes, page: int) -> bool:
    """Tell whether a page of the database holds nothing: the root of an empty table or index."""
    size = int.from_bytes(content[16:18], "big")
    return content[(page - 1) * size + 3 : (page - 1) * size + 5] == b"\0\0"


def test_a_folder_that_lost_its_database_is_damaged_and_not_empty(tmp_path: Path) -> None:
    (tmp_path / "pages.jsonl").write_text("{}\n")

    with pytest.raises(FolderDamaged, match=r"missing, but pages\.jsonl is there"):
        verify(tmp_path)
