from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.testing.site import Site, serve_in_thread
from tests.buckets import SECRET, buckets
from tests.cluster.killing import RUN_LIMIT, Blow, Disks, check_all, kept_at, left_of, ordeal_of, run_and_strike
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import differing, fates
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
        first = run_and_strike(
            shared, tmp_path / "printed", web.sites, [(20, Blow.SHARD), (20, Blow.SHARDS), (30, Blow.DRIVER)]
        )
        gone = left_of(first.ending)
        second = run_and_strike(shared, tmp_path / "printed", web.sites, [(10, Blow.STOP)])
        third = run_and_strike(shared, tmp_path / "printed", web.sites, [])
        gone += left_of(second.ending, third.ending)
        wrong = check_all(tmp_path / "shared", web, ordeal_of([first, second, third]))
        single = [*written(web, tmp_path, tmp_path / "single", delay=0.0)]
        alone = run_and_strike(single, tmp_path / "printed", web.sites, [])

    codes = [run.ending.code for run in (first, second, third, alone)]
    assert codes == [-9, 10, 0, 0], third.ending.said
    assert (first.fell, second.fell, gone, wrong) == (3, 1, [], [])
    shards = [fate for folder in tmp_path.glob("shared/shard-*") for fate in fates(Evidence.of(folder))]
    assert differing(fates(Evidence.of(tmp_path / "single")), set(shards), "the single crawl", "the shared one") == []
    report = json.loads((tmp_path / "shared" / "report.json").read_bytes())
    assert (len(report["shards"]), report["conserved"], report["totals"]["queued"]) == (4, True, 0)


def test_a_shared_crawl_that_loses_its_disks_goes_on_from_an_s3_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with buckets(monkeypatch) as s3, served(5, 160) as web:
        disks = Disks(tmp_path / "out", s3.url("web"), s3.endpoint)
        shared = [*written(web, tmp_path, disks.out, delay=0.0), *kept_at(disks, tmp_path)]
        shared += ["--cluster", "local", "--shards", "4"]
        blows = [(30, Blow.NODE), (20, Blow.NODE), (30, Blow.MACHINE)]
        first = run_and_strike(shared, tmp_path / "printed", web.sites, blows, disks=disks)
        second = run_and_strike(shared, tmp_path / "printed", web.sites, [(10, Blow.NODE)], disks=disks)
        gone = left_of(first.ending, second.ending)
        back = run("-m", "crawler", "restore", disks.store, str(tmp_path / "back"), "--endpoint", disks.endpoint)
        wrong = check_all(tmp_path / "back", web, ordeal_of([first, second]))

    assert [first.ending.code, second.ending.code, back.returncode] == [-9, 0, 0], second.ending.said + back.stderr
    assert (first.fell, second.fell, gone, wrong) == (3, 1, [], [])
    assert "is as the newest snapshots of 4 shards have it" in back.stdout
    report = json.loads((tmp_path / "back" / "report.json").read_bytes())
    assert (report["snapshot"]["complete"], report["conserved"], report["totals"]["queued"]) == (True, True, 0)
    assert SECRET not in (tmp_path / "printed").read_text() + (tmp_path / "back" / "report.json").read_text()


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
