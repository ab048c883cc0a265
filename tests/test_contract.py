"""What the library promises to a program that embeds it: each line of the contract in ``docs/library.md``, kept.

A promise is written above the test that keeps it, word for word; the last test compares the two lists.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import uvloop

from crawler import Crawler, Ending, FolderBusy, Report, crawl
from crawler.config import Parse
from crawler.testing.site import Site
from tests.cli.command import PATIENCE, ROOT, environment
from tests.conftest import EAGER
from tests.leftovers import Belongings, Held, let_go, reap

PAGES = 12
GOING_ON = msgspec.structs.replace(EAGER, parse=Parse(workers=1))
"""For crawls that only show what another left: each worker less saves a tenth of a second."""
PROMISES: list[str] = []
PROGRAM = """
import asyncio
from crawler import Config, crawl
from crawler.config import Fetch, Politeness

CONFIG = Config(politeness=Politeness(delay=0.0, per_host=8), fetch=Fetch(allow_private="always"))

async def main():
    report = await crawl(["{start}"], config=CONFIG, out="{out}")
    print(report.ending, report.totals.done)
"""
RUN = "asyncio.run(main())\n"

_Test = TypeVar("_Test", bound=Callable[..., Any])


def keeps(promise: str) -> Callable[[_Test], _Test]:
    """Say which line of the contract a test keeps."""
    PROMISES.append(promise)
    return lambda test: test


def woven(site: Site, count: int = PAGES) -> str:
    """Make pages that each link to all others."""
    paths = [f"/p{number}" for number in range(count)]
    for path in paths:
        site.page(path, links=paths)
    return site.url("/p0")


@pytest.fixture
def web() -> Iterator[str]:
    """The first page of a small website that is served from a thread."""
    site = Site()
    with site.serve_in_thread():
        yield woven(site)


@contextlib.asynccontextmanager
async def nothing_stays() -> AsyncIterator[None]:
    """Measure that within it no task, thread, process, socket or file is left."""
    tasks, belongings, held = _tasks(), Belongings.now(), Held.now()
    yield
    assert _tasks() == tasks
    assert reap(belongings) == []
    assert await asyncio.to_thread(let_go, held) == []


def _tasks() -> set[asyncio.Task[Any]]:
    """All tasks but those of the website, which has its own pace."""
    return {
        task for task in asyncio.all_tasks() if not getattr(task.get_coro(), "__qualname__", "").startswith("Site.")
    }


async def resumed(start: str, out: Path, pages: int = PAGES) -> Report:
    """Crawl what is left, and see that nothing is lost."""
    report = await crawl([start], config=GOING_ON, out=out)
    assert (report.ending, report.totals.done, report.conserved) == (Ending.COMPLETE, pages, True)
    return report


# where it works


@keeps("in the event loop of asyncio")
async def test_it_works_in_the_loop_of_asyncio(site: Site, tmp_path: Path) -> None:
    await resumed(woven(site), tmp_path)


def crawled(web: str, out: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> Report:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(resumed(web, out))


@keeps("in the event loop of uvloop")
def test_it_works_in_the_loop_of_uvloop(web: str, tmp_path: Path) -> None:
    crawled(web, tmp_path, uvloop.new_event_loop)


@keeps("in a thread that is not the main one")
def test_it_works_in_a_thread_that_is_not_the_main_one(web: str, tmp_path: Path) -> None:
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(crawled(web, tmp_path)))

    thread.start()
    thread.join(PATIENCE)

    assert [report.done for report in reports] == [PAGES]


def ran(*command: str, stdin: str | None = None, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        input=stdin,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@keeps("in a script without a `__main__` guard")
def test_it_works_in_a_script_without_a_guard(web: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.format(start=web, out=tmp_path / "out") + RUN)

    assert ran(str(script), cwd=tmp_path) == f"complete {PAGES}"


@keeps("in `python -c` and in a program that is read from standard input")
@pytest.mark.parametrize("way", ["-c", "-"])
def test_it_works_in_a_program_that_is_no_file(way: str, web: str, tmp_path: Path) -> None:
    program = PROGRAM.format(start=web, out=tmp_path / "out") + RUN

    out = ran("-c", program, cwd=tmp_path) if way == "-c" else ran("-", stdin=program, cwd=tmp_path)

    assert out == f"complete {PAGES}"


@keeps("in a cell of a Jupyter notebook")
def test_it_works_in_a_cell_of_a_notebook(web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are not ours
        from jupyter_client.manager import KernelManager  # noqa: PLC0415  a tenth of a second
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    kernel = KernelManager()  # of the Python that runs the tests
    kernel.start_kernel(cwd=str(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    said: list[str] = []
    try:
        client = kernel.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        for cell in (PROGRAM.format(start=web, out=tmp_path / "out"), "await main()", "await main()"):
            client.execute_interactive(cell, timeout=PATIENCE, output_hook=lambda message: said.append(_said(message)))
        client.stop_channels()
    finally:
        kernel.shutdown_kernel(now=True)
        kernel.cleanup_resources()

    assert "".join(said) == f"complete {PAGES}\n" * 2


@keeps("within a FastAPI application under uvicorn")
def test_it_works_within_a_fastapi_application(web: str, tmp_path: Path) -> None:
    assert served(block("FastAPI"), "uvicorn", web, tmp_path) == [f"complete {PAGES}"] * 2


@keeps("within an aiohttp application")
def test_it_works_within_an_aiohttp_application(web: str, tmp_path: Path) -> None:
    assert served(block("aiohttp"), "aiohttp.web", web, tmp_path) == [f"complete {PAGES}"] * 2


def block(title: str) -> str:
    """Return the program under a title of the library's page."""
    part = (ROOT / "docs" / "library.md").read_text(encoding="utf-8").partition(f"### {title}\n")[2]
    return part.partition("```python\n")[2].partition("```")[0]


