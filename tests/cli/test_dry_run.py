from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.cli.main import main
from crawler.storage.lock import FolderLock
from tests.site import Site, serve_in_thread


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_seeds_are_foretold_and_nothing_but_robots_txt_is_fetched(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_in_thread(site := Site()):
        site.robots("User-agent: *\nCrawl-delay: 3\nDisallow: /no\nSitemap: http://a.example/map.xml\n")
        seeds = [site.url(path) for path in ("/", "/other", "/no/way", "/print/1")]
        (here / "seeds.txt").write_text("\n".join(seeds))

        code = main(["seeds.txt", "--dry-run", "--exclude", "/print/"])

    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "sitemap http://a.example/map.xml",
        f"fetch   {seeds[0]}",
        f"fetch   {seeds[1]}",
        f"skip    {seeds[2]}  robots_denied: robots.txt, line 3: Disallow: /no",
        f"skip    {seeds[3]}  excluded: matches an exclude pattern",
        "2 seeds would be fetched from 1 host, 2 not; the delays alone take 6.00 s",
    ]
    assert [request.path for request in site.log] == ["/robots.txt"]
    assert sorted(path.name for path in here.iterdir()) == ["seeds.txt"]


NIGHTLY = ("--delay", "0", "-o", "night", "-q")


def last_lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return what a dry run tells, times left out."""
    capsys.readouterr()
    assert main([*arguments, "--dry-run", *NIGHTLY]) == 0
    return [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "AT", line) for line in capsys.readouterr().out.splitlines()]


def test_a_folder_is_looked_into_and_left_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(site := Site()):
        known, new = site.page("/", links=["/a", "/b"]), site.page("/new")
        site.page("/a")
        site.page("/b")
        main([known, *NIGHTLY])
        site.forget()
        before = {path: path.stat().st_mtime_ns for path in (here / "night").rglob("*")}

        plain = last_lines(capsys, known, new)
        again = last_lines(capsys, known, new, "--recrawl")
        due = last_lines(capsys, known, new, "--since-last")
        aside = last_lines(capsys, known, new, "--fresh")

    assert plain[:2] == [f"known   {known}  ok on AT; due again AT", f"fetch   {new}"]
    assert plain[-1] == (
        "night: 3 URLs known, 0 queued; 1 new seed would be crawled, and known URLs only with --since-last or --recrawl"
    )
    assert again[:2] == [f"fetch   {known}  ok on AT; due again AT", f"fetch   {new}"]
    assert again[-1] == (
        "night: 3 URLs known, 0 queued; 3 URLs would be crawled again, and 1 new seed for the first time"
    )
    assert due[0] == plain[0]
    assert due[-1] == "night: 3 URLs known, 0 queued; 0 URLs would be crawled again, and 1 new seed for the first time"
    assert (aside[0], aside[-1]) == (f"fetch   {known}", "night: the run that is there would be moved aside")
    assert {request.path for request in site.log} == {"/robots.txt"}
    assert {path: path.stat().st_mtime_ns for path in (here / "night").rglob("*")} == before


@pytest.mark.usefixtures("here")
def test_what_a_run_left_is_what_the_next_one_would_go_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(site := Site()):
        known = site.page("/", links=["/a", "/b"])
        queued = site.page("/a")
        site.page("/b")
        main([known, *NIGHTLY, "--max-pages", "1"])

        told = last_lines(capsys, known, queued, "--since-last")

    assert told[0].startswith(f"known   {known}")
    assert told[1] == f"fetch   {queued}  queued already"
    assert told[-1] == "night: 3 URLs known, 2 queued; this run would go on with these, and with 0 new seeds"


def test_a_folder_that_another_crawl_holds_is_as_busy_for_a_dry_run(here: Path) -> None:
    with serve_in_thread(site := Site()):
        start = site.page("/")
        main([start, *NIGHTLY])
        lock = FolderLock(here / "night")
        try:
            code = main([start, *NIGHTLY, "--dry-run"])
        finally:
            lock.release()

    assert code == 75


def test_a_host_whose_robots_txt_cannot_be_had_is_skipped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(site := Site()):
        site.robots("", status=500)

        main([site.url("/"), "--dry-run"])

    assert "robots_unreachable: robots.txt: 500" in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_without_robots_nothing_at_all_is_fetched(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(site := Site()):
        main([site.url("/"), "--dry-run", "--robots", "ignore"])

    assert site.log == []
    assert "1 seed would be fetched from 1 host, 0 not" in capsys.readouterr().out
    assert list(here.iterdir()) == []
