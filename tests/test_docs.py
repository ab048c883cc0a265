"""Every code block of the README and the docs is run, with a site on loopback in the place of example.org."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import crawler
from crawler.cli.arguments import parse
from crawler.config import Config, build
from crawler.report.jsonfile import decode
from crawler.testing.site import Site
from tests.cli.command import ROOT, environment

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = "scripts/"
TESTS = re.compile(r"^(?:async )?def test_", re.MULTILINE)
OUT = re.compile(r'out=(Path\("crawl-out"\)|"crawl-out"|None)')


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, match[2])
        for page in PAGES
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if match[1] == language
    ]


@pytest.fixture
def web() -> Iterator[Site]:
    site = Site()
    with site.serve_in_thread():
        site.page("/", links=("/manual/",))
        site.page("/manual/")
        yield site


@pytest.fixture
def path_with_python(tmp_path: Path) -> str:
    """A search path on which ``python`` is the one that runs the tests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (folder / "python").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    kinds = {match[1] for page in PAGES for match in BLOCK.finditer(page.read_text(encoding="utf-8"))}

    assert kinds == {"sh", "python", "toml", "text"}


def test_the_commands_of_the_quickstart_do_what_it_says(web: Site, path_with_python: str, tmp_path: Path) -> None:
    script = "".join(block for page, block in blocks("sh") if page == "quickstart.md")
    here = script.replace("https://example.org", web.origin).replace("\nexample.org", f"\n{web.origin}")
    work = tmp_path / "work"
    work.mkdir()

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here],
        cwd=work,
        env=environment(PATH=path_with_python),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "@example.org" not in done.stderr
    assert {path.name for path in work.iterdir()} == {
        *("seed.txt", "crawl-out", "docs", "manual", "files", "fast", "nightly"),
    }


@pytest.mark.parametrize(("page", "block"), [one for one in blocks("sh") if one[0] != "quickstart.md"])
def test_the_commands_of_other_pages_are_scripts_of_ours_or_can_be_parsed(page: str, block: str) -> None:
    for line in block.splitlines():
        command, *arguments = shlex.split(line, comments=True)

        assert command.startswith(OURS), page
        assert os.access(ROOT / command, os.X_OK), page
        assert (
            command != "scripts/crawl" or not arguments or arguments[0] in {"restore", "urls"} or parse(arguments).seeds
        )


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_settings_in_the_docs_can_be_used(page: str, block: str) -> None:
    assert build(tomllib.loads(block), where=page) != Config()


@pytest.mark.parametrize(("page", "block"), [one for one in blocks("python") if not TESTS.search(one[1])])
def test_programs_in_the_docs_run(page: str, block: str, web: Site, tmp_path: Path) -> None:
    prelude = "from crawler.config import Config, Fetch\nCONFIG = Config(fetch=Fetch(allow_private='seeds'))\n"
    given = "config=" in block
    program = block if given else prelude + re.sub(OUT, r"out=\1, config=CONFIG", block)
    program = program.replace('"https://example.org/"', f'"{web.url("/")}"')

    if "playwright" in block and not shutil.which("chromium"):
        pytest.skip("no Chromium here: apt-get install chromium")
    warnings = "error::ResourceWarning" if "playwright" not in block else "ignore"  # its own are not ours

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(PYTHONWARNINGS=warnings),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), page
    assert done.stdout or "asyncio.run" not in block
    if "crawl-out" in block:
        report = decode((tmp_path / "crawl-out" / "report.json").read_bytes())
        assert (report.done, report.failed) == (2, 0)
        assert done.stdout


@pytest.mark.parametrize(("page", "block"), [one for one in blocks("python") if TESTS.search(one[1])])
def test_tests_in_the_docs_pass(page: str, block: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["crawler.testing"]\n', encoding="utf-8")
    (tmp_path / "test_docs_block.py").write_text(block, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{page}: {done.stdout}{done.stderr}"
    assert f"{len(TESTS.findall(block))} passed" in done.stdout


def test_each_decision_has_a_number_of_its_own_and_begins_with_it() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for number, page in enumerate(pages, 1):
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. ")


def test_every_link_within_the_docs_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture
def typed_examples(tmp_path: Path) -> Path:
    """The programs of the docs as files, without those that use a package which has no types."""
    for number, (page, block) in enumerate(blocks("python")):
        if "pyarrow" not in block:
            (tmp_path / f"{page.removesuffix('.md').replace('-', '_').lower()}_{number}.py").write_text(block)
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)], "reportMissingTypeStubs": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    return tmp_path


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_the_examples_pass_strict_type_checks(checker: str, typed_examples: Path) -> None:
    options = {
        "mypy": ["--strict", "--cache-dir", str(typed_examples / "cache"), str(typed_examples)],
        "basedpyright": ["--pythonpath", sys.executable, "--project", str(typed_examples)],
    }

    done = subprocess.run(
        [sys.executable, "-m", checker, *options[checker]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_the_reference_is_built_without_a_warning_and_has_every_public_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr

    reference = (tmp_path / "reference.html").read_text(encoding="utf-8")
    missing = [
        name
        for name in crawler.__all__
        if name != "__version__" and not re.search(rf'id="crawler\.[\w.]*\b{name}"', reference)
    ]
    assert missing == []
