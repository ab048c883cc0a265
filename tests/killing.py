"""Kill crawls at bad moments, tear their files as a power cut would, and run them again.

A crawl runs as a person would run it: ``python -m crawler`` in a process, and a session, of its own.
The moment of a blow is counted in requests that the server has seen, so that it does not depend on the machine;
a few random milliseconds are added, so that it falls into every phase of a page's life.
Whatever is ended here is named by its own process or session number.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from crawler.testing.site import Request, Site, serve_in_thread
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, check, differing, fates, shortened
from tests.leftovers import ended, processes

ROOT = Path(__file__).resolve().parent.parent
RUN_LIMIT = 60.0
"""Seconds that one run may take."""
STOP_LIMIT = 10.0
"""Seconds in which a crawl must stop when asked, and orphans must notice that they are orphans."""
JITTER = 0.03
DELAY = 1.0
"""Seconds between requests in polite crawls: longer than a restart takes, or a forgotten clock would not show."""
SETTINGS = """\
[fetch]
backoff = 0.05
[store]
segment_size = 60000
"""
"""Short pauses, and segments so small that crawls of a few dozen pages begin new ones."""
_CUT_MEMBER = gzip.compress(
    b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: 9000\r\n\r\nHTTP/1.1 200 OK\r\n", mtime=0
)[:-9]


class Blow(Enum):
    """How a crawl is ended."""

    GROUP = "SIGKILL to the group"
    PARENT = "SIGKILL to the parent alone"
    TERM = "SIGTERM"


class Tear(Enum):
    """What a power cut leaves at the end of a file."""

    MEMBER = "a cut-off gzip member"
    ZEROS = "zero bytes"
    LINE = "half a line"


@dataclass(frozen=True, slots=True)
class Ending:
    """How one run ended."""

    session: int
    struck: bool
    """Whether the blow fell; the crawl may be done before."""
    code: int
    """As ``subprocess`` has it: negative for a signal."""
    overdue: bool = False
    """Whether it had to be ended because it took too long."""
    said: str = ""
    """The end of what it printed."""


@dataclass(slots=True)
class Trial:
    """A crawl of one web, killed again and again, and what was wrong with it."""

    seed: int
    kills: int = 0
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def run_and_kill(
    arguments: Sequence[str], output: Path, sites: Sequence[Site], *, after: int, blow: Blow, later: float = 0.0
) -> Ending:
    """Run the crawler, and strike when the sites have seen so many more requests.

    Args:
        arguments: what follows ``python -m crawler``.
        output: file that what it prints is added to.
        sites: served from a thread.
        after: requests; 0 is never.
        blow: how.
        later: seconds to wait after the last of these requests.
    """
    due = threading.Event()
    with _counting(sites, after, due), output.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *arguments],
            cwd=output.parent,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = threading.Thread(target=_tell_end, args=(process, due), name="end of crawl")
        watch.start()
        try:
            in_time = due.wait(RUN_LIMIT)
            _wait(process, later)
            struck = in_time and process.returncode is None
            ending = _strike(process, blow if struck else Blow.GROUP, struck=struck, overdue=not in_time)
        finally:
            if process.poll() is None:  # we ourselves are being ended
                os.killpg(process.pid, signal.SIGKILL)
            watch.join()
    return replace(ending, said=output.read_text(encoding="utf-8", errors="replace")[-300:].strip())


def environment() -> dict[str, str]:
    """Return the environment in which a crawl is run, wherever it is run from."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def verify(folder: Path) -> int:
    """Return the exit code of the crawler's own check of an output folder."""
    command = [sys.executable, "-m", "crawler", "verify", str(folder)]
    return subprocess.run(command, env=environment(), capture_output=True, timeout=RUN_LIMIT, check=False).returncode


def tear(folder: Path, how: Tear) -> bool:
    """Add what a power cut may leave to the newest open file; tell whether there is one."""
    pattern = "pages.jsonl" if how is Tear.LINE else "archive/*.warc.gz.open"
    files = sorted(folder.glob(pattern), key=lambda file: file.stat().st_mtime_ns)
    rest = {Tear.MEMBER: _CUT_MEMBER, Tear.ZEROS: bytes(512), Tear.LINE: b'{"url":"http://127.0.'}
    if files:
        with files[-1].open("ab") as file:
            file.write(rest[how])
    return bool(files)


