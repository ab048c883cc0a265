"""``restore URL DIR``: bring an output folder back from a snapshot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.cli.arguments import Parser
from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.errors import UsageError
from crawler.report.figures import count, date, plural

if TYPE_CHECKING:
    from crawler.storage.object_store import ObjectStore

ABOUT = """\
Bring an output folder back from a snapshot in an object store, the newest one unless told otherwise.
A crawl with --snapshot-to does so by itself if its folder is empty; this is for a look, or for an earlier one.
Of a crawl with --cluster, the newest snapshots of all shards are brought back.
"""


def restore(words: Sequence[str], name: str) -> int:
    """Bring a folder back, tell which snapshot it now is, and return the exit code."""
    parser = Parser(prog=f"{name} restore", description=ABOUT, allow_abbrev=False)
    parser.add_argument("url", metavar="URL", help="Place of the snapshots, as given to --snapshot-to")
    parser.add_argument("folder", metavar="DIR", help="Folder to bring back; it must not hold a crawl")
    parser.add_argument("--snapshot", type=int, metavar="N", help="Number of an earlier snapshot [the newest]")
    parser.add_argument("--endpoint", default="", metavar="URL", help="Address of an S3-compatible store")
    arguments: argparse.Namespace = parser.parse_args(list(words))

    from crawler.storage.object_store import ObjectStore  # noqa: PLC0415  -- not needed for a mistake
    from crawler.storage.shared_snapshots import is_shared_place  # noqa: PLC0415
    from crawler.storage.snapshots import Snapshots  # noqa: PLC0415

    store, folder = ObjectStore(arguments.url, arguments.endpoint), Path(arguments.folder)
    if is_shared_place(store):
        put(_shared(store, arguments, folder))
        return Exit.COMPLETE
    manifest = Snapshots(store, folder, keep=1).bring_back(arguments.snapshot)
    put(
        f"{arguments.folder} is as snapshot {count(manifest.number)} of {date(manifest.taken_at)} has it:"
        f" {count(manifest.pages)} finished URLs\n"
    )
    return Exit.COMPLETE


def _shared(store: ObjectStore, arguments: argparse.Namespace, folder: Path) -> str:
    """Bring the folder of a shared crawl back, and tell what it has."""
    from crawler.storage.shared_snapshots import bring_back  # noqa: PLC0415

    if arguments.snapshot is not None:
        raise UsageError("--snapshot: several shards share this crawl, and their earlier snapshots may lack links")
    brought = bring_back(store, arguments.endpoint, folder)
    pages, oldest = sum(one.pages for one in brought), min((one.taken_at for one in brought), default=0.0)
    return (
        f"{arguments.folder} is as the newest snapshots of {plural(len(brought), 'shard')} have it, the oldest of"
        f" {date(oldest)}: {count(pages)} finished URLs\n"
    )
