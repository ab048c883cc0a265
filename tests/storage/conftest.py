"""A whole folder, crawled once, and a copy of it for each test that harms it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.storage import whole


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "out"
    whole.crawl(folder)
    return folder


@pytest.fixture
def folder(untouched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untouched, tmp_path / "out"))
