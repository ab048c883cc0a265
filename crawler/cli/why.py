"""``why URL``: tell the life of a URL, and which rule decided what."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.cli.arguments import DEFAULT_OUT, Parser
from crawler.cli.console import put
from crawler.cli.exits import Exit
from crawler.config import Fetch, Scope
from crawler.core.outcomes import Outcome, State
from crawler.core.robots import Robots, deciding_line
from crawler.core.text import printable
from crawler.core.url import seed_url
from crawler.errors import UsageError
from crawler.report.figures import count, date, duration

if TYPE_CHECKING:
    from crawler.storage.life import Life, Look

ABOUT = """\
Tell what an output folder knows of a URL: who led to it, which rule admitted or refused it, what it waits for,
how often it was asked for, how that ended, and where its records lie.
"""
_MEANINGS = {str(outcome): outcome.meaning for outcome in Outcome}


def why(words: Sequence[str], name: str) -> int:
    """Tell the life of a URL, and return the exit code."""
    parser = Parser(prog=f"{name} why", description=ABOUT, allow_abbrev=False)
    parser.add_argument("url", metavar="URL", help="As it was crawled, or as a seed is written")
    parser.add_argument("-o", "--out", default=DEFAULT_OUT, metavar="DIR", help=f"Output folder [{DEFAULT_OUT}]")
    agent = Fetch().user_agent
    parser.add_argument("--user-agent", default=agent, metavar="TEXT", help=f"Whom robots.txt speaks to [{agent}]")
    arguments = parser.parse_args(list(words))
    folder = Path(arguments.out)
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))
    try:
        url = seed_url(arguments.url)
    except ValueError as error:
        raise UsageError(str(error)) from error

    from crawler.storage.life import life_of  # noqa: PLC0415  -- not needed for a mistake
    from crawler.storage.shared_folder import is_shared  # noqa: PLC0415
    from crawler.storage.verify_shared import lives_of  # noqa: PLC0415

    lives = lives_of(folder, url) if is_shared(folder) else [("", life_of(folder, url))]
    for shard, life in lives:
        lines = [*([f"in {shard}"] if shard else []), *tell(life, agent=arguments.user_agent, now=time.time())]
        put("".join(f"{line}\n" for line in lines))
    return Exit.COMPLETE


def tell(life: Life, *, agent: str, now: float) -> Iterator[str]:
    """Write the life of a URL, line by line."""
    url = life.way[0].url
    yield printable(url)
    yield f"  state     {_state(life)}"
    for number, step in enumerate(life.way):
        found = life.way[number + 1].url if number + 1 < len(life.way) else ""
        where = f" on {printable(found)}" if found else ""
        yield f"  {'known' if not number else '':<8}  as {step.kind}{where}, depth {step.depth}"
    yield f"  scope     {_scope(life)}"
    if life.host:
        yield f"  robots    {_robots(life, url, agent)}"
        yield f"  waits     {_waits(life, now)}"
        yield f"  attempts  {count(life.attempts)}"
    for look in life.looks:
        yield from _look(look)


def _state(life: Life) -> str:
    meaning = _MEANINGS.get(life.outcome, "")
    if life.state is State.QUEUED:
        return f"queued; the last attempt ended with {life.outcome}: {meaning}" if life.outcome else "queued"
    return f"{life.state.name.lower()}, {life.outcome}: {meaning}"


def _scope(life: Life) -> str:
    if life.rules is None:
        return "is being judged anew: a seed or a setting has changed"
    scope, _ = life.rules
    if life.host:
        return f"admitted by scope.rule = {scope.rule}"
    return f"refused by {_refusing(scope, life)}"


def _refusing(scope: Scope, life: Life) -> str:
    url, depth = life.way[0].url, life.way[0].depth
    matching = next((pattern for pattern in scope.exclude if re.search(pattern, url)), "")
    told = {
        "out_of_scope": f"scope.rule = {scope.rule}: no seed stands for it",
        "excluded": f"scope.exclude: it matches {matching!r}",
        "not_included": "scope.include: it matches none of the patterns",
        "too_deep": f"scope.max_depth = {scope.max_depth}: its depth is {depth}",
        "url_too_long": f"scope.max_url_length = {scope.max_url_length}",
        "trap_host_budget": "traps.pages_per_host",
        "trap_deep_path": "traps.path_depth",
        "trap_repeated_segment": "traps.repeated_segment",
        "trap_long_query": "traps.query_parameters",
    }
    return told.get(life.outcome, life.outcome)


def _robots(life: Life, url: str, agent: str) -> str:
    if not life.robots_status:
        return "never had, or not asked for"
    if life.robots is None:
        return f"none (status {life.robots_status}), so everything is allowed"
    verdict = "allowed" if Robots.parse(life.robots, agent).admits(url) else "refused"
    line = deciding_line(life.robots, agent, url)
    return f"{verdict} by line {line[0]}: {printable(line[1])}" if line else f"{verdict}; no line speaks of it"


def _waits(life: Life, now: float) -> str:
    if life.state is State.QUEUED:
        until = max(life.due, life.next_at)
        return f"until {date(until)}" if until > now else "for its turn"
    if isinf(life.due):
        return "for nothing; it is not asked for any more"
    again = f"{date(life.due)}" if life.due > now else "the next round"
    return f"until {again} to be looked at again (every {duration(life.interval)})"


def _look(look: Look) -> Iterator[str]:
    change = f", {look.change}" if look.change else ""
    status = f" {look.status}" if look.status else ""
    yield f"  round {look.round:<3} {date(look.at)}{status} {look.outcome}{change}"
    if look.file:
        kind = "revisit" if look.revisit else "response"
        yield f"            {kind} in {look.file}, offset {look.offset}, {count(look.length)} bytes"
    if look.digest:
        yield f"            {look.digest}"
