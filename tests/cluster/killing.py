"""Kill shards and the driver of a shared crawl at bad moments, and run it again.

The crawl runs as a person would run it, with a Ray of its own, in a session of its own. As in :mod:`tests.killing`,
moments are counted in requests that the sites have seen, and whatever is ended is named by its number.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from crawler.core.manifest import MANIFESTS, manifest_key, newest, read_manifest
from crawler.storage.object_store import ObjectStore
from crawler.storage.shared_folder import shard_folders
from crawler.storage.shared_snapshots import bring_back, shard_place
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
    NODE = "SIGKILL to a shard, and its folder is lost"
    MACHINE = "SIGKILL to the driver and all shards, and all folders are lost"


_ENDS = {Blow.DRIVER: -signal.SIGKILL, Blow.STOP: 10, Blow.MACHINE: -signal.SIGKILL}
"""The exit codes of a run that was ended so."""


@dataclass(frozen=True, slots=True)
class Disks:
    """The folder of a shared crawl, and where its snapshots go."""

    out: Path
    store: str = ""
    endpoint: str = ""

    def lose(self, folder: Path) -> int:
        """Lose the folder of a shard that is dead or stopped; return how many pages it had, perhaps, for nothing."""
        store = ObjectStore(shard_place(self.store, int(folder.name.removeprefix("shard-"))), self.endpoint)
        last, log = newest(store.keys(MANIFESTS)), folder / "pages.jsonl"
        kept = read_manifest(store.content(manifest_key(last), most=1 << 20), last).pages if last else 0
        had = log.read_bytes().count(b"\n") if log.exists() else 0
        shutil.rmtree(folder)
        return max(0, had - kept)

    def lose_all(self) -> int:
        """Lose the whole folder."""
        lost = sum(self.lose(folder) for folder in shard_folders(self.out))
        shutil.rmtree(self.out)
        return lost


@dataclass(slots=True)
class Struck:
    """What became of a run under blows."""

    ending: Ending
    fell: int = 0
    """Blows."""
    lost: int = 0
    """Pages that were finished for nothing."""


def run_and_strike(
    arguments: Sequence[str],
    output: Path,
    sites: Sequence[Site],
    blows: Sequence[tuple[int, Blow]],
    *,
    disks: Disks | None = None,
    seed: int = 0,
) -> Struck:
    """Run a shared crawl, and strike again and again.

    Args:
        arguments: what follows ``python -m crawler``.
        output: file that what it prints is added to.
        sites: served from a thread.
        blows: each falls so many requests after the one before; the last may end the run.
        disks: what may be lost.
        seed: of who is struck.
    """
    chance = random.Random(f"who {seed}")  # noqa: S311  # no secret
    with output.open("ab") as sink:
        process = started(arguments, output.parent, sink)
        over = threading.Event()
        watch = threading.Thread(target=tell_end, args=(process, over), name="end of crawl")
        watch.start()
        fell, lost, deadline = 0, 0, time.monotonic() + RUN_LIMIT
        try:
            for after, blow in blows:
                due = threading.Event()
                with counting(sites, after, due):
                    while not (due.wait(0.05) or over.is_set() or time.monotonic() > deadline):
                        pass
                time.sleep(chance.uniform(0, JITTER))
                if over.is_set() or not due.is_set():
                    break
                hit, gone = _strike(process, blow, chance, disks)
                fell, lost = fell + hit, lost + gone
            overdue = not over.wait(max(0.0, deadline - time.monotonic()))
        finally:
            if process.poll() is None:
                _end(process.pid)
            watch.join()
    said = output.read_text(encoding="utf-8", errors="replace")[-300:].strip()
    return Struck(Ending(process.pid, bool(fell), process.wait(), overdue, said), fell, lost)


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


def trial(
    seed: int, folder: Path, *, kills: int, pages: int, hosts: int = 8, shards: int = 4, losing: bool = False
) -> Trial:
    """Crawl a random web with so many kills on the way, and compare it with the truth.

    Args:
        seed: of the web and of the kills.
        folder: for all files.
        kills: in all.
        pages: URLs of the web.
        hosts: of the web.
        shards: of the crawl.
        losing: whether folders are lost too, and brought back from snapshots; what these have at last is judged.
    """
    began, chance = time.monotonic(), random.Random(f"cluster {seed}")  # noqa: S311  # no secret
    web = Web.make(seed, pages=pages, hosts=hosts, obey=seed % 2 == 1)
    result = Trial(seed)
    sites, beyond = [Site(f"127.0.0.{number + 1}") for number in range(hosts)], Site("127.0.0.99")
    with serve_in_thread(*sites, beyond):
        web.install(sites, beyond)
        folder.mkdir(parents=True)
        disks = Disks(folder / "out", f"file://{folder}/store" if losing else "")
        arguments = [*written(web, folder, disks.out, delay=0.0), "--cluster", "local", "--shards", str(shards)]
        if losing:
            arguments += kept_at(disks, folder)
        runs: list[Struck] = []
        while True:
            blows = _plan(chance, kills - result.kills, pages, losing=losing)
            runs.append(run_and_strike(arguments, folder / "printed", sites, blows, disks=disks, seed=seed + len(runs)))
            result.kills += runs[-1].fell
            last = blows[runs[-1].fell - 1][1] if runs[-1].fell else None
            if (sentence := _bad_end(runs[-1].ending, last)) or runs[-1].ending.code == 0:
                break
        wrong = [sentence] if sentence else []
        wrong += left_of(*(run.ending for run in runs))
        if losing:
            disks = brought_back(disks, folder / "back")
        wrong += check_all(disks.out, web, ordeal_of(runs))
    result.wrong += shortened(wrong)
    result.pages, result.requests = len(web.bodies), sum(len(site.log) for site in web.sites)
    result.seconds = time.monotonic() - began
    return result


def kept_at(disks: Disks, folder: Path) -> list[str]:
    """Return the arguments by which a crawl takes snapshots often; its settings are in ``folder`` already."""
    with (folder / "settings.toml").open("a") as settings:
        settings.write(f'[snapshot]\npages = 8\nevery = 0\nendpoint = "{disks.endpoint}"\n')
    return ["--snapshot-to", disks.store]


def brought_back(disks: Disks, folder: Path) -> Disks:
    """Bring a whole crawl back from its snapshots to another folder."""
    bring_back(ObjectStore(disks.store, disks.endpoint), disks.endpoint, folder)
    return replace(disks, out=folder)


def ordeal_of(runs: Sequence[Struck]) -> Ordeal:
    """Return what a crawl went through in some runs: each blow costs what was in flight, and some cost more."""
    kills, lost = sum(run.fell for run in runs), sum(run.lost for run in runs)
    return Ordeal(kills=kills, in_flight=IN_FLIGHT + lost // (kills + 1) + 1)


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


def _plan(chance: random.Random, kills: int, pages: int, *, losing: bool) -> list[tuple[int, Blow]]:
    """Plan the blows of a run: some shards, and then perhaps an end."""
    if kills <= 0:
        return []
    shards = (Blow.NODE, Blow.NODE, Blow.SHARD) if losing else (Blow.SHARD, Blow.SHARDS)
    ends = (Blow.MACHINE, Blow.STOP, Blow.NODE) if losing else (Blow.DRIVER, Blow.STOP, Blow.SHARD)
    some = [(chance.randint(1, pages // 4), chance.choice(shards))]
    if kills > 1:
        some.append((chance.randint(1, pages // 4), chance.choice(ends)))
    return some


def _strike(
    process: subprocess.Popen[bytes], blow: Blow, chance: random.Random, disks: Disks | None
) -> tuple[bool, int]:
    """Strike; return whether anybody was hit, and how many pages are lost."""
    if blow is Blow.STOP:
        process.send_signal(signal.SIGINT)
        return True, 0
    if blow is Blow.MACHINE:
        assert disks is not None
        _end(process.pid)
        process.wait()
        return True, disks.lose_all()
    struck, lost = [process.pid], 0
    if blow is not Blow.DRIVER:
        there = shards_of(process.pid)
        struck = chance.sample(there, min(len(there), 2 if blow is Blow.SHARDS else 1))
    for pid in struck:
        with contextlib.suppress(ProcessLookupError):
            if blow is Blow.NODE and disks is not None:
                os.kill(pid, signal.SIGSTOP)  # so that its successor does not see what is lost
                lost += sum(disks.lose(folder) for folder in shard_folders(disks.out) if _holds(pid, folder))
            os.kill(pid, signal.SIGKILL)
    return bool(struck), lost


def _holds(pid: int, folder: Path) -> bool:
    """Tell whether a process holds the folder of a shard."""
    with contextlib.suppress(OSError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if one.readlink() == folder / "crawl.lock":
                    return True
    return False


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
