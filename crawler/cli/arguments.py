"""argv → Arguments, and the help that fits one screen."""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import Struct, field

from crawler import __version__
from crawler.cli.options import FURTHER, GROUPS, OPTIONS, Option, help_of, metavar_of, read_value
from crawler.errors import UsageError

if TYPE_CHECKING:
    from crawler.serve.address import Address

DEFAULT_OUT = "crawl-out"
COMMAND_LINE_DEFAULTS: dict[str, dict[str, Any]] = {"fetch": {"allow_private": "seeds"}}
"""Where the command line trusts more than the library: whoever types a seed means that host."""

ABOUT = "Crawl web pages into an archive; the same command goes on where it stopped. Defaults in [brackets]."
EXAMPLES = """\
examples:
  {name} https://example.org/ --max-pages 100         a first look
  {name} seed.txt --delay 0.5 -o docs                 the main job; again to go on
  {name} urls.txt --depth 0 --mirror                  fetch a list of files
  {name} verify crawl-out                             check it, and draw it with report
"""
_BEGINS = ("fresh", "rebuild", "recrawl", "since_last")
"""Ways to begin in a folder where an earlier run may be; only one can be taken."""
HELP_COLUMN = 28
HELP_WIDTH = 100


class Arguments(Struct, frozen=True):
    """What was typed."""

    seeds: tuple[str, ...] = ()
    out: Path = Path(DEFAULT_OUT)
    config: Path | None = None
    fresh: bool = False
    rebuild: bool = False
    recrawl: bool = False
    since_last: bool = False
    dry_run: bool = False
    fail_on: float | None = None
    json: bool = False
    serve: Address | None = None
    metrics_file: Path | None = None
    log: Path | None = None
    cluster: str | None = None
    shards: int | None = None
    quiet: bool = False
    verbose: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    """``section.name`` → value, for each setting that has been given."""


def program_name(argv0: str) -> str:
    """Return the words with which the program was started, to be shown in help and advice."""
    if started_as := os.environ.get("CRAWLER_COMMAND"):
        return started_as
    name = os.path.basename(argv0)  # noqa: PTH119  -- a word, not a path
    return "python -m crawler" if name in {"__main__.py", "-c", "-m", ""} else name


def parse(argv: Sequence[str], *, name: str = "python -m crawler") -> Arguments:
    """Read the command line.

    Raises:
        UsageError: it is wrong; the sentence says what and where.
        SystemExit: help or the version was asked for, and has been printed.
    """
    parsed, unknown = build_parser(name).parse_known_intermixed_args(list(argv))
    if unknown:
        raise UsageError(_unknown(unknown[0]))
    values = vars(parsed)
    if not values["seeds"]:
        raise UsageError(f"no seed given: name a file of URLs, a URL, or - for standard input (see {name} --help)")
    if values.get("quiet") and values.get("verbose"):
        raise UsageError("--quiet and --verbose contradict each other")
    if values.get("shards") and not values.get("cluster"):
        raise UsageError("--shards needs a --cluster")
    if values.get("cluster") and values.get("dry_run"):
        raise UsageError("--cluster and --dry-run contradict each other")
    begins = [f"--{name.replace('_', '-')}" for name in _BEGINS if values.get(name)]
    if len(begins) > 1:
        raise UsageError(f"{' and '.join(begins)} contradict each other")
    return Arguments(
        seeds=tuple(values.pop("seeds")),
        settings={target: value for target, value in values.items() if "." in target},
        **{target: value for target, value in values.items() if "." not in target},
    )


