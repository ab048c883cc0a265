"""Kill shards and the driver of a shared crawl at bad moments, and run it again.

The crawl runs as a person would run it, with a Ray of its own, in a session of its own. As in :mod:`tests.killing`,
moments are counted in requests that the sites have seen, and whatever is ended is named by its number.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path

from crawler.testing.site import Site, serve_in_thread
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, check, shortened
from tests.killing import Ending, Trial, counting, started, survivors, tell_end, verify, written
from tests.leftovers import processes

RUN_LIMIT = 300.0
"""Seconds that one run may take: on a busy machine Ray alone takes a minute to start."""
GONE = 60.0
"""Seconds in which shards and their workers must notice that they are orphans, and Ray's own processes that too."""
_LATE = (b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")
"""Helpers of Ray that end by themselves after a kill, but look for its control store for more than a minute first."""
JITTER = 0.05
IN_FLIGHT = 64
"""Pages between request and commit that one kill may lose, of all shards."""


class Blow(Enum):
    """What is killed."""

    SHARD = "SIGKILL to a shard"
    SHARDS = "SIGKILL to two shards at once"
    DRIVER = "SIGKILL to the driver"
    STOP = "SIGINT to the driver"


_ENDS = {Blow.DRIVER: -signal.SIGKILL, Blow.STOP: 10}
"""The exit codes of a run that was ended so."""


def run_and_strike(
    arguments: Sequence[str], output: Path, sites: Sequence[Site], blows: Sequence[tuple[int, Blow]], seed: int = 0
) -> tuple[Ending, int]:
    """Run a shared crawl, and strike again and again; return how it ended, and how many blows fell.

    Args:
        arguments: what follows ``python -m crawler``.
        output: file that what it prints is added to.
        sites: served from a thread.
        blows: each falls so many requests after the one before; the last may end the run.
        seed: of who is struck.
    """
    chance = random.Random(f"who {seed}")  # noqa: S311  # no secret
    with output.open("ab") as sink:
        process = started(arguments, output.parent, sink)
        over = threading.Event()
        watch = threading.Thread(target=tell_end, args=(process, over), name="end of crawl")
        watch.start()
        fell, deadline = 0, time.monotonic() + RUN_LIMIT
        try:
            for after, blow in blows:
                due = threading.Event()
                with counting(sites, after, due):
                    while not (due.wait(0.05) or over.is_set() or time.monotonic() > deadline):
                        pass
                time.sleep(chance.uniform(0, JITTER))
                if over.is_set() or not due.is_set():
                    break
                fell += _strike(process, blow, chance)
            overdue = not over.wait(max(0.0, deadline - time.monotonic()))
        finally:
            if process.poll() is None:
                _end(process.pid)
            watch.join()
    said = output.read_text(encoding="utf-8", errors="replace")[-300:].strip()
    return Ending(process.pid, bool(fell), process.wait(), overdue, said), fell


def shards_of(driver: int) -> list[int]:
    """Return the processes of a driver's shards: the actors that its Ray's supervisor has started."""
    running = list(processes())
    raylets = {one.pid for one in running if one.parent == driver and b"raylet" in _command(one.pid)}
    return sorted(one.pid for one in running if one.parent in raylets and _is_shard(_command(one.pid)))


def left_of(*endings: Ending) -> list[str]:
    """Name what is left of runs that are over; Ray's late helpers are ended, and not counted."""
    sessions = {ending.session for ending in endings}
    for one in list(processes()):
        if one.session in sessions and _command(one.pid).startswith(_LATE):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
    return survivors(sessions, GONE)


def trial(seed: int, folder: Path, *, kills: int, pages: int, hosts: int = 8, shards: int = 4) -> Trial:
    """Crawl a random web with so many kills on the way, and compare it with the truth."""
    began, chance = time.monotonic(), random.Random(f"cluster {seed}")  # noqa: S311  # no secret
    web = Web.make(seed, pages=pages, hosts=hosts, obey=seed % 2 == 1)
    result = Trial(seed)
    sites, beyond = [Site(f"127.0.0.{number + 1}") for number in range(hosts)], Site("127.0.0.99")
    with serve_in_thread(*sites, beyond):
        web.install(sites, beyond)
        folder.mkdir(parents=True)
        arguments = [*written(web, folder, folder / "out", delay=0.0), "--cluster", "local", "--shards", str(shards)]
        endings: list[Ending] = []
        while True:
            blows = _plan(chance, kills - result.kills, pages)
            ending, fell = run_and_strike(arguments, folder / "printed", web.sites, blows, seed + len(endings))
            endings.append(ending)
            result.kills += fell
            last = blows[fell - 1][1] if fell else None
            if (sentence := _bad_end(ending, last)) or ending.code == 0:
                break
        wrong = [sentence] if sentence else []
        wrong += left_of(*endings)
        wrong += check_all(folder / "out", web, Ordeal(kills=result.kills, in_flight=IN_FLIGHT))
    result.wrong += shortened(wrong)
    result.pages, result.requests = len(web.bodies), sum(len(site.log) for site in web.sites)
    result.seconds = time.monotonic() - began
    return result


def check_all(out: Path, web: Web, ordeal: Ordeal) -> list[str]:
    """Return the violations of I1 to I10 over all shards."""
    folders = sorted(out.glob("shard-*"))
    evidence = Evidence()
    for folder in folders:
        one = Evidence.of(folder)
        evidence.records += [replace(record, segment=f"{folder.name}/{record.segment}") for record in one.records]
        evidence.lines += [_placed(line, folder.name) for line in one.lines]
        evidence.wrong += one.wrong
    return check(out, web, ordeal, verify=verify, evidence=evidence)


def _placed(line: dict[str, object], folder: str) -> dict[str, object]:
    return {**line, "segment": f"{folder}/{line['segment']}"} if line.get("segment") else line


def _plan(chance: random.Random, kills: int, pages: int) -> list[tuple[int, Blow]]:
    """Plan the blows of a run: some shards, and then perhaps an end."""
    if kills <= 0:
        return []
    some = [(chance.randint(1, pages // 4), chance.choice((Blow.SHARD, Blow.SHARDS)))]
    if kills > 1:
        some.append((chance.randint(1, pages // 4), chance.choice((Blow.DRIVER, Blow.STOP, Blow.SHARD))))
    return some


def _strike(process: subprocess.Popen[bytes], blow: Blow, chance: random.Random) -> int:
    if blow is Blow.STOP:
        process.send_signal(signal.SIGINT)
        return 1
    struck = [process.pid]
    if blow is not Blow.DRIVER:
        there = shards_of(process.pid)
        struck = chance.sample(there, min(len(there), 2 if blow is Blow.SHARDS else 1))
    for pid in struck:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(struck)


def _bad_end(ending: Ending, last: Blow | None) -> str:
    if ending.overdue:
        return f"a run did not end within {RUN_LIMIT:.0f} s: {ending.said}"
    right = {0} | ({_ENDS[last]} if last in _ENDS else set())
    return "" if ending.code in right else f"a run ended with exit code {ending.code}: {ending.said}"


def _end(session: int) -> None:
    """End all processes of a session of ours."""
    for one in list(processes()):
        if one.session == session:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)


def _is_shard(command: bytes) -> bool:
    return command.startswith(b"ray::") and (b"Station" in command or b"shard-" in command)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