def trial(seed: int, folder: Path, *, kills: int, pages: int) -> Trial:
    """Crawl a random web undisturbed, then once more with kills, and compare both with the truth.

    The seed also decides whether robots.txt is obeyed (every second) and a delay kept (every third, with few pages).
    """
    began, delay = time.monotonic(), DELAY if seed % 3 == 2 else 0.0
    web = Web.make(seed, pages=max(6, pages // 4 if delay else pages), obey=seed % 2 == 1)
    result = Trial(seed)
    sites, beyond = [Site(f"127.0.0.{number + 1}") for number in range(web.hosts)], Site("127.0.0.99")
    with serve_in_thread(*sites, beyond):
        calm = _crawl(result, web, (sites, beyond), folder / "calm", delay=delay, blows=0)
        storm = _crawl(result, web, (sites, beyond), folder / "storm", delay=delay, blows=kills)
    result.wrong += shortened(differing(calm, storm, "the calm crawl", "the killed crawl"))
    result.seconds = time.monotonic() - began
    return result


def _crawl(
    result: Trial, web: Web, places: tuple[list[Site], Site], folder: Path, *, delay: float, blows: int
) -> set[tuple[str, str]]:
    """Crawl a web to its end, struck so many times on the way; return what the crawl then has."""
    web.install(*places)
    folder.mkdir(parents=True)
    out, kills, endings = folder / "out", 0, list[Ending]()
    arguments = _arguments(web, folder, out, delay=delay)
    rng = random.Random(f"blows {result.seed}")  # noqa: S311  # no secret
    most = max(1, result.requests * 3 // 2 // (blows + 1))
    for _ in range(blows):
        blow = rng.choice(list(Blow))
        after, later = rng.randint(1, most), rng.uniform(0, JITTER)
        endings.append(run_and_kill(arguments, folder / "printed", web.sites, after=after, blow=blow, later=later))
        kills += endings[-1].struck
        if blow is not Blow.TERM and rng.random() < 0.5:
            tear(out, rng.choice(list(Tear)))
    endings.append(run_and_kill(arguments, folder / "printed", web.sites, after=0, blow=Blow.GROUP))
    wrong = [sentence for ending in endings if (sentence := _bad_end(ending))]
    wrong += _survivors({ending.session for ending in endings})
    wrong += check(out, web, Ordeal(kills=kills, delay=delay), verify=verify)
    result.wrong += [f"{folder.name}: {sentence}" for sentence in wrong]
    result.kills, result.pages = result.kills + kills, len(web.bodies)
    result.requests = sum(len(site.log) for site in web.sites)
    return fates(Evidence.of(out))


def _arguments(web: Web, folder: Path, out: Path, *, delay: float) -> list[str]:
    (folder / "seeds.txt").write_text("\n".join(web.fronts), encoding="utf-8")
    (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    politeness = ["--delay", str(delay), "--per-host", "1" if delay else "8"]
    politeness += ["--robots", "obey" if web.obey else "ignore", "--allow-private", "seeds"]
    files = [str(folder / "seeds.txt"), "-o", str(out), "--config", str(folder / "settings.toml")]
    return [*files, *politeness, "--scope", "host", "--concurrency", "16", "--quiet"]


@contextlib.contextmanager
def _counting(sites: Sequence[Site], after: int, due: threading.Event) -> Iterator[None]:
    """Set an event when so many more requests have come."""
    seen = 0

    def count(_: Request) -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            due.set()

    for site in sites:
        site.listeners.append(count)
    try:
        yield
    finally:
        for site in sites:
            site.listeners.remove(count)


def _tell_end(process: subprocess.Popen[bytes], due: threading.Event) -> None:
    process.wait()
    due.set()


def _strike(process: subprocess.Popen[bytes], blow: Blow, *, struck: bool, overdue: bool) -> Ending:
    if struck and blow is Blow.TERM:
        process.terminate()
        overdue = not _wait(process, STOP_LIMIT)
    elif struck and blow is Blow.PARENT:
        process.kill()
    if (struck and blow is Blow.GROUP) or overdue:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return Ending(process.pid, struck, process.wait(), overdue)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _bad_end(ending: Ending) -> str:
    if ending.overdue:
        return f"a run did not end within {STOP_LIMIT if ending.struck else RUN_LIMIT:.0f} s"
    right = (0, 10, -signal.SIGKILL) if ending.struck else (0,)
    return f"a run ended with exit code {ending.code}: {ending.said}" if ending.code not in right else ""


def _survivors(sessions: set[int]) -> list[str]:
    """Name, and end, the processes of crawls that are over."""
    deadline = time.monotonic() + STOP_LIMIT
    left = [process.pid for process in processes() if process.session in sessions]
    left = [pid for pid in left if not ended(pid, deadline)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [f"{len(left)} processes of ended runs were still there after {STOP_LIMIT:.0f} s"] if left else []
