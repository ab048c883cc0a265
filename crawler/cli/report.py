"""``report DIR``: tell, and draw, how the last run of an output folder went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.cli.arguments import DEFAULT_OUT, Parser
from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.errors import FolderDamaged, FolderUnusable, UsageError

if TYPE_CHECKING:
    from crawler.report.report import Report

ABOUT = """\
Tell how the last run of an output folder went, from its report.json, and draw it anew as a page of pictures.
The page opens in a browser without a network. A crawl that holds the folder is not disturbed.
"""


def report(words: Sequence[str], name: str) -> int:
    """Print the report of an output folder, draw its page, and return the exit code."""
    parser = Parser(prog=f"{name} report", description=ABOUT, allow_abbrev=False)
    parser.add_argument("folder", nargs="?", default=DEFAULT_OUT, metavar="DIR", help=f"Output folder [{DEFAULT_OUT}]")
    parser.add_argument("--html", type=Path, metavar="FILE", help="Where the page goes [report.html in the folder]")
    parser.add_argument("--compare", action="store_true", help="Print this run against the last one instead")
    parser.add_argument("--json", action="store_true", help="Print the report as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="Draw the page and print nothing")
    arguments = parser.parse_args(list(words))
    if arguments.compare and arguments.json:
        raise UsageError("--compare and --json contradict each other; the JSON holds the earlier runs under history")
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))
    found = _read(folder)
    _draw(found, arguments.html or folder / "report.html")
    if arguments.compare:
        from crawler.report.history import against_last  # noqa: PLC0415

        put(against_last(found))
    elif arguments.json:
        from crawler.report.jsonfile import encode  # noqa: PLC0415  -- not needed for a mistake

        put(encode(found).decode())
    elif not arguments.quiet:
        from crawler.report.text import text  # noqa: PLC0415

        put(text(found))
    return Exit.COMPLETE


def _read(folder: Path) -> Report:
    """Return the report of the folder's last run.

    Raises:
        UsageError: there is none.
        FolderDamaged, FolderUnusable: it is not one of ours, or cannot be read.
    """
    import msgspec  # noqa: PLC0415  -- not needed for a mistake

    from crawler.report.jsonfile import decode  # noqa: PLC0415
    from crawler.report.report import VERSION  # noqa: PLC0415

    path = folder / "report.json"
    try:
        found = decode(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError("no run has ended in this folder yet: it has no report.json", where=str(folder)) from error
    except OSError as error:
        raise FolderUnusable(f"cannot be read ({error.strerror})", where=str(path)) from error
    except msgspec.DecodeError as error:
        raise FolderDamaged(f"is not a report of this version ({error})", where=str(path)) from error
    if found.version != VERSION:
        raise FolderDamaged(f"has form {found.version}, known is {VERSION}", where=str(path))
    return found


def _draw(found: Report, path: Path) -> None:
    from crawler.report.page.page import html  # noqa: PLC0415  -- not needed for a mistake
    from crawler.storage.whole_file import write_whole  # noqa: PLC0415

    write_whole(path, html(found))
