"""Kill a crawl, or fail it, at its n-th write, sync, rename or truncation, for n = 1, 2, … until it survives.

Random kills miss the one order of two system calls that loses a page; here every one of them is met.
``strace`` injects the fault, and only where a file of the output folder is concerned, so that n counts the same calls
in every run. What bears the time in its name gets a fixed one.
After each fault the same command is run again without any, and the invariants must hold.
A sweep strikes at the first round of a folder, or at its second, when the web has changed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from crawler.storage.verify import verify
from crawler.testing.site import Site
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, check
from tests.killing import RUN_LIMIT, environment, last_round

CALLS = ("pwrite64", "writev", "write", "fdatasync", "fsync", "rename", "ftruncate", "unlink", "mkdir", "openat")
"""What changes the folder. ``rename`` stands for its relatives, which other C libraries use."""
FAULTS = ("kill", "ENOSPC", "EIO")
_FAULT_CALLS = {"rename": "rename,renameat,renameat2", "unlink": "unlink,unlinkat", "mkdir": "mkdir,mkdirat"}
_NO_ROOM_IN = frozenset({"fdatasync", "fsync", "unlink", "ftruncate"})
"""Calls that need no room on the disk, and so do not fail for want of it."""
PAGES = 12
SETTINGS = "[fetch]\nbackoff = 0.01\n[store]\nsegment_size = 6000\n"
_MOMENT = "20000101000000"
_SEGMENTS = 18
_LAUNCH = (
    "import sys, time, types; import crawler.storage.archive as archive;"
    f" archive.time = types.SimpleNamespace(strftime=lambda *_: '{_MOMENT}', gmtime=time.gmtime, time=time.time);"
    " from crawler.__main__ import main; sys.exit(main())"
)
_STORAGE, _UNUSABLE, _OVERDUE = 74, 73, 124
_KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault at one moment."""

    kind: str
    call: str
    nth: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.call} {self.nth}"

    @property
    def words(self) -> str:
        """As strace has it."""
        what = "signal=SIGKILL" if self.kind == "kill" else f"error={self.kind}"
        return f"{_FAULT_CALLS.get(self.call, self.call)}:{what}:when={self.nth}"


@dataclass(slots=True)
class Tried:
    """What came of one fault."""

    fault: Fault
    struck: bool
    """Whether the crawl came so far at all."""
    wrong: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    """Exit codes of the runs, the last one undisturbed."""


