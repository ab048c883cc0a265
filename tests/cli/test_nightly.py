"""A crawl every night, as the examples in config/ have it, in an environment as empty as cron's."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crawler.cli.arguments import parse
from crawler.config import Config, build
from crawler.report.jsonfile import decode
from crawler.testing.site import Site
from tests.cli.command import PATIENCE, ROOT, crawler, environment, started, words

CONFIG = ROOT / "config"
EAGER = ("--delay", "0", "--parse-workers", "1")
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  (\S+)  exit (\d+)  (.+)")


@pytest.fixture
def web() -> Iterator[Site]:
    site = Site()
    with site.serve_in_thread():
        site.page("/", links=("/a", "/b"))
        site.page("/a")
        site.page("/b")
        yield site


def crontab_command() -> str:
    """Return the command of the crontab, as cron hands it to the shell."""
    lines = (CONFIG / "crontab.example").read_text().splitlines()
    (entry,) = [line for line in lines if re.match(r"\d", line)]
    command = entry.split(maxsplit=5)[5]
    assert "%" not in command, "cron would read it as the end of a line"
    return command


def unit(name: str) -> dict[str, list[str]]:
    """Return the settings of a systemd unit."""
    found: dict[str, list[str]] = {}
    for line in (CONFIG / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def lines_of(log: Path) -> list[tuple[str, int, str]]:
    found = [LINE.fullmatch(line) for line in log.read_text().splitlines()]
    assert all(found)
    return [(one[1], int(one[2]), one[3]) for one in found if one]


def as_cron_does(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as Debian's cron does: by sh, with hardly an environment, no terminal and nothing to read."""
    bare = ["env", "-i", f"HOME={home}", "LOGNAME=nobody", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "/bin/sh", "-c"]
    return subprocess.run(
        [*bare, command],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        start_new_session=True,
    )


def test_the_crontab_runs_night_after_night_and_says_nothing(web: Site, tmp_path: Path) -> None:
    folder = tmp_path / "srv"
    (folder / "metrics").mkdir(parents=True)
    (folder / "seed.txt").write_text(f"{web.url('/')}\n")
    settings = (CONFIG / "nightly.toml").read_text().replace('delay = "1s"', 'delay = "0s"')
    (folder / "nightly.toml").write_text(settings)
    program = f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m crawler"
    command = crontab_command().replace("/srv/crawl", shlex.quote(str(folder))).replace(".venv/bin/crawler", program)

    nights = [as_cron_does(command, tmp_path) for _ in range(2)]

    assert [(night.returncode, night.stdout, night.stderr) for night in nights] == [(0, "", "")] * 2
    log = lines_of(folder / "nightly.log")
    assert [(out, code) for out, code, _ in log] == [("nightly", 0)] * 2
    assert log[0][2].startswith("complete: 3 pages (0 failed) in ")
    metrics = (folder / "metrics" / "crawler.prom").read_text()
    assert {one.name for one in text_string_to_metric_families(metrics)} > {"crawler_running", "crawler_exit_code"}
    assert len(decode((folder / "nightly" / "report.json").read_bytes()).history) == 1


def test_trouble_is_told_in_the_mail_and_in_the_log(web: Site, tmp_path: Path) -> None:
    ended = crawler(web.url("/gone"), *EAGER, "-q", "--log", "runs.log", cwd=tmp_path)

    ((out, code, told),) = lines_of(tmp_path / "runs.log")
    assert ended.code == code == 3
    assert out == "crawl-out"
    assert told.startswith("nothing fetched: 1 page (1 failed) in ")
    assert "http_client_error" in ended.out
    assert "\x1b" not in ended.out + ended.err


def test_a_limit_that_was_set_is_no_trouble_and_the_next_night_goes_on(web: Site, tmp_path: Path) -> None:
    command = (web.url("/"), *EAGER, "-q", "--log", "runs.log", "--max-pages", "2")

    nights = [crawler(*command, cwd=tmp_path) for _ in range(2)]

    assert [(night.code, night.out, night.err) for night in nights] == [(11, "", ""), (0, "", "")]
    assert [told.partition(":")[0] for _, _, told in lines_of(tmp_path / "runs.log")] == [
        "limit (2 pages crawled)",
        "complete",
    ]


