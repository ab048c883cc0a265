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
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import IO

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
ROUNDS, MOST_ROUNDS = 2, 6
"""In which a web is crawled; more only while kills are still due."""
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
    rounds: int = 0
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
    with counting(sites, after, due), output.open("ab") as sink:
        process = started(arguments, output.parent, sink)
        watch = threading.Thread(target=tell_end, args=(process, due), name="end of crawl")
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


def started(arguments: Sequence[str], folder: Path, sink: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the crawler in a folder, in a session of its own, and have it print to a file."""
    return subprocess.Popen(
        [sys.executable, "-m", "crawler", *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


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


def last_round(out: Path) -> int:
    """Return how many rounds of a folder have begun; 0 if nothing was crawled into it yet."""
    if not (out / "crawl.db").exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{out / 'crawl.db'}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT value FROM setting WHERE name = 'round'").fetchall()
    return int(found[0][0]) if found else 1


def trial(seed: int, folder: Path, *, kills: int, pages: int) -> Trial:
    """Crawl a random web in rounds, undisturbed and with kills, and compare both with the truth and each other.

    There are two rounds, or as many more as it takes until all kills are done, for a crawl may end before its share.
    The seed also decides whether robots.txt is obeyed (every second) and a delay kept (every third, with few pages).
    """
    began, delay = time.monotonic(), DELAY if seed % 3 == 2 else 0.0
    web = Web.make(seed, pages=max(6, pages // 4 if delay else pages), obey=seed % 2 == 1)
    result = Trial(seed)
    sites, beyond = [Site(f"127.0.0.{number + 1}") for number in range(web.hosts)], Site("127.0.0.99")
    with serve_in_thread(*sites, beyond):
        calm = _Folder(web, folder / "calm", delay)
        storm = _Folder(web, folder / "storm", delay)
        while result.rounds < ROUNDS or (result.kills < kills and result.rounds < MOST_ROUNDS):
            result.rounds += 1
            blows = kills - kills // ROUNDS if result.rounds == 1 else kills - result.kills
            web.install(sites, beyond, edition=result.rounds)
            undisturbed = calm.crawl(result, blows=0)
            web.install(sites, beyond, edition=result.rounds)
            killed = storm.crawl(result, blows=blows)
            found = differing(undisturbed, killed, "the calm crawl", "the killed crawl")
            result.wrong += shortened([f"round {result.rounds}: {sentence}" for sentence in found])
    result.pages = len(web.bodies)
    result.seconds = time.monotonic() - began
    return result


class _Folder:
    """One output folder, crawled in rounds."""

    def __init__(self, web: Web, folder: Path, delay: float) -> None:
        folder.mkdir(parents=True)
        self._web, self._folder, self._delay = web, folder, delay
        self._out = folder / "out"
        self._before = Evidence()

    def crawl(self, result: Trial, *, blows: int) -> set[tuple[str, str]]:
        """Crawl a round to its end, struck so many times on the way; return what it then has."""
        endings = self._struck(random.Random(f"blows {result.seed} {result.rounds}"), blows)  # noqa: S311  # no secret
        kills = sum(ending.struck for ending in endings)
        endings.append(self._run(after=0, blow=Blow.GROUP))
        wrong = [sentence for ending in endings if (sentence := _bad_end(ending))]
        wrong += survivors({ending.session for ending in endings})
        ordeal = Ordeal(kills=kills, delay=self._delay, before=self._before)
        wrong += check(self._out, self._web, ordeal, verify=verify)
        result.wrong += [f"{self._folder.name}, round {result.rounds}: {sentence}" for sentence in wrong]
        result.kills += kills
        result.requests += sum(len(site.log) for site in self._web.sites)
        now = Evidence.of(self._out)
        added, self._before = now.since(self._before), now
        return fates(added)

    def _struck(self, rng: random.Random, blows: int) -> list[Ending]:
        """Run until so many blows have fallen, or the round is over."""
        endings = list[Ending]()
        while len(endings) < blows:
            blow = rng.choice(list(Blow))
            after = rng.randint(1, max(1, self._left() // (blows - len(endings))))
            endings.append(self._run(after=after, blow=blow, later=rng.uniform(0, JITTER)))
            if not endings[-1].struck:
                break
            if blow is not Blow.TERM and rng.random() < 0.5:
                tear(self._out, rng.choice(list(Tear)))
        return endings

    def _left(self) -> int:
        """Return how many URLs have not been asked for in this round."""
        asked = {site.url(request.path) for site in self._web.sites for request in site.log}
        return len(self._web.closure() - asked)

    def _run(self, *, after: int, blow: Blow, later: float = 0.0) -> Ending:
        begins = self._web.edition > 1 and last_round(self._out) < self._web.edition
        arguments = written(self._web, self._folder, self._out, delay=self._delay)
        arguments += ["--recrawl"] if begins else []
        return run_and_kill(arguments, self._folder / "printed", self._web.sites, after=after, blow=blow, later=later)


def written(web: Web, folder: Path, out: Path, *, delay: float) -> list[str]:
    """Write the seeds and settings of a crawl of a web; return the arguments of its command."""
    (folder / "seeds.txt").write_text("\n".join(web.fronts), encoding="utf-8")
    (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    politeness = ["--delay", str(delay), "--per-host", "1" if delay else "8"]
    politeness += ["--robots", "obey" if web.obey else "ignore", "--allow-private", "seeds"]
    files = [str(folder / "seeds.txt"), "-o", str(out), "--config", str(folder / "settings.toml")]
    return [*files, *politeness, "--scope", "host", "--concurrency", "16", "--quiet"]


@contextlib.contextmanager
def counting(sites: Sequence[Site], after: int, due: threading.Event) -> Iterator[None]:
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


def tell_end(process: subprocess.Popen[bytes], due: threading.Event) -> None:
    """Set an event when a process has ended."""
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


def survivors(sessions: set[int], patience: float = STOP_LIMIT) -> list[str]:
    """Name, and end, the processes of crawls that are over."""
    deadline = time.monotonic() + patience
    left = [process.pid for process in processes() if process.session in sessions]
    left = [pid for pid in left if not ended(pid, deadline)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [f"{len(left)} processes of ended runs were still there after {patience:.0f} s"] if left else []
