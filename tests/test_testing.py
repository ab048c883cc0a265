"""What we offer for other people's tests, in other people's tests."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import ROOT
from tests.test_contract import ran


def test_the_fixtures_serve_the_tests_of_the_docs(tmp_path: Path) -> None:
    section = (ROOT / "docs" / "library.md").read_text(encoding="utf-8").partition("## In your tests\n")[2]
    plugins, tests = (part.partition("```")[0] for part in section.split("```python\n")[1:3])
    (tmp_path / "conftest.py").write_text(plugins)
    (tmp_path / "test_theirs.py").write_text(tests)

    told = ran("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert "2 passed" in told
