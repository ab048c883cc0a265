"""``report DIR`` in a process of its own."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from crawler.report.jsonfile import decode, encode
from crawler.report.page.page import html
from crawler.report.text import text
from crawler.testing.site import Site
from tests.cli.command import PATIENCE, crawler, started, words
from tests.report.samples import DRAWN

EAGER = ("--delay", "0", "--parse-workers", "1")


def folder_with(report: bytes, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.json").write_bytes(report)
    return folder


def test_a_finished_run_is_told_and_drawn_anew(tmp_path: Path) -> None:
    folder = folder_with(encode(DRAWN), tmp_path)

    ended = crawler("report", "out", cwd=tmp_path)

    assert (ended.code, ended.out, ended.err) == (0, text(DRAWN), "")
    assert (folder / "report.html").read_bytes() == html(DRAWN)


def test_it_is_told_as_json_and_the_page_goes_where_it_is_wanted(tmp_path: Path) -> None:
    folder = folder_with(encode(DRAWN), tmp_path)

    ended = crawler("report", "out", "--json", "--html", "here.html", cwd=tmp_path)

    assert ended.out.encode() == encode(DRAWN)
    assert (tmp_path / "here.html").read_bytes() == html(DRAWN)
    assert [path.name for path in folder.iterdir()] == ["report.json"]


def test_what_is_no_report_costs_one_sentence_and_draws_nothing(tmp_path: Path) -> None:
    folder_with(b'{"version": 1}', tmp_path)

    ended = crawler("report", "out", cwd=tmp_path)

    assert (ended.code, ended.out) == (65, "")
    assert ended.err.startswith("crawler: out/report.json: is not a report of this version (")
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_report_of_another_form_is_not_guessed_at(tmp_path: Path) -> None:
    folder_with(encode(DRAWN).replace(b'"version": 1', b'"version": 7'), tmp_path)

    ended = crawler("report", "out", cwd=tmp_path)

    assert (ended.code, ended.err) == (65, "crawler: out/report.json: has form 7, known is 1\n")


def test_a_page_that_cannot_be_written_is_a_failed_write(tmp_path: Path) -> None:
    folder_with(encode(DRAWN), tmp_path)

    ended = crawler("report", "out", "--html", "no/where.html", cwd=tmp_path)

    assert (ended.code, ended.err) == (
        74,
        "crawler: no/where.html.new: cannot be written (No such file or directory)\n",
    )


def test_each_run_is_held_against_the_last_and_one_that_was_killed_is_among_them(tmp_path: Path) -> None:
    site, far = Site(), threading.Event()
    site.listeners.append(lambda request: far.set() if request.path == "/12" else None)
    with site.serve_in_thread():
        for number in range(2000):
            site.page(f"/{number}", links=(f"/{number + 1}",), slow=0.02)
        first = crawler(site.url("/0"), *EAGER, "--max-pages", "5", "-q", cwd=tmp_path)
        with started(words(site.url("/0"), *EAGER), cwd=tmp_path) as process:
            assert far.wait(PATIENCE)
            process.kill()
            process.communicate(timeout=PATIENCE)
        last = crawler(site.url("/0"), *EAGER, "--max-pages", "9", "-q", cwd=tmp_path)

    ended = crawler("report", "--compare", cwd=tmp_path)

    report = decode((tmp_path / "crawl-out" / "report.json").read_bytes())
    assert (first.code, last.code, ended.code) == (11, 11, 0)
    assert [run.ending for run in report.history] == ["limit", ""]
    assert [run.pages for run in report.history] == [5, 0]
    assert "  (1 between them cut short)" in ended.out
    assert re.search(r"^  pages +9 +5 +\+4 \(\+80 %\)$", ended.out, re.MULTILINE)
    assert "Run by run" in (tmp_path / "crawl-out" / "report.html").read_text()


def test_a_comparison_is_no_json(tmp_path: Path) -> None:
    ended = crawler("report", "out", "--compare", "--json", cwd=tmp_path)

    assert ended.code == 2
    assert ended.err.startswith("crawler: --compare and --json contradict each other")
