"""``urls DIR``: a list that another crawler, or another crawl, can begin with."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import crawler
from tests.storage import whole


def test_the_urls_of_a_folder_can_be_handed_over(tmp_path: Path) -> None:
    whole.crawl(tmp_path / "one")

    done = crawler("urls", "one", "--state", "done", cwd=tmp_path)
    both = crawler("urls", "one", "one", "--state", "all", cwd=tmp_path)

    assert (done.code, both.code) == (0, 0), done.err
    assert done.out.splitlines() == ["http://a/1", "http://a/2", "http://a/3", "http://a/5"]
    assert len(both.out.splitlines()) == 2 * 6


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert crawler("urls", "empty", cwd=tmp_path).err == (
        "crawler: empty: there is no crawl in this folder (no crawl.db)\n"
    )
