"""Attempts for the tests of the journal, and what a folder holds after them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from crawler.config import Config, Scope, Store
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind, Parsed
from crawler.core.warc import exchange, members
from crawler.storage.attempt import Attempt
from crawler.storage.database import open_for_reading
from crawler.storage.journal import Journal

AT = 1795448401.5
EVERYTHING = Config(scope=Scope(rule="any"))
SMALL_SEGMENTS = Config(scope=Scope(rule="any"), store=Store(segment_size=2_000))
HEAD = b"HTTP/1.1 %d Said So\r\nContent-Type: text/html\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@contextmanager
def journal(folder: Path, config: Config = EVERYTHING) -> Iterator[Journal]:
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Journal(folder, config)) as opened:
        yield opened


def answer(
    source: CrawlURL,
    body: bytes = b"",
    *,
    status: int = 200,
    head: bytes = b"",
    links: Sequence[str] = (),
    truncated: str = "",
) -> Attempt:
    """Make an attempt that was answered; a body of its own unless told otherwise."""
    body = body or b"this is " + source.url.encode()
    head, digest, at = head or HEAD % status, sha256(body).digest(), AT + source.id
    fetched = Fetched(
        replace(source, attempts=source.attempts + 1),
        began_at=at,
        sent_at=at,
        outcome=None if status == 200 else Outcome.HTTP_CLIENT_ERROR,
        status=status,
        request=REQUEST,
        head=head,
        body=body,
        truncated=truncated,
        address="127.0.0.1",
    )
    request, response = exchange(
        source.url,
        REQUEST,
        head,
        body,
        digest=digest,
        address="127.0.0.1",
        date=at,
        truncated=truncated,
        ids=(str(uuid4()), str(uuid4())),
    )
    outlinks = tuple((Kind.LINK, link) for link in links)
    parsed = Parsed(
        Outcome.OK,
        digest=digest,
        record=request + response,
        request_size=len(request),
        mime="text/html",
        outlinks=outlinks,
    )
    return Attempt(fetched, parsed, fetched.outcome or Outcome.OK, "")


def redirect(source: CrawlURL, target: str) -> Attempt:
    made = answer(source, status=301)
    return replace(
        made, fetched=replace(made.fetched, outcome=Outcome.REDIRECT, location=target), outcome=Outcome.REDIRECT
    )


def unanswered(source: CrawlURL, outcome: Outcome = Outcome.CONNECT_REFUSED) -> Attempt:
    fetched = Fetched(replace(source, attempts=source.attempts + 1), AT, 0.0, outcome, "nobody there")
    return Attempt(fetched, None, outcome, fetched.detail)


def postponed(source: CrawlURL, *, due: float, hold_until: float = 0.0) -> Attempt:
    failed = unanswered(source, Outcome.HTTP_UNAVAILABLE)
    return replace(failed, again=replace(failed.fetched.source, due=due), hold_until=hold_until)


def sow(opened: Journal, *urls: str) -> list[CrawlURL]:
    return opened.sow(urls).queued


def crawled(folder: Path, *paths: str, config: Config = EVERYTHING) -> None:
    """Leave a folder as a crawl of a few pages leaves it, the last of them with the payload of the first."""
    with journal(folder, config) as opened:
        *others, last = sow(opened, *(f"http://a/{path}" for path in paths))
        for source in others:
            opened.commit([answer(source)])
        opened.commit([answer(last, answer(others[0]).fetched.body if others else b"")])


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a folder holds, in the order of the archive, of the log and of discovery."""

    records: list[tuple[str, str, str]]
    """Type, URL and payload digest of each answer in the archive."""
    lines: list[tuple[str, str]]
    """URL and outcome of each line of the page log."""
    urls: dict[str, tuple[int, str | None]]
    """URL → state and outcome."""

    @classmethod
    def of(cls, folder: Path) -> Holdings:
        records: list[tuple[str, str, str]] = []
        for segment in sorted((folder / "archive").glob("*.warc.gz*")):
            with segment.open("rb") as file:
                for member in members(file):
                    kind, url = member.header("WARC-Type"), member.header("WARC-Target-URI")
                    if kind in {"response", "revisit"}:
                        records.append((kind, url, member.header("WARC-Payload-Digest")))
        log = [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]
        rows = query(folder, "SELECT url, state, outcome FROM url ORDER BY id")
        urls = {url: (state, outcome) for url, state, outcome in rows}
        return cls(records, [(line["url"], line["outcome"]) for line in log], urls)


def query(folder: Path, sql: str) -> list[Any]:
    with closing(open_for_reading(folder)) as database:
        return database.connection.execute(sql).fetchall()


def tamper(folder: Path, sql: str) -> None:
    """Change the database behind the crawler's back."""
    with closing(sqlite3.connect(folder / "crawl.db")) as connection, connection:
        connection.executescript(sql)


def set_length(folder: Path, name: str, length: int) -> None:
    """Change what the database says of a file's length."""
    with closing(sqlite3.connect(folder / "crawl.db")) as connection, connection:
        connection.execute("UPDATE file SET length = ? WHERE name = ?", (length, name))


def copy(folder: Path, name: str) -> Path:
    """Take a picture of a folder, as a kill at this moment would leave it."""
    return Path(shutil.copytree(folder, folder.with_name(name)))
