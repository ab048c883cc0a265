"""The life of one URL, as an output folder knows it. Reads only."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.config import Scope, Traps
from crawler.core.fingerprint import fingerprint
from crawler.core.outcomes import State
from crawler.errors import FolderUnusable, UsageError
from crawler.storage.archive import segment_path
from crawler.storage.database import NAME, Database, open_for_reading, refuse_lost
from crawler.storage.lock import FolderLock

_LONGEST_WAY = 100


class Step(Struct, frozen=True):
    """One URL on the way from a seed."""

    url: str
    kind: str
    depth: int


class Look(Struct, frozen=True):
    """One time at which the URL was finished."""

    round: int
    outcome: str
    change: str
    at: float
    status: int
    digest: str
    file: str
    """Archive file as it is named now; empty without a record."""
    offset: int
    length: int
    revisit: bool


class Life(Struct, frozen=True):
    """What is known of a URL. Times are Unix seconds."""

    way: tuple[Step, ...]
    """From the URL itself back to the seed that led to it."""
    state: State
    outcome: str
    """Of a URL that is queued, why its last attempt failed; empty if there was none."""
    attempts: int
    due: float
    interval: float
    host: str
    """Empty if it was never queued."""
    next_at: float
    """When its host may be asked again."""
    robots: bytes | None
    robots_status: int
    """0 while robots.txt was never had."""
    rules: tuple[Scope, Traps] | None
    """By which it was judged; None while they are being changed."""
    looks: tuple[Look, ...]


def life_of(folder: Path, url: str) -> Life:
    """Tell what an output folder that no crawl is writing to knows of a URL.

    Raises:
        UsageError: there is no crawl in the folder, or it has never met the URL.
        FolderBusy, FolderDamaged, FolderUnusable: as ``verify``.
    """
    lock = FolderLock(folder, reading=True)
    try:
        if not (folder / NAME).exists():
            refuse_lost(folder)
            raise UsageError(f"there is no crawl in this folder (no {NAME})", where=str(folder))
        with closing(open_for_reading(folder)) as database, database.refusing():
            return _life(folder, database, url)
    except OSError as error:
        raise FolderUnusable(f"cannot be read ({error.strerror})", where=str(error.filename or folder)) from error
    finally:
        lock.release()


def _life(folder: Path, database: Database, url: str) -> Life:
    execute = database.connection.execute
    settings = dict(execute("SELECT name, value FROM setting WHERE name IN ('key', 'rules')").fetchall())
    row = execute(
        "SELECT u.id, u.state, u.outcome, u.attempts, u.due, u.interval, h.key, h.next_at, h.robots, h.robots_status"
        " FROM url u LEFT JOIN host h ON h.id = u.host WHERE u.fingerprint = ?",
        (fingerprint(url, settings["key"]),),
    ).fetchone()
    if row is None:
        raise UsageError(f"this crawl has never met {url}", where=str(folder))
    id_, state, outcome, attempts, due, interval, host, next_at, robots, status = row
    rules = msgspec.json.decode(settings["rules"], type=tuple[Scope, Traps]) if "rules" in settings else None
    return Life(
        way=_way(database, id_),
        state=State(state),
        outcome=outcome or "",
        attempts=attempts,
        due=due,
        interval=interval,
        host=host or "",
        next_at=next_at or 0.0,
        robots=robots,
        robots_status=status or 0,
        rules=rules,
        looks=_looks(folder, database, id_),
    )


def _way(database: Database, id_: int) -> tuple[Step, ...]:
    steps: list[Step] = []
    while id_ and len(steps) < _LONGEST_WAY:
        if id_ < 0:
            (url,) = database.connection.execute("SELECT url FROM elsewhere WHERE id = ?", (id_,)).fetchone()
            steps.append(Step(url, "page of another shard", steps[-1].depth - 1))
            break
        row = database.connection.execute("SELECT url, kind, depth, via FROM url WHERE id = ?", (id_,)).fetchone()
        if row is None:
            break
        *step, id_ = row
        steps.append(Step(*step))
    return tuple(steps)


def _looks(folder: Path, database: Database, id_: int) -> tuple[Look, ...]:
    rows = database.connection.execute(
        "SELECT p.round, p.outcome, p.change, p.fetched_at, p.status, p.digest, f.name, p.offset, p.length, p.revisit"
        " FROM page p LEFT JOIN file f ON f.id = p.segment WHERE p.url = ? ORDER BY p.id",
        (id_,),
    )
    return tuple(
        Look(
            round_,
            outcome,
            change or "",
            at,
            status,
            f"sha256:{digest.hex()}" if digest else "",
            f"archive/{segment_path(folder / 'archive', name).name}" if name else "",
            offset,
            length,
            bool(revisit),
        )
        for round_, outcome, change, at, status, digest, name, offset, length, revisit in rows
    )
