from __future__ import annotations

from pathlib import Path

import pytest

from crawler.cli.main import main
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
