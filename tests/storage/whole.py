"""A small crawl whose folder agrees with itself, and what a check says once it does not."""

from __future__ import annotations

import json
from pathlib import Path

from crawler.config import Config, Scope, Store
from crawler.core.warc import members
from crawler.core.warc_reader import Member
from crawler.storage.verify import verify
from tests.storage.attempts import answer, journal, redirect, sow, unanswered

REPORT = {
    "ending": "complete",
    "ended_at": 2e9,
    "known": 6,
    "totals": {"done": 4, "failed": 1, "skipped": 1, "queued": 0},
}
BY_OUTCOME = {"ok": 3, "redirect": 1, "connect_refused": 1, "out_of_scope": 1}


def crawl(folder: Path) -> None:
    """Crawl: two segments, a revisit, a redirect, a failure, and a URL that is out of scope."""
    with journal(folder, Config(scope=Scope(rule="host"), store=Store(segment_size=1_500))) as opened:
        one, two, three, four = sow(opened, *(f"http://a/{number}" for number in range(1, 5)))
        (five,) = opened.commit([answer(one, b"same", links=("http://b/",)), redirect(two, "http://a/5")]).queued
        opened.commit([answer(three, b"same"), unanswered(four)])
        opened.commit([answer(five)])
    report(folder)


def report(folder: Path, **changes: object) -> None:
    told = json.loads(json.dumps(REPORT))
    told["totals"]["by_outcome"] = dict(BY_OUTCOME)
    for name, value in changes.items():
        (told["totals"] if name in told["totals"] else told)[name] = value
    (folder / "report.json").write_text(json.dumps(told))


def segment(folder: Path, number: int = 0) -> Path:
    return sorted((folder / "archive").glob("*.warc.gz"))[number]


def index(folder: Path, number: int = 0) -> Path:
    return sorted((folder / "archive").glob("*.cdxj"))[number]


def records(path: Path) -> list[Member]:
    with path.open("rb") as file:
        return list(members(file))


def wrong(folder: Path, count: int) -> str:
    """Return what was found wrong, which must be so many sentences, as one text."""
    found = verify(folder)
    assert not found.ok
    sentences = [line for line in found.lines[4:] if "the next start" not in line]
    assert len(sentences) == count, found.lines
    assert any("mismatch" in line or "wrong" in line for line in found.lines[:4]) or "report.json" in sentences[0]
    return "\n".join(sentences)


def verify_text(folder: Path) -> str:
    found = verify(folder)
    assert not found.ok
    return "\n".join(found.lines)
