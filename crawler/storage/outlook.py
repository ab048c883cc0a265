"""What a run would find in an output folder: which seeds are known, what is queued, and what is due. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from math import inf
from pathlib import Path

from msgspec import Struct, field

from crawler.core.fingerprint import fingerprint
from crawler.core.outcomes import State
from crawler.core.schedule import NEVER
from crawler.errors import FolderUnusable
from crawler.storage.database import NAME, Database, open_for_reading
from crawler.storage.lock import FolderLock


class Seen(Struct, frozen=True):
    """A seed that the folder knows. Times are Unix seconds."""

    state: State
    outcome: str
    """Empty if it is queued."""
    at: float = 0.0
    """When it was last looked at; 0.0 if it never was."""
    due: float = NEVER
    """When it is due again; infinite if never."""


class Outlook(Struct, frozen=True):
    """What is in the folder."""

    known: int
    queued: int
    due: int
    """URLs that a new round would queue; 0 while something is queued, for then the round that is there goes on."""
    seeds: dict[str, Seen] = field(default_factory=dict)
    """Those of the seeds that are known and were not refused when they became known."""


def outlook(folder: Path, seeds: Iterable[str], *, due_at: float | None) -> Outlook | None:
    """Look into an output folder that no crawl is writing to; None if there is no crawl in it.

    Args:
        folder: which need not exist.
        seeds: crawl URLs.
        due_at: Unix seconds up to which what is due would be queued again; infinite for everything, None for nothing.

    Raises:
        FolderBusy, FolderDamaged, FolderUnusable: as ``verify``.
    """
    if not (folder / NAME).exists():
        return None
    lock = FolderLock(folder, reading=True)
    try:
        with closing(open_for_reading(folder)) as database, database.refusing():
            return _outlook(database, seeds, due_at)
    except OSError as error:
        raise FolderUnusable(f"cannot be read ({error.strerror})", where=str(error.filename or folder)) from error
    finally:
        lock.release()


def _outlook(database: Database, seeds: Iterable[str], due_at: float | None) -> Outlook:
    execute = database.connection.execute
    known, queued = execute("SELECT count(*), count(*) FILTER (WHERE state = 0) FROM url").fetchone()
    due = 0
    if due_at is not None and not queued:
        due = execute(
            "SELECT count(*) FROM url WHERE state > 0 AND host > 0 AND due <= ? AND due < ?", (due_at, inf)
        ).fetchone()[0]
    return Outlook(known, queued, due, dict(_seen(database, seeds)))


def _seen(database: Database, seeds: Iterable[str]) -> Iterable[tuple[str, Seen]]:
    """Find seeds by one pass over the table, which has no index by fingerprint."""
    execute = database.connection.execute
    ((key,),) = execute("SELECT value FROM setting WHERE name = 'key'").fetchall()
    wanted = {fingerprint(url, key): url for url in seeds}
    rows = [(id_, wanted[mark]) for id_, mark in execute("SELECT id, fingerprint FROM url") if mark in wanted]
    for id_, url in rows:
        state, outcome, due, host, at = execute(
            "SELECT u.state, u.outcome, u.due, u.host, (SELECT max(fetched_at) FROM page WHERE page.id = u.page)"
            " FROM url u WHERE u.id = ?",
            (id_,),
        ).fetchone()
        if host:
            queued = state == State.QUEUED
            yield url, Seen(State(state), "" if queued else outcome, at or 0.0, NEVER if queued else due)
