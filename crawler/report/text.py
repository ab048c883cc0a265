"""The final report for a terminal or a log.

Plain text of 80 columns and no colour, so that it reads the same in a terminal, a mail from cron and a log file.
Whatever came from the network goes through :func:`~crawler.core.text.printable` first;
an example URL stands on a line of its own and is never wrapped, so that it can be copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from crawler.core.bottleneck import Bottleneck
from crawler.core.outcomes import Outcome, State
from crawler.core.text import printable
from crawler.report.figures import NONE, count, date, duration, plural, rate, share, size, speed
from crawler.report.problems import advice
from crawler.report.report import Ending, HostReport, Report
from crawler.report.shards import HEAD, cells, said

WIDTH = 80
HOSTS_SHOWN = 10
PROBLEMS_SHOWN = 12
TUNED_SHOWN = 6
URL_SHOWN = 400
_BY_NAME = {outcome.value: outcome for outcome in Outcome}

ENDINGS = {
    Ending.RUNNING: "Running",
    Ending.COMPLETE: "Complete: every known URL is finished",
    Ending.NOTHING_FETCHED: "Nothing was fetched",
    Ending.LIMIT: "Stopped at a limit",
    Ending.INTERRUPTED: "Interrupted",
}

CHANGES = {
    "new": "new",
    "changed": "changed",
    "boilerplate": "changed around the same main text",
    "unchanged": "unchanged",
    "moved": "moved",
    "gone": "gone",
}


def text(report: Report, *, again: str = "", verify: str = "") -> str:
    """Tell a person how a crawl went.

    Args:
        report: what is told.
        again: the command that goes on with an unfinished crawl, as the person would type it.
        verify: the command that checks a finished one.

    Returns:
        Lines, the last one ended too.
    """
    sections = (
        _head(report),
        _verdict(report),
        _throughput(report),
        _tuned(report),
        _stages(report),
        _shards(report),
        _hosts(report),
        _changes(report),
        _snapshot(report),
        _skipped(report),
        _problems(report),
        _left(report),
        _next(report, again, verify),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _head(report: Report) -> Iterator[str]:
    reason = f": {printable(report.reason, limit=URL_SHOWN)}" if report.reason else ""
    yield ENDINGS[report.ending] + (reason if report.ending is not Ending.COMPLETE else "")
    totals = report.totals
    sign = "=" if report.conserved else "≠"
    yield (
        f"  known {count(report.known)} {sign} done {count(totals.done)} + failed {count(totals.failed)}"
        f" + skipped {count(totals.skipped)} + queued {count(totals.queued)}"
    )
    if not report.conserved:
        yield "  The two sides differ: this is a defect of the crawler; please report it."
    if report.folder:
        yield f"  in {printable(report.folder, limit=URL_SHOWN)}"
    seeds = report.seeds
    if seeds.bad_count or seeds.duplicates:
        parts = [plural(seeds.read, "seed") + " read"]
        if seeds.duplicates:
            parts.append(f"{count(seeds.duplicates)} of them known already")
        if seeds.bad_count:
            parts.append(f"{count(seeds.bad_count)} not usable")
        yield f"  {', '.join(parts)}"


def _snapshot(report: Report) -> Iterator[str]:
    """Tell how far the copy elsewhere is behind."""
    if (snapshot := report.snapshot) is None:
        return
    place = printable(snapshot.place, limit=URL_SHOWN)
    if snapshot.complete:
        which = f"Snapshot {count(snapshot.number)}" if snapshot.number else "The last snapshot of each shard"
        yield f"{which} in {place} has all of it"
    elif snapshot.taken_at is None:
        yield f"No snapshot has reached {place}"
    else:
        age = duration(max(0.0, report.ended_at - snapshot.taken_at))
        yield f"The last snapshot in {place} is {age} old: it lacks {plural(snapshot.behind, 'finished URL')}"
    if snapshot.trouble:
        yield from _wrapped(snapshot.trouble)


def _verdict(report: Report) -> Iterator[str]:
    """Tell what held the crawl back, and what would change that."""
    verdict = report.verdict
    if not verdict.sentence:
        return
    yield from _wrapped(verdict.sentence, indent="")
    if verdict.kind != Bottleneck.TOO_SHORT:
        yield from _wrapped(verdict.evidence)
        yield from _wrapped(verdict.counterfactual)


def _wrapped(sentence: str, indent: str = "  ") -> list[str]:
    return wrap(
        printable(sentence, limit=URL_SHOWN),
        WIDTH,
        initial_indent=indent,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _throughput(report: Report) -> Iterator[str]:
    yield "This run"
    yield f"  time      {duration(report.seconds)}"
    yield f"  pages     {_both(count(report.pages), rate(report.pages_per_second))}{_split(report)}"
    yield f"  received  {_both(size(report.bytes_received), speed(report.bytes_per_second))}"
    took = report.latency
    if took.max:
        yield (
            f"  latency   p50 {duration(took.p50)}, p95 {duration(took.p95)},"
            f" p99 {duration(took.p99)}, longest {duration(took.max)}"
        )
    if report.cpu_main or report.cpu_workers:
        memory = f"; memory {size(report.memory_peak)} at most" if report.memory_peak else ""
        yield f"  CPU       {duration(report.cpu_main)} main, {duration(report.cpu_workers)} workers{memory}"
    if report.connections:
        yield f"  network   {', '.join(f'{_words(name)} {count(n)}' for name, n in report.connections.items())}"


def _tuned(report: Report) -> Iterator[str]:
    """Tell what the crawl changed about itself, and why; of many changes the last ones."""
    if not report.tuned:
        return
    yield "Changed by itself (report.json has all of it)" if len(report.tuned) > TUNED_SHOWN else "Changed by itself"
    for one in report.tuned[-TUNED_SHOWN:]:
        words = f"after {duration(one.at)}: {one.setting} {count(one.before)} → {count(one.after)}, since {one.cause}"
        yield from _wrapped(words)


def _both(total: str, pace: str) -> str:
    return f"{total:<11} {pace}"


def _split(report: Report) -> str:
    return f"  ({count(report.done)} done, {count(report.failed)} failed)" if report.failed else ""


def _stages(report: Report) -> Iterator[str]:
    if not report.stages:
        return
    whole = sum(stage.waiting + stage.running for stage in report.stages)
    yield "Where the time went (all pages together)"
    head = ("stage", "place", "calls", "waiting", "running", "CPU", "share", "p50", "p99")
    rows = [
        (
            _words(stage.name),
            stage.place,
            count(stage.calls),
            duration(stage.waiting),
            duration(stage.running),
            duration(stage.cpu),
            share(stage.waiting + stage.running, whole),
            duration(stage.p50),
            duration(stage.p99),
        )
        for stage in report.stages
    ]
    yield from _table(head, rows, left=2)


def _shards(report: Report) -> Iterator[str]:
    if report.shards:
        yield from wrap(f"Shards: {said(report)}", WIDTH)
        yield from _table(HEAD, cells(report), left=2)


def _hosts(report: Report) -> Iterator[str]:
    if not report.hosts:
        return
    total = max(report.hosts_total, len(report.hosts))
    shown = report.hosts[:HOSTS_SHOWN]
    first = f"the {len(shown)} with the most pages of {count(total)}, " if total > len(shown) else ""
    yield f"Hosts ({first}and how they were treated)"
    head = ("host", "pages", "failed", "received", "robots.txt", "delay", "asked", "gap", "429s")
    yield from _table(head, [_host(host) for host in shown], left=1)


def _host(host: HostReport) -> tuple[str, ...]:
    return (
        printable(host.host, limit=40),
        count(host.pages),
        count(host.failed),
        size(host.bytes),
        printable(host.robots, limit=12) or NONE,
        duration(host.delay_kept),
        NONE if host.delay_asked is None else duration(host.delay_asked),
        NONE if host.smallest_gap is None else duration(host.smallest_gap),
        count(host.rate_limited),
    )


def _changes(report: Report) -> Iterator[str]:
    changes = report.changes
    if changes.since is None:
        return
    yield f"What changed since {date(changes.since)}"
    told = [(getattr(changes, change), words) for change, words in CHANGES.items()]
    width = max(len(count(number)) for number, _ in told)
    for number, words in told:
        yield f"  {count(number):>{width}}  {words}"


def _skipped(report: Report) -> Iterator[str]:
    reasons = [
        (number, outcome)
        for name, number in report.totals.by_outcome.items()
        if (outcome := _outcome(name)) and outcome.state is State.SKIPPED and number
    ]
    if not reasons:
        return
    yield "Known, but not crawled"
    rows = [(count(number), outcome.value, outcome.meaning) for number, outcome in sorted(reasons, reverse=True)]
    width = max(len(row[0]) for row in rows)
    for number, name, meaning in rows:
        yield f"  {number:>{width}}  {name:<21}  {meaning}"


def _problems(report: Report) -> Iterator[str]:
    if not report.problems:
        return
    yield "Problems"
    for problem in report.problems[:PROBLEMS_SHOWN]:
        outcome = _outcome(problem.outcome)
        meaning = outcome.meaning if outcome else ""
        status = f"{problem.status} " if problem.status else ""
        yield f"  {count(problem.count)} x {status}{printable(problem.outcome, limit=40)}: {meaning}".rstrip(": ")
        yield f"      for example  {printable(problem.example, limit=URL_SHOWN)}"
        if problem.detail:
            yield f"      in detail    {printable(problem.detail, limit=URL_SHOWN)}"
        if todo := advice(problem):
            yield f"      what to do   {todo}"
    if rest := report.problems[PROBLEMS_SHOWN:]:
        more = sum(problem.count for problem in rest)
        yield f"  and {count(more)} more for {plural(len(rest), 'other cause')}; report.json has them all"


def _next(report: Report, again: str, verify: str) -> Iterator[str]:
    if report.ending in (Ending.LIMIT, Ending.INTERRUPTED) and again:
        yield f"Go on with the {plural(report.totals.queued, 'URL')} still queued:"
        yield f"  {again}"
    elif report.ending is Ending.COMPLETE and verify:
        yield "Check what was written:"
        yield f"  {verify}"


def _left(report: Report) -> Iterator[str]:
    if not report.left:
        return
    shown = report.left[:HOSTS_SHOWN]
    yield f"Left for the next run, on {plural(report.left_hosts, 'host')}"
    rows = [(printable(left.host, limit=60), count(left.queued)) for left in shown]
    yield from _table(("host", "queued"), rows, left=1)
    if (more := report.left_hosts - len(shown)) > 0:
        yield f"  and {plural(more, 'more host')}"


def _outcome(name: str) -> Outcome | None:
    return _BY_NAME.get(name)


def _words(name: str) -> str:
    return printable(name, limit=40).replace("_", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> Iterator[str]:
    """Align columns; the first ``left`` ones hold words, the others numbers."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        padded = [
            f"{cell:<{width}}" if column < left else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(padded)}".rstrip()
