"""What a new user gets wrong, in a process of its own: one sentence, the right code, no traceback, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ROOT, crawler, environment, words


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no seed given: name a file of URLs, a URL, or - for standard input (see python -m crawler --help)"),
        (("seed.txt",), "seed.txt: no such file"),
        (("https://a.example/", "seed.txt"), "seed.txt: no such file"),
        (("https://a.example/", "--max-page", "3"), "unknown option --max-page; did you mean --max-pages?"),
        (("https://a.example/", "--config", "my.toml"), "my.toml: cannot be read (No such file or directory)"),
        (("-",), "standard input: no URL in it"),
        (("verify", "nowhere"), "nowhere: no such folder"),
        (("why",), "the following arguments are required: URL"),
        (("report", "nowhere"), "nowhere: no such folder"),
        (("http://a.example/", "--serve", "8o8o"), "--serve: '8o8o' is not HOST:PORT, such as 127.0.0.1:8080"),
        (("http://a.example/", "--metrics-file", "no/where"), "--metrics-file: no/where cannot be written"),
        (("http://a.example/", "--log", "no/where"), "--log: no/where cannot be written"),
        (("http://a.example/", "--metrics-file", "."), "--metrics-file: . cannot be written"),
        (("report", "."), ".: no run has ended in this folder yet: it has no report.json"),
    ],
)
def test_a_mistake_costs_one_sentence_and_nothing_is_written(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    ended = crawler(*arguments, cwd=tmp_path)

    assert (ended.code, ended.out, ended.err) == (2, "", f"crawler: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_seed_file_without_a_url_is_a_mistake_and_each_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "seed.txt").write_text("htp://a.example\nb a d\n")

    ended = crawler("seed.txt", cwd=tmp_path)

    assert ended.code == 2
    assert ended.err.splitlines() == [
        "crawler: seed.txt:1: 'htp://a.example' is not a URL; did you mean http://a.example?",
        "crawler: seed.txt:2: white space inside 'b a d': one URL a line, and %20 for a space within a URL",
        "crawler: seed.txt: none of its 2 lines is a URL",
    ]
    assert not (tmp_path / "crawl-out").exists()


def test_a_file_named_as_a_subcommand_is_a_seed_file(tmp_path: Path) -> None:
    (tmp_path / "verify").write_text("b a d\n")

    ended = crawler("verify", cwd=tmp_path)

    assert ended.err.endswith("verify: none of its 1 lines is a URL\n")


def test_help_goes_to_standard_output_and_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; from crawler.cli.main import main; code = main(['--help']);"
        "heavy = {'aiohttp', 'rich', 'rich_argparse', 'uvloop', 'aiofiles', 'ada_url', 'sqlite3', 'crawler.api'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m crawler SEED... [options]\n")
    assert done.stderr == "[]\n"


def test_the_version_is_told(tmp_path: Path) -> None:
    ended = crawler("--version", cwd=tmp_path)

    assert ended.code == 0
    assert ended.out.startswith("crawler 0.1.0, Python 3.")


def test_a_reader_that_goes_away_ends_in_no_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        words("--help"), cwd=tmp_path, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_hindrance(closed: str, tmp_path: Path) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *words("seed.txt")]

    done = subprocess.run(shell, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout


def test_an_output_that_is_full_is_told(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *words("--version")]

    done = subprocess.run(shell, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 74
    assert done.stderr == "crawler: standard output: cannot be written (No space left on device)\n"


def test_the_installed_command_is_the_same(tmp_path: Path) -> None:
    script = "import sys; from crawler.__main__ import main; sys.argv = ['/usr/bin/crawler']; sys.exit(main())"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "(see crawler --help)" in done.stderr


def test_the_scripts_are_there_and_can_be_run() -> None:
    for name in ("scripts/crawl", "scripts/test", "scripts/check", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK), name
        subprocess.run(["bash", "-n", ROOT / name], check=True)


def test_constraints_pin_everything_and_name_no_machine() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert all(line.count("==") == 1 and not set("/@:") & set(line) for line in pins)
    assert {"aiohttp", "msgspec", "pytest", "ruff", "uvloop"} <= {line.partition("==")[0] for line in pins}
