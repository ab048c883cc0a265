"""``verify DIR``: tell whether what is on disk agrees with itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from crawler.cli.arguments import DEFAULT_OUT, Parser
from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.errors import UsageError

ABOUT = """\
Count the pages of an output folder anew, and recompute every offset and digest of its archive from disk.
Exit code 0 if all agree, 12 if not.
"""


def verify(words: Sequence[str], name: str) -> int:
    """Check an output folder, tell what was found, and return the exit code."""
    parser = Parser(prog=f"{name} verify", description=ABOUT, allow_abbrev=False)
    parser.add_argument("folder", nargs="?", default=DEFAULT_OUT, metavar="DIR", help=f"Output folder [{DEFAULT_OUT}]")
    parser.add_argument("-q", "--quiet", action="store_true", help="Print nothing if all is well")
    arguments: argparse.Namespace = parser.parse_args(list(words))
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))

    from crawler.storage.shared_folder import is_shared  # noqa: PLC0415  -- not needed for a mistake
    from crawler.storage.verify import verify as verify_folder  # noqa: PLC0415
    from crawler.storage.verify_shared import verify_shared  # noqa: PLC0415

    report = verify_shared(folder) if is_shared(folder) else verify_folder(folder)
    if not (report.ok and arguments.quiet):
        put("".join(f"{line}\n" for line in report.lines))
    return Exit.COMPLETE if report.ok else Exit.VERIFY_FAILED