SERVE = {
    "uvicorn": """
import socket, threading, uvicorn
listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
threading.Thread(target=drive, args=(listener.getsockname()[1], lambda: setattr(server, "should_exit", True))).start()
server.run(sockets=[listener])
""",
    "aiohttp.web": """
import os, signal, socket, threading
from aiohttp import web
listener = socket.create_server(("127.0.0.1", 0))
stop = lambda: os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=drive, args=(listener.getsockname()[1], stop)).start()
web.run_app(application(), sock=listener, print=None, handle_signals=True)
""",
}
DRIVE = """
def drive(port, stop):
    import json, urllib.request
    for _ in range(2):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/crawl?url=%s") as answer:
            report = json.load(answer)
            print(report["ending"], report["pages"], flush=True)
    stop()
"""


def served(service: str, how: str, web: str, tmp_path: Path) -> list[str]:
    """Serve a service of the docs, ask it twice for a crawl, and stop it; return what it answered."""
    eager = PROGRAM.partition("CONFIG = ")[2].partition("\n")[0]
    program = service.replace("CONFIG = Config()", f"from crawler.config import Fetch, Politeness\nCONFIG = {eager}")
    assert program != service

    return ran("-c", program + DRIVE % web + SERVE[how], cwd=tmp_path).splitlines()


def _said(message: dict[str, Any]) -> str:
    content = message["content"]
    return str(content.get("text", "")) + "\n".join(content.get("traceback", ()))


@keeps("in a test under pytest-asyncio")
def test_it_works_under_pytest_asyncio(web: str, tmp_path: Path) -> None:
    test = PROGRAM.format(start=web, out=tmp_path / "out").replace("async def main", "async def test_it")
    (tmp_path / "test_theirs.py").write_text(test)

    told = ran(
        "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "test_theirs.py", cwd=tmp_path
    )

    assert "1 passed" in told


# side by side


@keeps("two crawls at once, each into its own folder")
async def test_two_crawls_at_once_do_not_notice_each_other(site: Site, tmp_path: Path) -> None:
    start = woven(site)

    await asyncio.gather(resumed(start, tmp_path / "one"), resumed(start, tmp_path / "two"))


@keeps("one crawl after another")
async def test_one_crawl_after_another(site: Site, tmp_path: Path) -> None:
    start = woven(site)
    async with nothing_stays():
        for number in range(3):
            await resumed(start, tmp_path / str(number))


@keeps("a second crawl into a folder that is in use raises `FolderBusy`, and the first goes on")
async def test_a_second_crawl_into_one_folder_is_refused(site: Site, tmp_path: Path) -> None:
    start = woven(site)
    async with Crawler(EAGER, out=tmp_path) as crawler:
        with pytest.raises(FolderBusy, match=f"process {os.getpid()}"):
            await crawl([start], config=EAGER, out=tmp_path)

        assert (await crawler.crawl([start])).done == PAGES


# what it does not touch


