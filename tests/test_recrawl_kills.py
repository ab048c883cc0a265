"""A night that is killed, and gone on with: what was finished before is not done again, and nothing is told twice."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.evidence import Evidence
from tests.killing import Blow, Tear, run_and_kill, tear, verify
from tests.site import Site, serve_in_thread

PAGES, CHANGED, IN_FLIGHT = 90, 30, 32


@pytest.fixture
def site() -> Site:
    return Site()


def furnish(site: Site, edition: int) -> str:
    """Put pages on a site: every third one changes with the edition, every second other one has a validator."""
    paths = [f"/p{number}" for number in range(PAGES)]
    for number, path in enumerate(paths):
        changes = number % 3 == 0
        headers = {"ETag": f'"{number}"'} if number % 2 and not changes else {}
        site.page(path, links=paths if not number else (), body=f"edition {edition * changes}", headers=headers)
    return site.url("/p0")


def lines(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / name).read_bytes().splitlines()]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recrawl_that_is_killed_again_and_again_does_each_page_once(site: Site, tmp_path: Path, seed: int) -> None:
    rng, out, kills = random.Random(seed), tmp_path / "out", 0  # noqa: S311  no secret
    with serve_in_thread(site):
        start = furnish(site, 1)
        arguments = [start, "-o", str(out), "--delay", "0", "--per-host", "4", "--concurrency", "8", "--quiet"]
        first = run_and_kill(arguments, tmp_path / "printed", [site], after=0, blow=Blow.GROUP)
        furnish(site, 2)
        site.forget()
        for _ in range(3):
            blow, after = rng.choice(list(Blow)), rng.randint(2, 12)
            ending = run_and_kill(
                [*arguments, "--recrawl"], tmp_path / "printed", [site], after=after, blow=blow, later=rng.random() / 50
            )
            kills += ending.struck
            if blow is not Blow.TERM:
                tear(out, rng.choice(list(Tear)))
        last = run_and_kill([*arguments, "--recrawl"], tmp_path / "printed", [site], after=0, blow=Blow.GROUP)

    evidence, report = Evidence.of(out), json.loads((out / "report.json").read_text())
    assert (first.code, last.code, verify(out), evidence.wrong) == (0, 0, 0, [])
    assert kills
    done = Counter((line["url"], line["round"]) for line in lines(out, "pages.jsonl"))
    assert (len(done), set(done.values())) == (2 * PAGES, {1})
    assert Counter(record.url for record in evidence.records) == dict.fromkeys(map(site.url, site.answers), 2)
    changes = Counter((line["url"], line["change"]) for line in lines(out, "changes.jsonl"))
    assert changes == {(site.url(f"/p{number}"), "changed"): 1 for number in range(0, PAGES, 3)}
    assert (report["changes"]["changed"], report["changes"]["unchanged"]) == (CHANGED, PAGES - CHANGED)
    assert len(site.requests) - PAGES <= (kills + 1) * IN_FLIGHT
    assert {request.status for request in site.log if request.path == "/p1"} == {304}
