"""The error tree.

Two kinds of trouble only: *a page failed* is an :class:`~crawler.core.outcomes.Outcome` and is never raised;
*the crawl cannot go on* is one of these::

    CrawlerError
    ├── UsageError          a setting or an argument is wrong                    exit 2
    │   ├── ConfigError     in the TOML file or the Config object
    │   └── SeedError       no seed can be read
    ├── FolderError         the output folder
    │   ├── FolderBusy      another crawl holds it                              exit 75
    │   │   └── Overtaken   another crawl has gone on from its snapshot         exit 75
    │   ├── FolderDamaged   its state is damaged, foreign or newer              exit 65
    │   │   └── SnapshotDamaged  an object is not what the manifest says        exit 65
    │   └── FolderUnusable  it cannot be created or written                     exit 73
    ├── StorageError        a write failed while crawling (disk full, I/O)      exit 74
    │   └── StoreUnreachable  the object store does not answer, or refuses      exit 74
    ├── WorkersLost         parse workers die as fast as they are started       exit 1
    └── NoBody              a page that was asked for its body has none         (the library only)
"""

from __future__ import annotations


class CrawlerError(Exception):
    """Be the base of all errors of this package: catch this to catch all of ours.

    One positional message, optional keyword context.
    That shape survives pickling, which an error crossing back from a worker process must:
    a required keyword argument would break the whole pool.
    """

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.where}: {message}" if self.where else message


class UsageError(CrawlerError):
    """Say that the caller asked for something that cannot be."""


class ConfigError(UsageError):
    """Say that a setting is unknown or out of bounds."""


class SeedError(UsageError):
    """Say that a seed source cannot be read."""


class FolderError(CrawlerError):
    """Be the base of all that is wrong with an output folder."""


class FolderBusy(FolderError):
    """Say that another crawl holds the output folder."""


class Overtaken(FolderBusy):
    """Say that another crawl has gone on from a snapshot of this folder, so this one may write no more."""


class FolderDamaged(FolderError):
    """Say that the folder's state is damaged, foreign, or written by a newer version."""


class SnapshotDamaged(FolderDamaged):
    """Say that a snapshot cannot be restored: an object is missing, or is not what its manifest says."""


class FolderUnusable(FolderError):
    """Say that the folder cannot be created or written."""


class StorageError(CrawlerError):
    """Say that a write failed while crawling; what was committed before it stands."""


class StoreUnreachable(StorageError):
    """Say that the object store of snapshots does not answer, or refuses; what was committed in the folder stands."""


class WorkersLost(CrawlerError):
    """Say that parse workers die as fast as they are started."""


class NoBody(CrawlerError):
    """Say that a page has no body: nothing came, or it cannot be decoded, or it was not kept."""
