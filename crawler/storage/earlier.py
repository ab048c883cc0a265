"""The archive of a run whose state was lost: what it holds, read again so that it need not be fetched again.

Reads only. Each segment is read to its end, or to where its whole records end: a kill leaves a torn tail.
Memory holds a place per answer, found by a hash of its URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from crawler.core.warc import NOT_MODIFIED
from crawler.core.warc_reader import EMPTY_LINE, Member, WarcError, members
from crawler.errors import FolderUnusable

_KEY = 16
_Place: TypeAlias = tuple[int, int]
"""Number of the segment, and offset within it."""


class Answer(Struct, frozen=True):
    """One request and its answer as they were archived."""

    request: bytes
    head: bytes
    body: bytes
    began_at: float
    address: str
    truncated: str


class EarlierArchive:
    """What the archives of earlier runs hold. Blocking; used from one thread only.

    Args:
        folders: output folders of those runs, oldest first.

    Raises:
        FolderUnusable: a segment cannot be read.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._segments = [path for folder in folders for path in sorted(folder.glob("archive/crawl-*.warc.gz*"))]
        self._answers: dict[bytes, tuple[_Place, _Place | None]] = {}
        self._payloads: dict[str, _Place] = {}
        for number, segment in enumerate(self._segments):
            self._survey(number, segment)

    def __len__(self) -> int:
        return len(self._answers)

    def answer(self, url: str) -> Answer | None:
        """Return what was archived of a URL; None if there is nothing, or it cannot be read any more."""
        found = self._answers.get(_key(url))
        if found is None:
            return None
        place, asked = found
        try:
            member, request = self._read(place), self._read(asked) if asked else None
            head, body = _parts(member)
            if member.header("WARC-Type") == "revisit":
                _, body = _parts(self._read(self._payloads[member.header("WARC-Payload-Digest")]))
            at = datetime.fromisoformat(member.header("WARC-Date")).timestamp()
        except (OSError, ValueError, LookupError):
            return None  # it is fetched again
        asking = request.block if request else b""
        return Answer(asking, head, body, at, member.header("WARC-IP-Address"), member.header("WARC-Truncated"))

    def _survey(self, number: int, segment: Path) -> None:
        asked: tuple[str, _Place] | None = None
        for member in _whole(segment):
            place, kind, url = (number, member.offset), member.header("WARC-Type"), member.header("WARC-Target-URI")
            if member.header("WARC-Profile") == NOT_MODIFIED:
                continue  # what it says of the page is that the answer before still holds
            if kind in ("response", "revisit"):
                self._answers[_key(url)] = (place, asked[1] if asked and asked[0] == url else None)
            if kind == "response":
                self._payloads.setdefault(member.header("WARC-Payload-Digest"), place)
            asked = (url, place) if kind == "request" else None

    def _read(self, place: _Place) -> Member:
        number, offset = place
        with self._segments[number].open("rb") as file:
            file.seek(offset)
            return next(members(file, offset=offset))


def _whole(segment: Path) -> Iterator[Member]:
    try:
        with segment.open("rb") as file:
            yield from members(file)
    except WarcError:
        return  # what follows is torn
    except OSError as error:
        raise FolderUnusable(f"cannot be read ({error.strerror})", where=str(segment)) from error


def _parts(member: Member) -> tuple[bytes, bytes]:
    end = EMPTY_LINE.search(member.block)
    if end is None:
        raise ValueError("no end of the header")
    return member.block[: end.end()], member.block[end.end() :]


def _key(url: str) -> bytes:
    return sha256(url.encode()).digest()[:_KEY]
