from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.testing.site import Site, serve_in_thread
from tests.cluster.killing import IN_FLIGHT, RUN_LIMIT, Blow, check_all, left_of, run_and_strike
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import Ordeal, differing, fates
from tests.killing import ROOT, environment, written

pytestmark = pytest.mark.timeout(900)  # on a busy machine Ray takes a minute to start

HOSTS = 20


@contextmanager
def served(seed: int, pages: int) -> Iterator[Web]:
    sites, beyond = [Site(f"127.0.0.{number + 1}") for number in range(HOSTS)], Site("127.0.0.99")
    with serve_in_thread(*sites, beyond):
        web = Web.make(seed, pages=pages, hosts=HOSTS)
        web.install(sites, beyond)
        yield web


def test_a_shared_crawl_that_is_killed_again_and_again_has_what_a_single_one_has(tmp_path: Path) -> None:
    with served(3, 200) as web:
        shared = [*written(web, tmp_path, tmp_path / "shared", delay=0.0), "--cluster", "local", "--shards", "4"]
        first, fell = run_and_strike(
            shared, tmp_path / "printed", web.sites, [(20, Blow.SHARD), (20, Blow.SHARDS), (30, Blow.DRIVER)]
        )
        gone = left_of(first)
        second, more = run_and_strike(shared, tmp_path / "printed", web.sites, [(10, Blow.STOP)])
        third, _ = run_and_strike(shared, tmp_path / "printed", web.sites, [])
        gone += left_of(second, third)
        wrong = check_all(tmp_path / "shared", web, Ordeal(kills=fell + more, in_flight=IN_FLIGHT))
        single = [*written(web, tmp_path, tmp_path / "single", delay=0.0)]
        alone, _ = run_and_strike(single, tmp_path / "printed", web.sites, [])

    assert [first.code, second.code, third.code, alone.code] == [-9, 10, 0, 0], third.said
    assert (fell, more, gone, wrong) == (3, 1, [], [])
    shards = [fate for folder in tmp_path.glob("shared/shard-*") for fate in fates(Evidence.of(folder))]
    assert differing(fates(Evidence.of(tmp_path / "single")), set(shards), "the single crawl", "the shared one") == []
    report = json.loads((tmp_path / "shared" / "report.json").read_bytes())
    assert (len(report["shards"]), report["conserved"], report["totals"]["queued"]) == (4, True, 0)


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['ray'] = None; from crawler.cli.main import main; sys.exit(main())"

    done = run("-c", program, "https://example.org/", "--cluster", "local", "-o", str(tmp_path / "out"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "crawler: a cluster needs Ray, which is not installed: pip install 'crawler[cluster]'\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--shards", "2"], "--shards needs a --cluster"),
        (["--cluster", "nowhere"], "'nowhere' is no cluster: local, auto, or ray://HOST:PORT"),
        (
            ["--cluster", "local", "--snapshot-to", "file:///nowhere"],
            "a cluster keeps its state in a shared folder; snapshot.to is for a crawl without one",
        ),
        (["--cluster", "local", "--shards", "0"], "--shards: '0' is not a whole number of 1 or more"),
        (["--cluster", "local", "--shards", "2000"], "2000 shards cannot be: at least 1, at most 1,024"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    done = run("-m", "crawler", "http://127.0.0.1:9/", *words, "-o", str(tmp_path / "out"))

    assert (done.returncode, done.stderr) == (2, f"crawler: {sentence}\n")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end, and keep what it says."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT,
        check=False,
    )
