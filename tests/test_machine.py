"""Whole crawls on a machine in trouble: no room, no leave to write, no file descriptors, a damaged state."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from crawler.storage.schema import VERSION
from crawler.testing.site import Request, Site, serve_in_thread
from tests.cli.command import Ended, environment, started, words
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, check
from tests.killing import verify

PATIENCE = 60.0
EAGER = ("--delay", "0", "--per-host", "8", "--parse-workers", "1", "-q")


@pytest.fixture
def web() -> Iterator[Web]:
    """A small web of which everything is known."""
    site, beyond = Site(), Site("127.0.0.99")
    with serve_in_thread(site, beyond):
        made = Web.make(11, pages=60, hosts=1)
        made.install([site], beyond)
        yield made


def asking(web: Web, out: Path) -> tuple[str, ...]:
    """Return the arguments of a crawl that waits for nothing long; its settings stand beside the folder."""
    settings = out.parent / "settings.toml"
    settings.write_text("[fetch]\nbackoff = 0.01\n", encoding="utf-8")
    return (*web.fronts, "-o", str(out), "--config", str(settings), "--robots", "ignore", *EAGER)


def run(web: Web, out: Path, *more: str, before: Sequence[str] = ()) -> Ended:
    """Crawl a web into a folder, by a command that may be wrapped into another."""
    arguments = (*asking(web, out), *more)
    done = subprocess.run(
        [*before, *words(*arguments)],
        cwd=out.parent,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def asked(web: Web) -> int:
    """Return how many requests the web has seen."""
    return sum(len(site.log) for site in web.sites)


def is_one_sentence(said: str) -> bool:
    return said.startswith("crawler: ") and said.count("\n") == 1


# the disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system, and mount it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        remount = "remount," if place.is_mount() else ""
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"{remount}{options}", "tmpfs", str(place)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_stops_the_crawl_and_room_lets_it_go_on(
    web: Web, disk: Callable[[str], Path], tmp_path: Path
) -> None:
    kilobytes, codes = 64, list[int]()
    while not codes or codes[-1]:
        (tmp_path / "out").unlink(missing_ok=True)
        (tmp_path / "out").symlink_to(disk(f"size={kilobytes}k"))
        ended = run(web, tmp_path / "out")
        assert ended.code in (0, 74), ended
        assert ended.code == 0 or is_one_sentence(ended.err), ended
        codes.append(ended.code)
        kilobytes = kilobytes * 3 // 2

    assert codes.count(74) >= 3
    assert check(tmp_path / "out", web, Ordeal(kills=codes.count(74)), verify=verify) == []


@pytest.mark.parametrize("before", ["nothing is there", "a crawl is there"])
def test_a_folder_that_cannot_be_written_is_told_before_the_first_request(
    web: Web, disk: Callable[[str], Path], tmp_path: Path, before: str
) -> None:
    out = disk("size=8m") / "out"
    (out.parent / "settings.toml").touch()
    if before == "a crawl is there":
        assert run(web, out, "--max-pages", "3").code == 11
    was = asked(web)
    (tmp_path / "settings.toml").touch()
    disk("ro,size=8m")

    ended = run_elsewhere(web, out, tmp_path)

    assert (ended.code, is_one_sentence(ended.err)) == (73, True), ended
    assert asked(web) == was


def run_elsewhere(web: Web, out: Path, cwd: Path) -> Ended:
    """Crawl into a folder beside which nothing can be written."""
    done = subprocess.run(
        words(*web.fronts, "-o", str(out), "--robots", "ignore", *EAGER),
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_limit_on_file_sizes_is_a_full_disk(web: Web, tmp_path: Path) -> None:
    need("prlimit")

    ended = run(web, tmp_path / "out", before=("prlimit", "--fsize=70000"))
    again = run(web, tmp_path / "out")

    assert (ended.code, is_one_sentence(ended.err)) == (74, True), ended
    assert again.code == 0
    assert check(tmp_path / "out", web, Ordeal(kills=1), verify=verify) == []


# processes


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("files", [48, 64])
def test_few_open_files_lose_nothing(web: Web, tmp_path: Path, files: int) -> None:
    need("prlimit")

    ended = run(web, tmp_path / "out", "--per-host", "64", before=("prlimit", f"--nofile={files}"))

    assert (ended.code, ended.err) == (0, "")
    assert check(tmp_path / "out", web, Ordeal(), verify=verify) == []


@contextlib.contextmanager
def watched(site: Site, count: int) -> Iterator[threading.Event]:
    """Set an event when the site has seen so many requests."""
    due = threading.Event()

    def look(_: Request) -> None:
        if len(site.log) >= count:
            due.set()

    site.listeners.append(look)
    try:
        yield due
    finally:
        site.listeners.remove(look)


def test_a_crawl_that_is_stopped_for_a_while_goes_on(web: Web, tmp_path: Path) -> None:
    command = words(*asking(web, tmp_path / "out"))
    with watched(web.sites[0], 10) as due, started(command, cwd=tmp_path) as process:
        assert due.wait(PATIENCE)
        os.killpg(process.pid, signal.SIGSTOP)
        threading.Event().wait(1.5)  # the time for which it is stopped is what is tested
        os.killpg(process.pid, signal.SIGCONT)
        code = process.wait(PATIENCE)

    assert code == 0
    assert check(tmp_path / "out", web, Ordeal(), verify=verify) == []


# the state


def _cut(file: Path, length: int | None = None) -> None:
    os.truncate(file, file.stat().st_size // 2 if length is None else length)


def _zero(file: Path, start: int) -> None:
    _overwrite(start, bytes(file.stat().st_size - start))(file)


def _overwrite(at: int, content: bytes) -> Callable[[Path], None]:
    def damage(database: Path) -> None:
        with database.open("r+b") as file:
            file.seek(at)
            file.write(content)

    return damage


def _sql(*statements: str) -> Callable[[Path], None]:
    def damage(database: Path) -> None:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def _foreign(database: Path) -> None:
    database.unlink()
    _sql("CREATE TABLE mine (x)", "INSERT INTO mine VALUES (1)")(database)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut": _cut,
    "cut to nothing": lambda database: _cut(database, 0),
    "cut within its header": lambda database: _cut(database, 60),
    "zeroed": lambda database: _zero(database, 0),
    "zeroed after its first page": lambda database: _zero(database, 4096),
    "garbage in front": _overwrite(0, b"\xde\xad" * 50),
    "garbage in its schema": _overwrite(100, b"\xde\xad" * 500),
    "missing": Path.unlink,
    "another program's": _foreign,
    "of a newer version": _sql(f"PRAGMA user_version = {VERSION + 1}"),
    "of an older version": _sql("PRAGMA user_version = 0"),
    "without a table": _sql("DROP TABLE page"),
}


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, Path]]:
    """A folder in which half a web is."""
    site, beyond = Site(), Site("127.0.0.99")
    with serve_in_thread(site, beyond):
        web = Web.make(11, pages=60, hosts=1)
        web.install([site], beyond)
        out = tmp_path_factory.mktemp("crawled") / "out"
        assert run(web, out, "--max-pages", "20").code == 11
        yield web, out


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_refused_and_nothing_begins_anew(
    crawled: tuple[Web, Path], tmp_path: Path, damage: str
) -> None:
    web, whole = crawled
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    DAMAGES[damage](out / "crawl.db")
    before, was = contents(out), asked(web)

    ended = run(web, out)

    assert (ended.code, is_one_sentence(ended.err)) == (65, True), ended
    assert asked(web) == was
    assert contents(out) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Return what counts in an output folder: all but the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "crawl.lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_archive_is_refused_and_named(crawled: tuple[Web, Path], tmp_path: Path, damage: str) -> None:
    web, whole = crawled
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    segment = min((out / "archive").glob("*.warc.gz"))
    segment.unlink() if damage == "missing" else _cut(segment)
    was = asked(web)

    ended = run(web, out)

    assert (ended.code, is_one_sentence(ended.err)) == (65, True), ended
    assert segment.name in ended.err
    assert asked(web) == was
    assert verify(out) == 12


def test_an_altered_archive_is_named_by_verify(crawled: tuple[Web, Path], tmp_path: Path) -> None:
    _, whole = crawled
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    segment = min((out / "archive").glob("*.warc.gz"))
    _overwrite(segment.stat().st_size // 2, b"\xde\xad\xbe\xef")(segment)

    assert verify(out) == 12
    assert Evidence.of(out).wrong
