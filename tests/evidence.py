"""What a crawl left on disk, read by two readers that share no code.

The strict reader finds torn, padded and doubled members; warcio is what other people will read the archive with.
Whatever is wrong is a sentence that begins with the invariant it breaks; reading never fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator

from crawler.core.warc_reader import Member, WarcError, members

ANSWERS = ("response", "revisit")
WELL = (200, 304)
"""Statuses of pages that are there; the second one only where a page was asked for on condition."""


@dataclass(frozen=True, slots=True)
class Record:
    """One answer in the archive."""

    segment: str
    offset: int
    length: int
    kind: str
    url: str
    status: int
    digest: str
    """WARC-Payload-Digest as written."""
    payload: bytes


@dataclass(slots=True)
class Evidence:
    """The answers in the archive, the lines of both logs, and what is wrong with their form."""

    records: list[Record] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Evidence:
        """Read an output folder."""
        evidence = cls()
        for segment in sorted((folder / "archive").glob("*.warc.gz*")):
            evidence._read_segment(segment)
        evidence.lines = evidence._read_log(folder / "pages.jsonl")
        evidence.changes = evidence._read_log(folder / "changes.jsonl")
        return evidence

    def since(self, earlier: Evidence) -> Evidence:
        """Return what has been added to an earlier state of the folder."""
        known = {(record.segment, record.offset) for record in earlier.records}
        records = [record for record in self.records if (record.segment, record.offset) not in known]
        return Evidence(records, self.lines[len(earlier.lines) :], self.changes[len(earlier.changes) :])

    @property
    def pages(self) -> list[Record]:
        """The records of pages that are there."""
        return [record for record in self.records if record.status in WELL]

    def _read_segment(self, segment: Path) -> None:
        name, found = segment.name.removesuffix(".open"), list[Record]()
        try:
            with segment.open("rb") as file:
                # one by one: what stands before a torn member counts
                for member in members(file):
                    if member.header("WARC-Type") in ANSWERS:
                        found.append(_record(name, member))  # extend() would lose them all at once
        except WarcError as error:
            self.wrong.append(f"I3 {segment.name} is not made of whole records: {error}")
        self.records += found
        ours = [(record.kind, record.url, record.payload) for record in found]
        if ours != _by_warcio(segment):
            self.wrong.append(f"I3 warcio reads other records from {segment.name} than the strict reader")

    def _read_log(self, log: Path) -> list[dict[str, Any]]:
        text, found = log.read_bytes() if log.exists() else b"", list[dict[str, Any]]()
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            try:
                found.append(json.loads(line))
            except ValueError:
                self.wrong.append(f"I7 line {number} of {log.name} is no JSON: {line[:60]!r}")
        if text and not text.endswith(b"\n"):
            self.wrong.append(f"I7 the last line of {log.name} is cut off")
        return found


def _record(segment: str, member: Member) -> Record:
    head, _, payload = member.block.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    return Record(
        segment,
        member.offset,
        member.length,
        member.header("WARC-Type"),
        member.header("WARC-Target-URI"),
        int(status[0]) if status and status[0].isdigit() else 0,
        member.header("WARC-Payload-Digest"),
        payload,
    )


def _by_warcio(segment: Path) -> list[tuple[str, str, bytes]]:
    return list(_warcio(segment))


def _warcio(segment: Path) -> Iterator[tuple[str, str, bytes]]:
    """Read as far as warcio can."""
    with segment.open("rb") as file:
        try:
            for record in ArchiveIterator(file):
                if record.rec_type in ANSWERS:
                    url = record.rec_headers.get_header("WARC-Target-URI")
                    yield record.rec_type, url, record.raw_stream.read()
        except Exception as error:  # noqa: BLE001  # whatever it raises, it is a finding
            yield "unreadable", str(error), b""