def test_a_night_that_is_not_over_keeps_the_next_one_out_and_sigterm_ends_it(tmp_path: Path) -> None:
    site, begun = Site(), threading.Event()
    site.listeners.append(lambda _: begun.set())
    with site.serve_in_thread():
        for number in range(3000):
            site.page(f"/{number}", links=(f"/{number + 1}",), slow=0.02)
        command = (site.url("/0"), *EAGER, "--log", "runs.log")
        with started(words(*command), cwd=tmp_path) as process:
            assert begun.wait(PATIENCE)
            second = crawler(*command, "-q", cwd=tmp_path)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)

    log = lines_of(tmp_path / "runs.log")
    assert (second.code, process.returncode) == (75, 10)
    assert [code for _, code, _ in log] == [75, 10]
    assert "another crawl" in log[0][2]
    assert log[1][2].startswith("interrupted (SIGTERM): ")


def test_a_log_can_be_moved_away_between_two_nights(web: Site, tmp_path: Path) -> None:
    command = (web.url("/"), *EAGER, "-q", "--log", "runs.log")
    crawler(*command, cwd=tmp_path)
    (tmp_path / "runs.log").rename(tmp_path / "runs.log.1")
    crawler(*command, cwd=tmp_path)

    assert [len(lines_of(tmp_path / name)) for name in ("runs.log.1", "runs.log")] == [1, 1]


def test_the_settings_for_the_night_have_limits_and_everything_in_them_is_known() -> None:
    config = build(tomllib.loads((CONFIG / "nightly.toml").read_text()))

    assert config.limits.max_time == 5 * 3600
    assert config.limits.max_bytes == 20 << 30
    assert config.politeness.delay == Config().politeness.delay


def test_the_service_runs_the_same_command_from_its_folder_and_takes_a_limit_for_success() -> None:
    service = unit("crawler.service")
    (command,) = service["ExecStart"]
    program, *arguments = shlex.split(command)

    assert program == "/srv/crawl/.venv/bin/crawler"
    assert parse(arguments).config == Path("nightly.toml")
    assert service["WorkingDirectory"] == service["ReadWritePaths"] == ["/srv/crawl"]
    assert service["SuccessExitStatus"] == ["11"]
    assert service["KillMode"] == ["mixed"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here; .ci/run installs it")
def test_systemd_takes_the_units_and_finds_little_exposed(tmp_path: Path) -> None:
    service = (CONFIG / "crawler.service").read_text().replace("/srv/crawl/.venv/bin/crawler", "/bin/true")
    (tmp_path / "crawler.service").write_text(service)
    shutil.copy(CONFIG / "crawler.timer", tmp_path)
    units = [str(tmp_path / name) for name in ("crawler.service", "crawler.timer")]

    verified = run("systemd-analyze", "verify", "--man=no", *units)
    exposed = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", units[0])

    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    assert exposed.returncode == 0, exposed.stdout


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="no logrotate here; .ci/run installs it")
def test_logrotate_takes_its_example_and_rotates_the_log(tmp_path: Path) -> None:
    rules = (CONFIG / "logrotate.example").read_text().replace("/srv/crawl", str(tmp_path))
    (tmp_path / "rules").write_text(rules)
    (tmp_path / "rules").chmod(0o644)
    (tmp_path / "nightly.log").write_text("a line\n")
    tmp_path.chmod(0o755)

    done = run("logrotate", "--force", "--state", str(tmp_path / "state"), str(tmp_path / "rules"))

    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.glob("nightly.log*")] == ["nightly.log.1.gz"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment(SYSTEMD_LOG_LEVEL="warning"), capture_output=True, text=True, timeout=60, check=False
    )


def test_the_examples_name_no_folder_but_their_own() -> None:
    for example in CONFIG.iterdir():
        for path in re.findall(r"(?<![\w./:])/(?:srv|var|home|etc|opt)/[\w./-]+", example.read_text()):
            assert path.startswith(("/srv/crawl", "/etc/systemd/system", "/etc/logrotate.d")), example
            assert os.path.isabs(path)  # noqa: PTH117  # a path on another machine
