"""The URLs of an output folder that no crawl is writing to. Reads only."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from crawler.core.outcomes import State
from crawler.errors import UsageError
from crawler.storage.database import NAME, open_for_reading
from crawler.storage.lock import FolderLock


def url_list(folder: Path, state: State | None) -> Generator[str]:
    """Yield the URLs in a state, or all of them, in the order in which they became known.

    Raises:
        UsageError: there is no crawl in the folder.
        FolderBusy: a crawl is writing to it.
        FolderDamaged, FolderUnusable: its database cannot be read.
    """
    lock = FolderLock(folder, reading=True)
    try:
        if not (folder / NAME).exists():
            raise UsageError(f"there is no crawl in this folder (no {NAME})", where=str(folder))
        with closing(open_for_reading(folder)) as database, database.refusing():
            rows = database.connection.execute(
                "SELECT url FROM url WHERE ? IS NULL OR state = ? ORDER BY id", (state, state)
            )
            for (url,) in rows:
                yield url
    finally:
        lock.release()
