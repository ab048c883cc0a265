"""The change log against the database: a line for each page that is not what it was, in the order of their commits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from crawler.storage.database import CHANGE_LOG, Database
from crawler.storage.findings import Findings, Stream, counted
from crawler.storage.page_log import LONGEST_LINE

_CHANGED = (
    "SELECT u.url, p.change, p.round, p.digest FROM page p JOIN url u ON u.id = p.url"
    " WHERE p.round > 1 AND p.change IS NOT NULL AND p.change != 'unchanged' ORDER BY p.id"
)


class _Line(msgspec.Struct, frozen=True):
    """What of a line is compared."""

    url: str
    change: str
    round: int
    digest: str = ""


def check_changes(folder: Path, database: Database, findings: Findings) -> list[str]:
    """Compare line by line, and return what there is; nothing where nothing was ever crawled again."""
    (length,) = database.connection.execute(
        "SELECT ifnull(max(length), 0) FROM file WHERE name = ?", (CHANGE_LOG,)
    ).fetchone()
    before, lines = findings.count, 0
    changed = Stream(database.connection.execute(_CHANGED))
    for at, line in _lines(folder / CHANGE_LOG, length, findings):
        lines += 1
        row = changed.take() if changed.head is not None else None
        if row is None:
            findings.add(f"{CHANGE_LOG}: offset {at}", f"the database knows of no such change of {line.url}")
        elif line != (stored := _of(*row)):
            findings.add(f"{CHANGE_LOG}: offset {at}", f"is {line}, but {stored} in the database")
    while changed.head is not None:
        findings.add(CHANGE_LOG, f"has no line for {changed.take()[0]}")
    if not lines and findings.count == before:
        return []
    return [f"{counted(lines, 'line')} in {CHANGE_LOG}: {findings.verdict(before, 'one for each change')}"]


def _lines(path: Path, length: int, findings: Findings) -> Iterator[tuple[int, _Line]]:
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        findings.add(CHANGE_LOG, f"has {size} bytes, but {length} were committed")
    if size > length:
        findings.note(CHANGE_LOG, f"{size - length} bytes past what was committed; the next start cuts them off")
    decode, at, end = msgspec.json.Decoder(_Line).decode, 0, min(size, length)
    if not end:
        return
    with path.open("rb") as file:
        while at < end and (text := file.readline(min(LONGEST_LINE, end - at))):
            try:
                yield at, decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                findings.add(f"{CHANGE_LOG}: offset {at}", f"is no line of a change, but {text[:40]!r} ({error})")
            at += len(text)


def _of(url: str, change: str, round_: int, digest: bytes) -> _Line:
    return _Line(url, change, round_, f"sha256:{digest.hex()}" if digest else "")
