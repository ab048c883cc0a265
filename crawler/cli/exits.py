"""The exit codes: what a script or cron learns without reading a word."""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from crawler.errors import (
    CrawlerError,
    FolderBusy,
    FolderDamaged,
    FolderUnusable,
    StorageError,
    UsageError,
)

if TYPE_CHECKING:
    from crawler.report.report import Report


class Exit(IntEnum):
    """How the command ended. The numbers are kept: scripts depend on them."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Give each code its line of meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    COMPLETE = 0, "complete: every known URL is finished"
    INTERNAL = 1, "an error of the crawler itself"
    USAGE = 2, "the command line, a config file or a seed file is wrong"
    NOTHING_FETCHED = 3, "finished, but nothing could be fetched"
    FAILED_TOO_MANY = 4, "finished, but more failed than --fail-on allows"
    INTERRUPTED = 10, "interrupted; the same command goes on"
    LIMIT = 11, "a limit was reached; the same command goes on"
    VERIFY_FAILED = 12, "what is on disk does not agree with itself"
    FOLDER_DAMAGED = 65, "the folder's state is damaged, foreign or newer"
    FOLDER_UNUSABLE = 73, "the output folder cannot be created or written"
    STORAGE = 74, "a write failed, for example because the disk is full"
    FOLDER_BUSY = 75, "another crawl holds the folder"
    KILLED_SIGINT = 128 + signal.SIGINT, "cut short by a second Ctrl-C"
    KILLED_SIGTERM = 128 + signal.SIGTERM, "cut short by a second SIGTERM"


_BY_ERROR: tuple[tuple[type[CrawlerError], Exit], ...] = (
    (UsageError, Exit.USAGE),
    (FolderBusy, Exit.FOLDER_BUSY),
    (FolderDamaged, Exit.FOLDER_DAMAGED),
    (FolderUnusable, Exit.FOLDER_UNUSABLE),
    (StorageError, Exit.STORAGE),
)
_BY_ENDING = {
    "complete": Exit.COMPLETE,
    "nothing_fetched": Exit.NOTHING_FETCHED,
    "limit": Exit.LIMIT,
    "interrupted": Exit.INTERRUPTED,
}


def exit_of_error(error: CrawlerError) -> Exit:
    """Return the exit code for an error that ended the crawl."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.INTERNAL)


def exit_of_report(report: Report, *, fail_on: float | None = None) -> Exit:
    """Return the exit code for a crawl that ended by itself.

    Args:
        report: how it ended.
        fail_on: percent of this run's pages that may fail; None is any number.
            A run that was interrupted is not judged: its failures say little about the rest.
    """
    if not report.conserved:
        return Exit.VERIFY_FAILED
    judged = report.ending in {"complete", "limit"} and report.pages
    if fail_on is not None and judged and 100 * report.failed > fail_on * report.pages:
        return Exit.FAILED_TOO_MANY
    if report.snapshot is not None and not report.snapshot.complete:
        return Exit.STORAGE
    return _BY_ENDING[report.ending]
