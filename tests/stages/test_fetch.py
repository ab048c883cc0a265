from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest

from crawler.config import Fetch
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind
from crawler.stages.fetch import MAX_ROBOTS
from crawler.testing.hostile import PAGE, Play, Scenario, Stage, Talk, answers, head, says
from tests.clients import CLIENTS, Client, opened

SETTINGS = Fetch(
    allow_private="always",
    head_timeout=5.0,
    total_timeout=5.0,
    lowest_rate=1000,
    lowest_rate_after=0.1,
    max_body=100_000,
)


Asked: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[tuple[Fetched, Stage]]]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """Name each client."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def asked(client: Client) -> Asked:
    """Return what fetches the one URL of a scenario."""

    @contextlib.asynccontextmanager
    async def ask(
        play: Play, settings: Fetch = SETTINGS, kind: Kind = Kind.SEED
    ) -> AsyncIterator[tuple[Fetched, Stage]]:
        scenario = Scenario(0, "test", "plays", Outcome.OK, play=play)
        async with Stage(scenario) as stage, opened(client, settings) as (_, fetch):
            yield await fetch(CrawlURL(1, stage.url, stage.origin, kind=kind), trusted=True, sent=lambda: None), stage

    return ask


async def test_a_page_is_fetched_whole(asked: Asked) -> None:
    async with asked(answers()) as (answer, stage):
        assert (answer.outcome, answer.status, answer.body, answer.truncated) == (None, 200, PAGE, "")
        assert answer.address == "127.0.0.1"
        assert answer.sent_at >= answer.began_at
        assert stage.connections == 1


async def test_what_came_of_a_body_that_is_too_slow_is_kept(asked: Asked) -> None:
    async def stops(talk: Talk) -> None:
        await talk.heard()
        await talk.say(head(fields={"Content-Length": "1000"}), b"x" * 70)
        await talk.hang()

    async with asked(stops) as (answer, _):
        assert (answer.outcome, answer.truncated, answer.body) == (Outcome.SLOW_BODY, "time", b"x" * 70)
        assert answer.status == 200


async def test_what_came_of_a_body_that_breaks_off_is_kept(asked: Asked) -> None:
    async with asked(says(head(fields={"Content-Length": "1000"}), b"x" * 70)) as (answer, _):
        assert (answer.outcome, answer.truncated, answer.body) == (Outcome.BODY_INCOMPLETE, "disconnect", b"x" * 70)


async def test_a_body_is_cut_at_the_limit(asked: Asked) -> None:
    async with asked(says(head(), b"x" * 300_000)) as (answer, _):
        assert (answer.outcome, answer.truncated, len(answer.body)) == (Outcome.TOO_LARGE, "length", 100_000)


async def test_a_body_that_is_announced_too_large_is_not_read(asked: Asked) -> None:
    async with asked(answers(b"x" * 200_000)) as (answer, _):
        assert (answer.outcome, answer.truncated, answer.body) == (Outcome.TOO_LARGE, "length", b"")


async def test_of_a_robots_txt_the_beginning_is_read_however_much_is_announced(asked: Asked) -> None:
    rules = b"Disallow: /\n" * 100_000

    async with asked(answers(rules), kind=Kind.ROBOTS) as (answer, _):
        assert answer.body == rules[:MAX_ROBOTS]


async def test_the_body_of_a_redirect_is_kept_and_its_outcome_stays(asked: Asked) -> None:
    fields = {"Location": "/next", "Content-Length": "1000"}

    async with asked(says(head("301 Moved", fields), b"short")) as (answer, stage):
        assert (answer.outcome, answer.location) == (Outcome.REDIRECT, f"{stage.origin}/next")
        assert (answer.body, answer.truncated) == (b"short", "disconnect")


@pytest.mark.parametrize(("value", "seconds"), [("30", 30.0), ("999999999", 60.0), ("soon", None), ("-1", None)])
async def test_the_server_may_ask_for_a_pause(asked: Asked, value: str, seconds: float | None) -> None:
    async with asked(answers(b"", "503 Service Unavailable", Retry_After=value)) as (answer, _):
        assert (answer.outcome, answer.retry_after) == (Outcome.HTTP_UNAVAILABLE, seconds)


async def test_a_time_in_total_bounds_every_other(asked: Asked) -> None:
    settings = Fetch(allow_private="always", connect_timeout=30.0, head_timeout=30.0, total_timeout=0.1)

    async def hangs(talk: Talk) -> None:
        await talk.hang()

    async with asked(hangs, settings) as (answer, _):
        assert answer.outcome is Outcome.TOTAL_TIMEOUT


async def test_no_request_is_announced_that_is_not_sent(client: Client) -> None:
    sent: list[None] = []
    scenario = Scenario(0, "test", "refuses", Outcome.OK, listens="no")

    async with Stage(scenario) as stage, opened(client, SETTINGS) as (_, fetch):
        answer = await fetch(CrawlURL(1, stage.url, stage.origin), trusted=True, sent=lambda: sent.append(None))

    assert (answer.outcome, answer.sent_at, sent) == (Outcome.CONNECT_REFUSED, 0.0, [])


async def test_a_private_address_is_no_reason_to_connect(asked: Asked) -> None:
    settings = Fetch(allow_private="never")

    async with asked(answers(), settings) as (answer, stage):
        assert answer.outcome is Outcome.ADDRESS_BLOCKED
        assert answer.detail == "127.0.0.1 is a private or reserved address"
        assert stage.connections == 0


async def test_details_are_fit_to_be_shown(asked: Asked) -> None:
    async with asked(answers(b"", "404 \x1b[31mred")) as (answer, _):
        assert answer.detail == "404 \\x1b[31mred"
