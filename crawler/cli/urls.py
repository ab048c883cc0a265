"""``urls DIR``: write the URLs of an output folder, one a line, for other programs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from crawler.cli.arguments import DEFAULT_OUT, Parser
from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.core.outcomes import State
from crawler.errors import UsageError

ABOUT = """\
Write the URLs of output folders to standard output, one a line, in the order in which they became known:
a list of seeds for another crawl, or for another crawler.
"""
_ALL = "all"
_AT_ONCE = 1_000


def urls(words: Sequence[str], name: str) -> int:
    """Write the URLs and return the exit code."""
    states = [state.name.lower() for state in State]
    parser = Parser(prog=f"{name} urls", description=ABOUT, allow_abbrev=False)
    parser.add_argument("folders", nargs="*", default=[DEFAULT_OUT], metavar="DIR", help=f"[{DEFAULT_OUT}]")
    parser.add_argument("--state", choices=[*states, _ALL], default="queued", help="Which ones [queued]")
    arguments: argparse.Namespace = parser.parse_args(list(words))
    wanted = None if arguments.state == _ALL else State[arguments.state.upper()]
    for folder in map(Path, arguments.folders):
        if not folder.is_dir():
            raise UsageError("no such folder", where=str(folder))

    from crawler.storage.url_list import url_list  # noqa: PLC0415  -- not needed for a mistake

    for folder in map(Path, arguments.folders):
        with closing(url_list(folder, wanted)) as found:
            while batch := list(islice(found, _AT_ONCE)):
                put("".join(f"{url}\n" for url in batch))
    return Exit.COMPLETE