@cache
def why_not() -> str:
    """Tell why faults cannot be injected on this machine; empty if they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-e", "inject=getcwd:error=EIO", "pwd"], capture_output=True, text=True, check=False
    )
    refused = "PTRACE" in tried.stderr or "ptrace" in tried.stderr or "not permitted" in tried.stderr
    return f"strace may not trace here: {tried.stderr.strip()[:200]}" if refused else ""


class Sweep:
    """A small web, crawled again and again. ``sites`` and ``beyond`` are served from a thread.

    Args:
        folder: for what is to be kept between two faults.
        sites: one for each host.
        beyond: where links out of the crawl lead.
        round_number: at which round of the folder the faults strike; those before it are crawled undisturbed, once.
    """

    def __init__(self, folder: Path, sites: list[Site], beyond: Site, *, round_number: int = 1) -> None:
        self._folder = folder
        self._sites, self._beyond = sites, beyond
        self._web = Web.make(3, pages=PAGES, hosts=len(sites))
        self._round = round_number
        self._before: Path | None = None
        (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
        for number in range(1, round_number):
            self._web.install(sites, beyond, edition=number)
            out = self._before or folder / "before" / "out"
            self._before = out
            out.parent.mkdir(exist_ok=True)
            ended, _ = self._run(out, None, recrawl=number > 1)
            if ended.returncode:
                raise RuntimeError(f"round {number} ended with {ended.returncode}: {ended.stderr}")

    @classmethod
    def hosts(cls) -> tuple[list[Site], Site]:
        """Make the sites that a sweep needs; they are still to be opened."""
        return [Site("127.0.0.1"), Site("127.0.0.2")], Site("127.0.0.99")

    def series(self, kind: str, call: str, *, first: int = 1, step: int = 1) -> Iterator[Tried]:
        """Strike at every n-th such call, until the crawl survives because it makes no more of them."""
        if kind == "ENOSPC" and call in _NO_ROOM_IN:
            return
        nth = first
        while (tried := self.strike(Fault(kind, call, nth))).struck:
            yield tried
            nth += step

    def strike(self, *faults: Fault) -> Tried:
        """Crawl with a fault, and with another while it goes on, if there are several; then crawl to the end."""
        self._web.install(self._sites, self._beyond, edition=self._round)
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            out, wrong, codes, struck = Path(scratch) / "out", list[str](), list[int](), 0
            before = self._copied(out)
            for fault in faults:
                ended, hit = self._run(out, fault, recrawl=self._is_to_begin(out))
                struck += hit
                codes.append(ended.returncode)
                wrong += [f"{fault}: {sentence}" for sentence in _badly(fault, ended) if hit]
            ended, _ = self._run(out, None, recrawl=self._is_to_begin(out))
            if ended.returncode:
                wrong.append(f"the run after it ended with {ended.returncode}: {ended.stderr[-300:].strip()}")
            ordeal = Ordeal(kills=struck, before=before)
            wrong += check(out, self._web, ordeal, verify=lambda folder: 0 if verify(folder).ok else 12)
        return Tried(faults[0], bool(struck), wrong, [*codes, ended.returncode])

    def _copied(self, out: Path) -> Evidence:
        """Lay out what the rounds before left, and return what that is."""
        if self._before is None:
            return Evidence()
        shutil.copytree(self._before, out)
        return Evidence.of(out)

    def _is_to_begin(self, out: Path) -> bool:
        """Tell whether the round has not begun; one that has is only gone on with, or another might begin."""
        return self._round > 1 and last_round(out) < self._round

    def _run(
        self, out: Path, fault: Fault | None, *, recrawl: bool = False
    ) -> tuple[subprocess.CompletedProcess[str], bool]:
        log = out.parent / "strace"
        tracing = _strace(fault, out, log) if fault else []
        arguments = [*self._web.fronts, "-o", str(out), "--config", str(self._folder / "settings.toml"), "-q"]
        arguments += ["--delay", "0", "--per-host", "8", "--robots", "ignore", "--parse-workers", "1"]
        arguments += ["--recrawl"] if recrawl else []
        command = [*tracing, sys.executable, "-c", _LAUNCH, *arguments]
        try:
            ended = subprocess.run(
                command,
                cwd=self._folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=RUN_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            ended = subprocess.CompletedProcess(command, _OVERDUE, "", f"it did not end within {RUN_LIMIT:.0f} s")
        if not fault:
            return ended, False
        killed = fault.kind == "kill" and ended.returncode == _KILLED
        return ended, killed or "(INJECTED)" in log.read_text(encoding="utf-8", errors="replace")


def _strace(fault: Fault, out: Path, log: Path) -> list[str]:
    names = [
        "",
        "crawl.db",
        "crawl.db-wal",
        "crawl.db-journal",
        "crawl.new",
        "crawl.lock",
        "pages.jsonl",
        "changes.jsonl",
    ]
    names += ["report.json", "report.json.new", "report.html", "report.html.new", "archive"]
    for serial in range(1, _SEGMENTS + 1):
        segment = f"archive/crawl-{_MOMENT}-{serial:05}"
        names += [segment + end for end in (".warc.gz", ".warc.gz.open", ".cdxj", ".cdxj.new")]
    paths = [word for name in names for word in ("-P", os.path.join(out, name) if name else str(out))]  # noqa: PTH118  strace compares the text
    calls = _FAULT_CALLS.get(fault.call, fault.call)
    return ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={fault.words}", *paths]


def _badly(fault: Fault, ended: subprocess.CompletedProcess[str]) -> Sequence[str]:
    """Say what was wrong with the end of a run that met a fault."""
    code, said = ended.returncode, ended.stderr.strip()
    if fault.kind == "kill":
        return [] if code == _KILLED else [f"ended with {code}, not by the kill: {said[-200:]}"]
    if code == 0 and not said:
        return []  # the call was one whose failure does no harm
    wrong = [] if code in (_STORAGE, _UNUSABLE) else [f"ended with {code}: {said[-300:]}"]
    if not re.fullmatch(r"crawler: [^\n]+", said):
        wrong.append(f"said more or less than a sentence: {said[-600:]}")
    return wrong
