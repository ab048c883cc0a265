"""Those who look on, in whole crawls by the command: the page over HTTP, and the file of metrics."""

from __future__ import annotations

import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crawler.testing.site import Site
from tests.cli.command import PATIENCE, crawler, started, words

SLOWLY = ("--delay", "0", "--per-host", "1", "--parse-workers", "1")


@pytest.fixture
def chain() -> Iterator[Site]:
    """A site of one long way, so that a crawl of it is never done at once."""
    site = Site()
    with site.serve_in_thread():
        for number in range(3000):
            site.page(f"/{number}", links=(f"/{number + 1}",), slow=0.02)
        yield site


def figures(content: str) -> dict[str, float]:
    """Return the metrics that have no labels."""
    return {
        sample.name: sample.value
        for metric in text_string_to_metric_families(content)
        for sample in metric.samples
        if not sample.labels
    }


def get(url: str) -> str:
    """Ask until the crawl has begun."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310  # our own server
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise


def address_told(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"looked at under (http://\S+/)$", line):
            return found[1]
    raise AssertionError("no address was told")


def test_a_crawl_is_looked_at_while_it_runs_and_the_file_tells_how_it_ended(chain: Site, tmp_path: Path) -> None:
    command = words(chain.url("/0"), *SLOWLY, "--serve", "127.0.0.1:0", "--metrics-file", "crawl.prom")

    with started(command, cwd=tmp_path) as process:
        url = address_told(process)
        page, metrics, health = get(url), figures(get(f"{url}metrics")), get(f"{url}healthz")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

    told = figures((tmp_path / "crawl.prom").read_text())
    assert process.returncode == 10
    assert "Running" in page
    assert metrics["crawler_running"] == 1
    assert health == "ok\n"
    assert (told["crawler_running"], told["crawler_exit_code"]) == (0, 10)
    assert told["crawler_known_urls"] >= metrics["crawler_known_urls"]
    assert not list(tmp_path.glob("*.new"))


def test_the_file_of_a_complete_crawl_agrees_with_its_report(tmp_path: Path) -> None:
    site = Site()
    with site.serve_in_thread():
        site.page("/", links=("/a", "/b"))
        site.page("/a")

        ended = crawler(site.url("/"), *SLOWLY, "--metrics-file", "crawl.prom", "-q", cwd=tmp_path)

    told = (tmp_path / "crawl.prom").read_text()
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert figures(told)["crawler_exit_code"] == 0
    assert 'crawler_urls_ended_total{outcome="ok"} 2.0' in told
    assert 'crawler_urls_ended_total{outcome="http_client_error"} 1.0' in told


def test_a_file_that_cannot_be_written_any_more_is_told_once_and_ends_no_crawl(chain: Site, tmp_path: Path) -> None:
    (tmp_path / "crawl.prom.new").mkdir()

    ended = crawler(chain.url("/0"), *SLOWLY, "--max-pages", "3", "--metrics-file", "crawl.prom", "-q", cwd=tmp_path)

    assert ended.code == 11
    assert ended.err == "crawler: --metrics-file: crawl.prom.new: cannot be written (Is a directory)\n"


def test_a_crawl_that_is_refused_the_folder_leaves_the_file_of_the_other_alone(chain: Site, tmp_path: Path) -> None:
    command = words(chain.url("/0"), *SLOWLY, "--serve", "127.0.0.1:0", "--metrics-file", "crawl.prom")

    with started(command, cwd=tmp_path) as process:
        get(f"{address_told(process)}metrics")
        second = crawler(chain.url("/0"), "--metrics-file", "other.prom", cwd=tmp_path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

    assert second.code == 75
    assert not (tmp_path / "other.prom").exists()
