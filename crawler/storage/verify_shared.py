"""Check the folder of a crawl that several shards share: that of each shard, and that each URL is with its owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from crawler.core.shards import Territory
from crawler.errors import FolderDamaged, UsageError
from crawler.storage.database import NAME, open_for_reading
from crawler.storage.exchange import is_shard
from crawler.storage.findings import counted
from crawler.storage.life import Life, life_of
from crawler.storage.lock import FolderLock
from crawler.storage.shared_folder import Common, common, shard_folder, shard_folders
from crawler.storage.verify import VerifyReport, verify


def verify_shared(folder: Path) -> VerifyReport:
    """Check a shared crawl that nobody works at.

    Raises:
        FolderBusy: somebody does.
        FolderDamaged, FolderUnusable: what is there cannot be read.
    """
    lock = FolderLock(folder, reading=True)
    try:
        shared = common(folder)
        ok, lines = True, [f"{counted(shared.shards, 'shard')}, run {shared.run}"]
        for shard in shard_folders(folder):
            if not (shard / NAME).exists():
                continue  # it was ended before it had begun
            found, strangers = verify(shard), _strangers(shard, shared)
            ok = ok and found.ok and not strangers
            lines += [f"{shard.name}: {line}" for line in (*found.lines, *strangers)]
        return VerifyReport(ok, lines)
    finally:
        lock.release()


def _strangers(folder: Path, shared: Common) -> list[str]:
    """Say if URLs are known here that belong to others: each is known once among all shards, then."""
    territory = Territory(shared.assignment, int(folder.name.removeprefix("shard-")))
    with closing(open_for_reading(folder)) as database, database.refusing():
        key = database.connection.execute("SELECT value FROM setting WHERE name = 'key'").fetchone()[0]
        if key != bytes.fromhex(shared.key) or not is_shard(database):
            raise FolderDamaged("belongs to another crawl than its neighbours", where=str(database.path))
        rows = database.connection.execute("SELECT url FROM url WHERE outcome IS NOT 'moved'")
        strangers = sum(territory.elsewhere(url) is not None for (url,) in rows)
    return [f"{NAME}: {counted(strangers, 'URL')} that belong to other shards"] if strangers else []


def lives_of(folder: Path, url: str) -> Iterator[tuple[str, Life]]:
    """Tell what the shards of a shared crawl know of a URL: its owner first, then those that had it before.

    Raises:
        UsageError: none has ever met it.
        FolderBusy, FolderDamaged, FolderUnusable: as ``verify``.
    """
    shared = common(folder)
    owner = shard_folder(folder, Territory(shared.assignment, 0).owner(url))
    met = False
    for shard in sorted(shard_folders(folder), key=lambda shard: shard != owner):
        try:
            life = life_of(shard, url)
        except UsageError:
            continue
        met = True
        yield shard.name, life
    if not met:
        raise UsageError(f"this crawl has never met {url}", where=str(folder))
