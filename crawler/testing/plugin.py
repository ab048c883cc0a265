"""The fixtures for users' own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import Play, Scenario, Stage
from crawler.testing.site import Site, serve_in_thread


@pytest.fixture
def website() -> Iterator[Site]:
    """Serve a website that is still empty: ``website.page("/", links=["/next"])`` returns a page's URL.

    ``website.requests`` tells what was asked for.
    """
    site = Site()
    with site.serve_in_thread():
        yield site


@pytest.fixture
def hostile() -> Iterator[Callable[[Play], str]]:
    """Open servers that misbehave: ``hostile(says(b"what is this"))`` returns a URL.

    A play is an async function that is called for each connection with a :class:`Talk`: bare bytes in both directions.
    """
    with ExitStack() as opened:

        def server(play: Play) -> str:
            stage = Stage(Scenario(0, "", "", Outcome.OK, play=play))
            opened.enter_context(serve_in_thread(stage))
            return stage.url

        yield server