@keeps(
    "it touches no signal handler, no logger, no warning filter, no loop policy, no environment variable, no working"
    " directory, no exception hook, and not the loop's default executor"
)
async def test_the_program_around_it_is_left_as_it_was(site: Site, tmp_path: Path) -> None:
    def surroundings() -> dict[str, object]:
        loop, root = asyncio.get_running_loop(), logging.getLogger()
        return {
            "signals": [signal.getsignal(number) for number in signal.valid_signals()],
            "root logger": (root.level, list(root.handlers), list(root.filters), root.disabled),
            "loggers": {name: logging.getLogger(name).handlers for name in ("asyncio", "aiohttp", "crawler")},
            "filters": list(warnings.filters),
            "policy": type(asyncio.get_event_loop_policy()) if sys.version_info < (3, 14) else None,
            "environment": dict(os.environ),
            "folder": Path.cwd(),
            "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
            "executor": getattr(loop, "_default_executor", None),
            "handler": loop.get_exception_handler(),
            "main": dict(vars(sys.modules["__main__"])),
        }

    before = surroundings()
    during: list[dict[str, object]] = []
    async with Crawler(EAGER, out=tmp_path) as crawler:
        async for _ in crawler.run([woven(site)]):
            during.append(surroundings())  # noqa: PERF401  it reads better so

    assert len(during) == PAGES
    assert all(one == before for one in [*during, surroundings()])


# how it ends


@keeps("`asyncio.timeout` around a crawl ends it in time")
async def test_a_timeout_ends_a_crawl(site: Site, tmp_path: Path) -> None:
    gate = asyncio.Event()
    start = site.page("/", links=("/stuck",))
    site.page("/stuck", slow=gate)
    async with nothing_stays():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await crawl([start], config=EAGER, out=tmp_path)
        gate.set()

    await resumed(start, tmp_path, pages=2)


@keeps("a crawl may be cancelled at any moment, while it opens and while it closes too")
async def test_a_crawl_may_be_cancelled_at_any_moment(site: Site, tmp_path: Path) -> None:
    start = woven(site)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await resumed(start, tmp_path / "whole")
    whole = loop.time() - began
    for eighth in range(9):
        out = tmp_path / f"cut after {eighth} eighths"
        async with nothing_stays():
            crawling = loop.create_task(crawl([start], config=EAGER, out=out))
            await asyncio.wait([crawling], timeout=whole * eighth / 8)
            crawling.cancel()
            await asyncio.wait([crawling])

        assert crawling.cancelled() or crawling.result().done == PAGES
        await resumed(start, out)


@keeps("so may a crawl that is being cancelled already")
async def test_a_crawl_may_be_cancelled_twice(site: Site, tmp_path: Path) -> None:
    start = woven(site, 40)
    async with nothing_stays():
        crawling = asyncio.create_task(crawl([start], config=EAGER, out=tmp_path))
        await site.seen(5)
        for _ in range(5):
            crawling.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([crawling])

    assert crawling.cancelled()
    await resumed(start, tmp_path, pages=40)


@keeps("an `async for` over its pages may be left early")
async def test_a_loop_over_its_pages_may_be_left_early(site: Site, tmp_path: Path) -> None:
    start = woven(site)
    async with nothing_stays(), Crawler(EAGER, out=tmp_path) as crawler:
        async for _ in crawler.run([start]):
            break

    await resumed(start, tmp_path)


@keeps("an exception in the caller's `async for` comes out as it is")
async def test_an_exception_of_the_caller_comes_out_as_it_is(site: Site, tmp_path: Path) -> None:
    start = woven(site)
    async with nothing_stays():
        with pytest.raises(LookupError, match="mine"):  # noqa: PT012  a caller as callers are
            async with Crawler(EAGER, out=tmp_path) as crawler:
                async for _ in crawler.run([start]):
                    raise LookupError("mine")

    await resumed(start, tmp_path)


@keeps("an async iterable of seeds that never ends is left alone when the crawl is")
async def test_seeds_that_never_end_do_not_hold_a_crawl(site: Site, tmp_path: Path) -> None:
    start = woven(site)
    closed = asyncio.Event()

    async def seeds() -> AsyncIterator[str]:
        try:
            yield start
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with nothing_stays():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await crawl(seeds(), config=EAGER, out=tmp_path)

    assert closed.is_set()
    await resumed(start, tmp_path)


def test_every_line_of_the_contract_is_kept_by_a_test() -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    contract = page.partition("## The contract")[2].partition("\n## ")[0]

    lines = [line.rstrip(".;,") for line in re.findall(r"^- (.+)$", contract, re.MULTILINE)]

    assert sorted(lines) == sorted(PROMISES)
