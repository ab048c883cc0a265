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
    """The answers in the archive, the lines of the page log, and what is wrong with their form."""

    records: list[Record] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Evidence:
        """Read an output folder."""
        evidence = cls()
        for segment in sorted((folder / "archive").glob("*.warc.gz*")):
            evidence._read_segment(segment)
        evidence._read_log(folder / "pages.jsonl")
        return evidence

    @property
    def pages(self) -> list[Record]:
        """The records of answers with status 200."""
        return [record for record in self.records if record.status == 200]

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

    def _read_log(self, log: Path) -> None:
        text = log.read_bytes() if log.exists() else b""
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.wrong.append(f"I7 line {number} of pages.jsonl is no JSON: {line[:60]!r}")
        if text and not text.endswith(b"\n"):
            self.wrong.append("I7 the last line of pages.jsonl is cut off")


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
