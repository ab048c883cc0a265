"""argv → Config → a crawl → an exit code.

This is the only place that sets up an event loop, logging and signals; the library touches none of them.
What takes long to import is imported when it is needed, so that ``--help`` and a mistake are answered at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.cli.arguments import Arguments, parse, program_name
from crawler.cli.console import open_streams, put, say, set_up_logging
from crawler.cli.exits import Exit, exit_of_error, exit_of_report
from crawler.cli.onlookers import Onlookers
from crawler.cli.run_log import RunLog
from crawler.cli.settings import config_of
from crawler.cli.signals import Signals
from crawler.errors import CrawlerError, UsageError

if TYPE_CHECKING:
    from crawler.api import Crawler
    from crawler.cli.seeds import Seeds
    from crawler.cluster.crawl import SharedCrawler
    from crawler.config import Config
    from crawler.report.report import Report

_YOUNG = 50_000
"""Objects that may be made before the collector looks for rings among them. A page leaves hardly any behind,
but pages in flight are some thousand objects, and the usual 700 have them looked through again and again:
8 % of the loop's time. The price is some MB of rings that wait. A library leaves this to its host."""

_COMMANDS = ("verify", "report", "why", "urls", "restore")
"""What else the command can do than crawl; each is a function in the module of its name."""
_WELL = (Exit.COMPLETE, Exit.LIMIT)
"""Ends that were wanted, so that a quiet command has nothing to say."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code."""
    gc.set_threshold(_YOUNG)
    open_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    verbose = not {"-v", "-vv", "--verbose"}.isdisjoint(words)
    try:
        return _answer(words, program_name(sys.argv[0]))
    except CrawlerError as error:
        say(str(error))
        if verbose and not isinstance(error, UsageError):
            traceback.print_exc()
        return exit_of_error(error)
    except KeyboardInterrupt:
        say("interrupted")
        return Exit.KILLED_SIGINT
    except Exception as error:  # noqa: BLE001  -- the last line of defence: a sentence and a code for any error
        return _internal_error(error, verbose=verbose)


def _internal_error(error: Exception, *, verbose: bool) -> int:
    say(f"internal error: {type(error).__name__}: {error}{'' if verbose else ' (-v shows where)'}")
    say("what was committed to the output folder is sound, and the same command goes on from there")
    if verbose:
        traceback.print_exc()
    return Exit.INTERNAL


def _answer(words: list[str], name: str) -> int:
    try:
        return _dispatch(words, name)
    except SystemExit as end:  # argparse has printed the help or the version
        put("")
        return int(end.code or 0)


def _dispatch(words: list[str], name: str) -> int:
    first = words[0] if words else ""
    if first in _COMMANDS and not Path(first).is_file():
        command: Callable[[list[str], str], int] = getattr(import_module(f"crawler.cli.{first}"), first)
        return command(words[1:], name)
    return _crawl(parse(words, name=name), words, name)


def _crawl(arguments: Arguments, words: list[str], name: str) -> int:
    """Crawl, and tell how it went. A mistake is found before anything is written."""
    from crawler.cli.seeds import Seeds, find_sources  # noqa: PLC0415

    config = config_of(arguments)
    sources = find_sources(arguments.seeds)
    set_up_logging(verbose=arguments.verbose, quiet=arguments.quiet)
    if arguments.dry_run:
        from crawler.cli.dry_run import dry_run  # noqa: PLC0415

        return dry_run(arguments, config, Seeds(sources, warn=say), _loop_factory())
    onlookers, log = Onlookers(arguments), RunLog(arguments.log, arguments.out)
    held: list[str] = []
    report, code, trouble = None, Exit.INTERNAL, ""
    try:
        with Signals() as signals, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            seeds = Seeds(sources, warn=held.append if arguments.quiet else say)
            report = runner.run(_run(arguments, config, seeds, (signals, onlookers)))
        code = exit_of_report(report, fail_on=arguments.fail_on)
    except CrawlerError as error:
        code, trouble = exit_of_error(error), str(error)
        raise
    finally:
        onlookers.end(report, code)
        log.end(code, report, trouble)
        if code not in _WELL:
            for warning in held:
                say(warning)
    _tell(report, code, arguments, (name, words))
    return code


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop, or None for the standard one where uvloop has no build."""
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415

        return uvloop.new_event_loop
    return None


async def _run(arguments: Arguments, config: Config, seeds: Seeds, others: tuple[Signals, Onlookers]) -> Report:
    signals, onlookers = others
    async with contextlib.aclosing(seeds):
        await seeds.prepare()
        crawler = _crawler(arguments, config)
        signals.stops(crawler.stop)
        async with contextlib.AsyncExitStack() as opened:
            await opened.enter_async_context(crawler)
            await onlookers.join(crawler, opened)
            return await crawler.crawl(seeds)


def _crawler(arguments: Arguments, config: Config) -> Crawler | SharedCrawler:
    """Make the crawler, which takes a third of a second that a bad seed file is not worth."""
    how: dict[str, Any] = {
        "out": arguments.out,
        "fresh": arguments.fresh,
        "rebuild": arguments.rebuild,
        "recrawl": "all" if arguments.recrawl else "due" if arguments.since_last else None,
    }
    if arguments.cluster is not None:
        from crawler.cluster import shared_crawler  # noqa: PLC0415

        return shared_crawler(arguments.cluster, config=config, shards=arguments.shards, **how)
    from crawler.api import Crawler  # noqa: PLC0415

    return Crawler(config, **how)


def _tell(report: Report, code: Exit, arguments: Arguments, command: tuple[str, list[str]]) -> None:
    if arguments.quiet and code in _WELL:
        return
    if arguments.json:
        from crawler.report.jsonfile import encode  # noqa: PLC0415

        put(encode(report).decode())
    else:
        from crawler.report.text import text  # noqa: PLC0415

        name, words = command
        # the same command with --fresh would not go on, but begin anew
        again = shlex.join(word for word in words if word != "--fresh")
        put(text(report, again=f"{name} {again}", verify=f"{name} verify {shlex.quote(str(arguments.out))}"))
    if code is Exit.FAILED_TOO_MANY:
        say(f"{report.failed:,} of {report.pages:,} pages failed, more than the {arguments.fail_on:g} % of --fail-on")