def build_parser(name: str = "python -m crawler", *, all_shown: bool = False) -> argparse.ArgumentParser:
    """Make the parser from the table of options; ``all_shown`` if its help is to show the further groups too."""
    parser = Parser(
        prog=name,
        usage=f"{name} SEED... [options]",
        description=ABOUT,
        epilog=EXAMPLES.format(name=name),
        allow_abbrev=False,
        add_help=False,
    )
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        if title == "what to crawl":
            group.add_argument(
                "seeds", nargs="*", metavar="SEED", help="A file of URLs, a URL, or - for standard input"
            )
        for option in options:
            _add(group, option, shown=all_shown or title not in FURTHER)
        if title == "how it is told":
            group.add_argument("--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, help="Print the version")
            group.add_argument(
                "--help-all",
                action=_HelpAll,
                nargs=0,
                dest=argparse.SUPPRESS,
                help="Show all options: extracting, crawling every night, clusters",
            )
            # not shown: who reads the help has found it, and it is to fit one screen
            group.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    return parser


def flag_of(target: str) -> str | None:
    """Return the flag of a setting, as a person types it."""
    return next(
        (option.flags[-1 if len(option.flags[0]) == 2 else 0] for option in OPTIONS if option.target == target), None
    )


def _add(group: argparse._ArgumentGroup, option: Option, *, shown: bool) -> None:
    section, _, setting = option.target.partition(".")
    default = COMMAND_LINE_DEFAULTS.get(section, {}).get(setting, option.default)
    if option.target == "out":
        default = DEFAULT_OUT
    words = help_of(option, default) if shown else argparse.SUPPRESS
    common: dict[str, Any] = {"dest": option.target, "default": argparse.SUPPRESS, "help": words}
    if option.takes == "flag":
        group.add_argument(*option.flags, action="store_true", **common)
    elif option.takes == "count":
        group.add_argument(*option.flags, action="count", **(common | {"default": 0}))
    else:
        action = "append" if option.takes == "list" else "store"
        group.add_argument(*option.flags, action=action, type=_type(option), metavar=metavar_of(option), **common)


def _type(option: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if option.target in {"out", "config", "metrics_file", "log"}:
            return Path(text)
        try:
            if option.target == "serve":
                from crawler.serve.address import address  # noqa: PLC0415  -- seldom wanted

                return address(text)
            return read_value(option, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def _unknown(argument: str) -> str:
    flags = [flag for option in OPTIONS for flag in option.flags] + ["--help", "--help-all", "--version"]
    near = difflib.get_close_matches(argument.partition("=")[0], flags, n=1)
    return f"unknown option {argument}" + (f"; did you mean {near[0]}?" if near else "; --help-all lists them all")


class Parser(argparse.ArgumentParser):
    """Says what is wrong as an error of ours, and dresses its help only for a terminal."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        flags, colon, rest = message.removeprefix("argument ").partition(": ")
        if not colon:
            raise UsageError(message)
        if rest.startswith("expected"):
            rest = "needs a value"
        elif rest.startswith("ignored"):
            rest = "takes no value"
        raise UsageError(f"{flags.replace('/', ', ')}: {rest}")

    def _get_formatter(self) -> argparse.HelpFormatter:
        kind = _dressed() if sys.stdout.isatty() else _Formatter
        width = min(shutil.get_terminal_size().columns, HELP_WIDTH)
        return kind(prog=self.prog, max_help_position=HELP_COLUMN, width=width)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Writes ``-o, --out DIR`` where argparse has ``-o DIR, --out DIR``."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return _invocation(action) or super()._format_action_invocation(action)


def _invocation(action: argparse.Action) -> str:
    if not action.option_strings:
        return ""
    value = f" {action.metavar}" if action.nargs is None and action.metavar else ""
    return ", ".join(action.option_strings) + value


def _dressed() -> Any:
    """Return the same formatter in colours."""
    from rich_argparse import RawDescriptionRichHelpFormatter  # noqa: PLC0415  -- 60 ms that only a terminal is worth

    class Dressed(RawDescriptionRichHelpFormatter):
        help_markup = text_markup = False  # our [brackets] are no markup
        group_name_formatter = str  # as written, not In Title Case

    return Dressed


class _Version(argparse.Action):
    """Prints our version and Python's."""

    def __call__(self, *_: Any) -> NoReturn:
        import platform  # noqa: PLC0415

        print(f"crawler {__version__}, Python {platform.python_version()}")
        raise SystemExit(0)


class _HelpAll(argparse.Action):
    """Prints the help with all groups."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        build_parser(parser.prog, all_shown=True).print_help()
        raise SystemExit(0)
