"""The change log, ``changes.jsonl``: a line for each page that is not what it was, in the order of their commits.

It begins with the second round of a folder: in the first one all pages are new, and the page log has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crawler.core.changes import Change, Earlier
from crawler.core.records import Page
from crawler.core.text import inert_json
from crawler.storage.append_file import AppendFile
from crawler.storage.database import CHANGE_LOG


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page, now and earlier. Digests are ``sha256:`` and hexadecimal digits, times are UTC."""

    url: str
    change: Change
    round: int
    at: datetime
    status: int
    digest: str = ""
    to: str = ""
    """Where it has moved."""
    title: str = ""
    earlier_at: datetime | None = None
    """When it was last seen; missing if it never was."""
    earlier_status: int = 0
    earlier_digest: str = ""


def is_told(page: Page) -> bool:
    """Tell whether a page has a line here."""
    return page.round > 1 and page.change not in (None, Change.UNCHANGED)


def line_of(page: Page, earlier: Earlier, location: str) -> Line:
    """Tell what became of a page.

    Args:
        page: as it is now.
        earlier: how it was.
        location: where it points, if it is a redirect.
    """
    assert page.change is not None  # noqa: S101  the caller has asked is_told
    line = Line(
        page.url, page.change, page.round, page.fetched_at, page.status, page.digest, to=location, title=page.title
    )
    if not earlier.there:
        return line
    return msgspec.structs.replace(
        line,
        earlier_at=datetime.fromtimestamp(earlier.fetched_at, UTC),
        earlier_status=earlier.status,
        earlier_digest=f"sha256:{earlier.digest.hex()}",
    )


class ChangeLog:
    """The file, open; what goes past its committed length is cut off.

    Args:
        folder: the output folder.
        length: what the database says is committed.

    Raises:
        FolderDamaged, FolderUnusable, StorageError: as :class:`AppendFile`.
    """

    def __init__(self, folder: Path, length: int) -> None:
        self._file = AppendFile.open(folder / CHANGE_LOG, length)
        self._encode = msgspec.json.Encoder().encode
        self.sync = self._file.sync
        self.close = self._file.close

    @property
    def length(self) -> int:
        """Bytes that were written whole."""
        return self._file.length

    def append(self, lines: Iterable[Line]) -> None:
        """Write the lines.

        Raises:
            StorageError: not all could be written; the file takes no more.
        """
        self._file.append(b"".join(inert_json(self._encode(line)) + b"\n" for line in lines))
