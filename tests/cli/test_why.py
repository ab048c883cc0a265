from __future__ import annotations

from pathlib import Path

import pytest

from crawler import crawl
from crawler.cli.main import main
from crawler.cli.why import tell
from crawler.core.robots import deciding_line
from crawler.storage.life import life_of
from tests.conftest import EAGER
from tests.site import Site
from tests.test_crawl import changed

ROBOTS = b"User-agent: *\r\nDisallow: /private\r\n\r\n# open again\r\nAllow: /private/door\r\n"


def told(out: Path, url: str) -> str:
    return "\n".join(tell(life_of(out, url), agent="crawler/0.1", now=2e9))


async def test_the_life_of_a_page_is_told_from_the_link_to_the_record(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/a",))
    site.page("/a", links=("/private/door",))
    door = site.page("/private/door", headers={"ETag": '"1"'})
    site.robots(ROBOTS)
    await crawl([start], config=EAGER, out=tmp_path)
    await crawl([start], config=EAGER, out=tmp_path, recrawl="all")

    story = told(tmp_path, door)

    for part in (
        "done, not_modified: unchanged since the last crawl (304)",
        f"known     as link on {site.url('/a')}, depth 2\n            as link on {start}, depth 1\n",
        "            as seed, depth 0\n",
        "admitted by scope.rule = host",
        "robots    allowed by line 5: Allow: /private/door",
        "attempts  1",
        "UTC 200 ok, new\n            response in archive/crawl-",
        "UTC 304 not_modified, unchanged\n            revisit in archive/crawl-",
    ):
        assert part in story, part


async def test_the_rule_that_refused_a_url_is_named(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/private/cellar", "http://elsewhere.example/", "/print/1", "/deep/"))
    site.page("/deep/", links=("/deeper/",))
    site.robots(ROBOTS)
    config = changed(scope={"exclude": ("/print/",), "max_depth": 1})
    await crawl([start], config=config, out=tmp_path)

    assert "refused by line 2: Disallow: /private" in told(tmp_path, site.url("/private/cellar"))
    assert "refused by scope.rule = host: no seed stands for it" in told(tmp_path, "http://elsewhere.example/")
    assert "refused by scope.exclude: it matches '/print/'" in told(tmp_path, site.url("/print/1"))
    assert "refused by scope.max_depth = 1: its depth is 2" in told(tmp_path, site.url("/deeper/"))


async def test_what_was_left_at_a_limit_waits_for_its_turn(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/a",))
    await crawl([start], config=changed(limits={"max_pages": 1}), out=tmp_path)

    story = told(tmp_path, site.url("/a"))

    assert "state     queued\n" in story
    assert "waits     for its turn" in story


async def test_the_command_tells_it_and_a_stranger_is_a_mistake(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = site.page("/")
    await crawl([start], config=EAGER, out=tmp_path)

    code, stranger = main(["why", start, "-o", str(tmp_path)]), main(["why", site.url("/x"), "-o", str(tmp_path)])

    said = capsys.readouterr()
    assert (code, stranger) == (0, 2)
    assert said.out.startswith(f"{start}\n  state     done, ok")
    assert f"this crawl has never met {site.url('/x')}" in said.err


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/private", (2, "Disallow: /private")),
        ("/private/door/1", (5, "Allow: /private/door")),
        ("/public", None),
    ],
)
def test_the_deciding_line_is_the_longest_that_matches(path: str, line: tuple[int, str] | None) -> None:
    assert deciding_line(ROBOTS, "crawler/0.1", f"http://a{path}") == line


def test_a_group_of_our_own_decides_and_of_equals_the_one_that_allows() -> None:
    robots = b"User-agent: *\nDisallow: /\nUser-agent: crawler\nDisallow: /a*\nAllow: /a/b\nDisallow: /a/b\n"

    assert deciding_line(robots, "crawler/0.1", "http://h/a/b") == (5, "Allow: /a/b")
    assert deciding_line(robots, "crawler/0.1", "http://h/b") is None
