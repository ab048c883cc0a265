"""Check an output folder: what its files say, against each other and byte by byte. Reads only.

Every number is counted anew: the URLs by state, the records of the archive, the lines of the page log and of the
indexes. What a kill may leave for the next start to clear away is said, but is no mismatch.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.core.outcomes import Outcome, State
from crawler.errors import FolderUnusable, UsageError
from crawler.storage.database import NAME, WAL, Database, open_for_reading, refuse_lost
from crawler.storage.findings import Findings, counted
from crawler.storage.folder import REPORT
from crawler.storage.lock import FolderLock
from crawler.storage.verify_archive import ArchiveCheck
from crawler.storage.verify_changes import check_changes
from crawler.storage.verify_log import LogCheck

_ORDER = (State.DONE, State.FAILED, State.SKIPPED, State.QUEUED)
_STATES = {str(outcome): outcome.state for outcome in Outcome}

_ASTRAY = (
    "SELECT count(*) FROM url u"
    " LEFT JOIN (SELECT url, round, outcome, max(id) FROM page GROUP BY url) p ON p.url = u.id"
    " WHERE u.state > 0 AND u.host > 0 AND u.page >= 0 AND (p.outcome IS NOT u.outcome OR p.round IS NOT u.round)"
)
"""Of several columns beside a max(), SQLite gives those of the row that has it. Below 0: its pages are with another
shard, which had the URL before."""


class VerifyReport(Struct, frozen=True):
    """What a check found."""

    ok: bool
    """Whether there was no mismatch."""
    lines: list[str]
    """Sentences for a person: first the counts, then the mismatches, each with its file and place."""


class _Totals(msgspec.Struct):
    done: int
    failed: int
    skipped: int
    queued: int
    by_outcome: dict[str, int]


class _Report(msgspec.Struct):
    ending: str
    ended_at: float
    known: int
    totals: _Totals


def verify(folder: Path) -> VerifyReport:
    """Check an output folder that no crawl is writing to.

    Raises:
        UsageError: there is no crawl in the folder.
        FolderBusy: a crawl is writing to it.
        FolderDamaged: its database cannot be read.
        FolderUnusable: it, or one of its files, may not be read.
    """
    lock = FolderLock(folder, reading=True)
    try:
        if not (folder / NAME).exists():
            refuse_lost(folder)
            raise UsageError(f"there is no crawl in this folder (no {NAME})", where=str(folder))
        with closing(open_for_reading(folder)) as database, database.refusing():
            return _verify(folder, database)
    except OSError as error:
        raise FolderUnusable(f"cannot be read ({error.strerror})", where=str(error.filename or folder)) from error
    finally:
        lock.release()


def _verify(folder: Path, database: Database) -> VerifyReport:
    findings = Findings()
    lines = [
        _conservation(database, findings),
        *ArchiveCheck(folder, database, findings).run(),
        *LogCheck(folder, database, findings).run(),
        *check_changes(folder, database, findings),
    ]
    _structure(database, findings)
    _hosts(database, findings)
    _report(folder, database, findings)
    return VerifyReport(not findings.count, [*lines, *findings.notes, *findings.lines])


def _conservation(database: Database, findings: Findings) -> str:
    """Recount all URLs: each is known once, and is in a state that its outcome belongs to."""
    before, by_state = findings.count, Counter[State]()
    for state, outcome, count in database.connection.execute(
        "SELECT state, outcome, count(*) FROM url GROUP BY state, outcome"
    ):
        if state not in set(State) or (state and _STATES.get(outcome) is not State(state)):
            findings.add(NAME, f"{counted(count, 'URL')} in state {state!r} with outcome {outcome!r}, which cannot be")
        else:
            by_state[State(state)] += count
    (known,) = database.connection.execute("SELECT count(*) FROM url").fetchone()
    (twice,) = database.connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM url GROUP BY fingerprint HAVING count(*) > 1)"
    ).fetchone()
    if twice:
        findings.add(NAME, f"{counted(twice, 'URL')} known more than once")
    (astray,) = database.connection.execute(_ASTRAY).fetchone()
    if astray:
        findings.add(NAME, f"{counted(astray, 'URL')} finished otherwise than the last page of each says")
    parts = ", ".join(f"{by_state[state]:,} {state.name.lower()}" for state in _ORDER)
    return f"{counted(known, 'URL')} known, {parts}: {findings.verdict(before, 'all accounted for')}"


def _structure(database: Database, findings: Findings) -> None:
    for (line,) in database.connection.execute("PRAGMA quick_check(20)"):
        if line != "ok":
            findings.add(NAME, str(line))


def _hosts(database: Database, findings: Findings) -> None:
    rows = database.connection.execute(
        "SELECT h.key, h.queued, count(u.id) AS found FROM host h LEFT JOIN url u ON u.host = h.id AND u.state = 0"
        " GROUP BY h.id HAVING h.queued != found"
    )
    for key, queued, found in rows:
        findings.add(NAME, f"{key} has {queued} queued URLs, but {found} were counted")
    (astray,) = database.connection.execute(
        "SELECT count(*) FROM url WHERE state = 0 AND host NOT IN (SELECT id FROM host)"
    ).fetchone()
    if astray:
        findings.add(NAME, f"{counted(astray, 'queued URL')} of no host")


def _report(folder: Path, database: Database, findings: Findings) -> None:
    """Compare the report of a complete crawl with what was counted, unless a later run has ended without one."""
    path = folder / REPORT
    try:
        report = msgspec.json.decode(path.read_bytes(), type=_Report)
    except FileNotFoundError:
        return
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        findings.add(REPORT, f"cannot be read ({error})")
        return
    (newest,) = database.connection.execute("SELECT ifnull(max(fetched_at), 0) FROM page").fetchone()
    if (folder / WAL).exists() or newest > report.ended_at:
        findings.note(REPORT, "is of an earlier run; the next one that ends writes it anew")
        return
    if report.ending not in {"complete", "nothing_fetched"}:
        return
    counts = database.connection.execute("SELECT state, outcome, count(*) FROM url GROUP BY state, outcome").fetchall()
    for state in State:
        found, said = sum(count for at, _, count in counts if at == state), getattr(report.totals, state.name.lower())
        if found != said:
            findings.add(REPORT, f"says {said:,} {state.name.lower()}, but {found:,} were counted")
    outcomes = {outcome: count for state, outcome, count in counts if state}
    if outcomes != report.totals.by_outcome:
        findings.add(REPORT, "its counts by outcome are not those of the database")
    if report.known != sum(count for *_, count in counts):
        findings.add(REPORT, f"says {report.known:,} known, but {sum(count for *_, count in counts):,} were counted")
