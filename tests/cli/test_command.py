"""Whole crawls by the command, as a person or cron runs it, on a website on loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.report.jsonfile import decode
from crawler.report.report import Ending, Report
from crawler.testing.site import Site
from tests.cli.command import crawler, environment, started, words

EAGER = ("--delay", "0", "--per-host", "8", "--parse-workers", "1")


@pytest.fixture
def web() -> Iterator[Site]:
    site = Site()
    with site.serve_in_thread():
        site.page("/", links=("/a", "/b", "/gone", "/moved", "/private", "http://elsewhere.example/"))
        site.page("/a", links=("/", "/b"))
        site.page("/b")
        site.redirect("/moved", "/a")
        site.robots("User-agent: *\nDisallow: /private\n")
        yield site


@pytest.fixture
def chain(web: Site) -> Site:
    """A site of one long way, so that a crawl of it is never done at once."""
    for number in range(1000):
        web.page(f"/{number}", links=(f"/{number + 1}",), slow=0.02)
    return web


def report_of(folder: Path) -> Report:
    return decode((folder / "report.json").read_bytes())


def pages_of(folder: Path) -> list[str]:
    """Return the URLs that were asked for, as the page log has them."""
    lines = map(json.loads, (folder / "pages.jsonl").read_text().splitlines())
    return [line["url"] for line in lines if line["outcome"] != "robots_denied"]


def test_a_seed_file_is_crawled_and_told(web: Site, tmp_path: Path) -> None:
    (tmp_path / "seed.txt").write_text(f"\ufeff# mine\r\n{web.url('/')}\r\n\r\nb a d\r\n{web.url('/')}\r\n")

    ended = crawler("seed.txt", *EAGER, cwd=tmp_path)

    report = report_of(tmp_path / "crawl-out")
    assert ended.code == 0
    assert sorted(web.requests) == ["/", "/a", "/b", "/gone", "/moved"]
    assert web.robots_requests == 1
    assert (report.ending, report.done, report.failed, report.conserved) == (Ending.COMPLETE, 4, 1, True)
    assert (report.seeds.read, report.seeds.accepted, report.seeds.duplicates) == (3, 2, 1)
    assert report.seeds.bad_count == 1
    assert "known 7 = done 4 + failed 1 + skipped 2 + queued 0" in ended.out
    assert web.url("/gone") in ended.out
    assert ended.out.endswith("  python -m crawler verify crawl-out\n")
    assert ended.err.startswith("crawler: seed.txt:4: white space inside 'b a d'")


def test_a_host_is_asked_over_one_connection_that_is_kept(web: Site, tmp_path: Path) -> None:
    crawler(web.url("/"), *EAGER, "--per-host", "1", cwd=tmp_path)

    assert len({request.peer for request in web.log}) == 1


def test_text_and_json_agree(web: Site, tmp_path: Path) -> None:
    ended = crawler(web.url("/"), *EAGER, "--json", cwd=tmp_path)

    assert ended.out.encode() == (tmp_path / "crawl-out" / "report.json").read_bytes()
    assert json.loads(ended.out)["pages"] == 5


def test_a_url_a_file_and_standard_input_may_be_given_together(web: Site, tmp_path: Path) -> None:
    (tmp_path / "seed.txt").write_text(web.url("/a"))

    ended = crawler(web.url("/"), "seed.txt", "-", "--depth", "0", *EAGER, cwd=tmp_path, stdin=web.url("/b"))

    assert ended.code == 0
    assert sorted(web.requests) == ["/", "/a", "/b"]


def test_the_same_command_goes_on_after_a_limit_and_says_so(web: Site, tmp_path: Path) -> None:
    command = (web.url("/"), *EAGER, "--concurrency", "1")
    first = crawler(*command, "--max-pages", "2", "-o", "my out", cwd=tmp_path)
    second = crawler(*command, "-o", "my out", cwd=tmp_path)
    third = crawler(*command, "-o", "my out", cwd=tmp_path)

    assert (first.code, second.code, third.code) == (11, 0, 0)
    assert "Go on with the " in first.out
    assert first.out.endswith("--max-pages 2 -o 'my out'\n")
    assert sorted(web.requests) == ["/", "/a", "/b", "/gone", "/moved"]
    assert sorted(pages_of(tmp_path / "my out")) == sorted(map(web.url, web.requests))


def test_a_fresh_run_begins_anew_and_keeps_the_old_one(web: Site, tmp_path: Path) -> None:
    crawler(web.url("/b"), *EAGER, "-o", "out", cwd=tmp_path)

    ended = crawler(web.url("/b"), *EAGER, "-o", "out", "--fresh", cwd=tmp_path)

    assert ended.code == 0
    assert web.requests == ["/b", "/b"]
    assert len(pages_of(tmp_path / "out")) == 1
    assert len(list(tmp_path.glob("out*/pages.jsonl")) + list(tmp_path.glob("out/*/pages.jsonl"))) == 2


def test_quiet_is_silent_when_all_is_well_and_talks_when_it_is_not(web: Site, tmp_path: Path) -> None:
    (tmp_path / "seed.txt").write_text(f"{web.url('/')}\nb a d\n")

    well = crawler("seed.txt", "-q", *EAGER, cwd=tmp_path)
    bad = crawler("seed.txt", "-q", "--fail-on", "10%", "--fresh", *EAGER, cwd=tmp_path)

    assert (well.code, well.out, well.err) == (0, "", "")
    assert bad.code == 4
    assert "1 x 404 http_client_error" in bad.out
    assert "seed.txt:2:" in bad.err
    assert "1 of 5 pages failed, more than the 10 % of --fail-on" in bad.err


def test_nothing_fetched_has_a_code_of_its_own(web: Site, tmp_path: Path) -> None:
    ended = crawler(web.url("/gone"), *EAGER, cwd=tmp_path)

    assert ended.code == 3
    assert ended.out.startswith("Nothing was fetched")


def test_private_addresses_are_refused_if_asked(web: Site, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("[fetch]\nbackoff = 0\n")

    ended = crawler(web.url("/b"), *EAGER, "--allow-private", "never", "--config", "my.toml", cwd=tmp_path)

    assert ended.code == 3
    assert web.requests == []
    assert "address_blocked" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_drains_and_the_same_command_goes_on(chain: Site, number: signal.Signals, tmp_path: Path) -> None:
    for page in range(30, 1000):
        chain.answers.pop(f"/{page}")
    command = words(chain.url("/0"), *EAGER)
    with started(command, cwd=tmp_path) as process:
        until_requested(chain, "/5")
        process.send_signal(number)
        out, err = process.communicate(timeout=15)

    assert process.returncode == 10
    assert "stopping: " in err
    assert "again ends it at once" in err or "a second SIGTERM ends it at once" in err
    assert out.startswith("Interrupted: ")
    assert "Go on with the " in out

    ended = crawler(chain.url("/0"), *EAGER, cwd=tmp_path)
    assert ended.code == 0
    assert sorted(pages_of(tmp_path / "crawl-out")) == sorted(chain.url(f"/{number}") for number in range(31))


def test_a_second_crawl_in_the_same_folder_is_kept_out(chain: Site, tmp_path: Path) -> None:
    with started(words(chain.url("/0"), *EAGER), cwd=tmp_path) as process:
        until_requested(chain, "/2")

        second = crawler(chain.url("/0"), *EAGER, cwd=tmp_path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)

    assert second.code == 75
    assert second.err.count("\n") == 1
    assert "crawl-out" in second.err
    assert process.returncode == 10


def test_an_output_folder_that_cannot_be_made_is_told(web: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    ended = crawler(web.url("/"), "-o", "file/out", cwd=tmp_path)

    assert ended.code == 73
    assert ended.err.count("\n") == 1
    assert web.requests == []


def test_a_foreign_folder_is_left_alone(web: Site, tmp_path: Path) -> None:
    folder = tmp_path / "crawl-out"
    folder.mkdir()
    (folder / "crawl.db").write_bytes(b"not a database at all" * 100)

    ended = crawler(web.url("/"), cwd=tmp_path)

    assert ended.code == 65
    assert ended.err.count("\n") == 1
    assert (folder / "crawl.db").read_bytes() == b"not a database at all" * 100


def test_a_bare_environment_as_crons_is_enough(web: Site, tmp_path: Path) -> None:
    bare = {"PYTHONPATH": environment()["PYTHONPATH"], "PATH": "/usr/bin:/bin", "LANG": "C"}

    done = subprocess.run(
        words(web.url("/"), *EAGER), cwd=tmp_path, env=bare,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_early_does_not_change_the_code(web: Site, tmp_path: Path) -> None:
    command = ["sh", "-c", '"$@" | head -n 1; exit', "sh", *words(web.url("/"), *EAGER)]

    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout == "Complete: every known URL is finished\n"
    assert done.stderr == ""
    assert report_of(tmp_path / "crawl-out").ending is Ending.COMPLETE


def until_requested(site: Site, path: str) -> None:
    """Wait in this thread until the crawl has come so far."""
    arrived = threading.Event()
    site.listeners.append(lambda request: arrived.set() if request.path == path else None)
    if path not in site.requests:
        assert arrived.wait(30), f"{path} was never requested"
