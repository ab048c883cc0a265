from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

from crawler.testing.site import Site, serve_in_thread
from tests.cli.command import environment, words

HOSTS, PAGES, FILES = 40, 4, 64


def test_a_crawl_short_of_file_descriptors_is_slower_and_loses_nothing(tmp_path: Path) -> None:
    sites = [Site(f"127.0.1.{number}") for number in range(1, HOSTS + 1)]
    with ExitStack() as opened:
        opened.enter_context(serve_in_thread(*sites))
        seeds = [site.page("/", links=[f"/{number}" for number in range(PAGES)]) for site in sites]
        for site in sites:
            for number in range(PAGES):
                site.page(f"/{number}", slow=0.02)
        (tmp_path / "seeds.txt").write_text("\n".join(seeds))
        options = ("--out", "out", "--delay", "0", "--per-host", "4", "--robots", "ignore")
        command = ["sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *words("seeds.txt", *options)]

        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    totals = json.loads((tmp_path / "out" / "report.json").read_text())["totals"]
    assert (totals["done"], totals["failed"], totals["queued"]) == (HOSTS * (PAGES + 1), 0, 0)
