from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from crawler.config import Fetch
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind
from crawler.net.session import Session
from crawler.stages.fetch import MAX_ROBOTS
from crawler.stages.fetch_aiohttp import HttpFetcher
from crawler.testing.hostile import PAGE, Play, Scenario, Stage, Talk, answers, head, says

SETTINGS = Fetch(
    allow_private="always",
    head_timeout=5.0,
    total_timeout=5.0,
    lowest_rate=1000,
    lowest_rate_after=0.1,
    max_body=100_000,
)


@contextlib.asynccontextmanager
async def asked(play: Play, settings: Fetch = SETTINGS, kind: Kind = Kind.SEED) -> AsyncIterator[tuple[Fetched, Stage]]:
    """Fetch the one URL of a scenario."""
    async with Stage(Scenario(0, "test", "plays", Outcome.OK, play=play)) as stage, Session(settings) as session:
        fetch = HttpFetcher(session, settings, max_retry_after=60.0)
        yield await fetch(CrawlURL(1, stage.url, stage.origin, kind=kind), trusted=True, sent=lambda: None), stage


async def test_a_page_is_fetched_whole() -> None:
    async with asked(answers()) as (answer, stage):
        assert (answer.outcome, answer.status, answer.body, answer.truncated) == (None, 200, PAGE, "")
        assert answer.address == "127.0.0.1"
        assert answer.sent_at >= answer.began_at
        assert stage.connections == 1


async def test_what_came_of_a_body_that_is_too_slow_is_kept() -> None:
    async def stops(talk: Talk) -> None:
        await talk.heard()
        await talk.say(head(fields={"Content-Length": "1000"}), b"x" * 70)
        await talk.hang()

    async with asked(stops) as (answer, _):
        assert (answer.outcome, answer.truncated, answer.body) == (Outcome.SLOW_BODY, "time", b"x" * 70)
        assert answer.status == 200


async def test_what_came_of_a_body_that_breaks_off_is_kept() -> None:
    async with asked(says(head(fields={"Content-Length": "1000"}), b"x" * 70)) as (answer, _):
        assert (answer.outcome, answer.truncated, answer.body) == (Outcome.BODY_INCOMPLETE, "disconnect", b"x" * 70)


async def test_a_body_is_cut_at_the_limit() -> None:
    async with asked(says(head(), b"x" * 300_000)) as (answer, _):
        assert (answer.outcome, answer.truncated, len(answer.body)) == (Outcome.TOO_LARGE, "length", 100_000)


async def test_a_body_that_is_announced_too_large_is_not_read() -> None:
    async with asked(answers(b"x" * 200_000)) as (answer, _):
        assert (answer.outcome, answer.truncated, answer.body) == (Outcome.TOO_LARGE, "length", b"")


async def test_of_a_robots_txt_the_beginning_is_read_however_much_is_announced() -> None:
    rules = b"Disallow: /\n" * 100_000

    async with asked(answers(rules), kind=Kind.ROBOTS) as (answer, _):
        assert answer.body == rules[:MAX_ROBOTS]


async def test_the_body_of_a_redirect_is_kept_and_its_outcome_stays() -> None:
    fields = {"Location": "/next", "Content-Length": "1000"}

    async with asked(says(head("301 Moved", fields), b"short")) as (answer, stage):
        assert (answer.outcome, answer.location) == (Outcome.REDIRECT, f"{stage.origin}/next")
        assert (answer.body, answer.truncated) == (b"short", "disconnect")


@pytest.mark.parametrize(("value", "seconds"), [("30", 30.0), ("999999999", 60.0), ("soon", None), ("-1", None)])
async def test_the_server_may_ask_for_a_pause(value: str, seconds: float | None) -> None:
    async with asked(answers(b"", "503 Service Unavailable", Retry_After=value)) as (answer, _):
        assert (answer.outcome, answer.retry_after) == (Outcome.HTTP_UNAVAILABLE, seconds)


async def test_a_time_in_total_bounds_every_other() -> None:
    settings = Fetch(allow_private="always", connect_timeout=30.0, head_timeout=30.0, total_timeout=0.1)

    async def hangs(talk: Talk) -> None:
        await talk.hang()

    async with asked(hangs, settings) as (answer, _):
        assert answer.outcome is Outcome.TOTAL_TIMEOUT


async def test_no_request_is_announced_that_is_not_sent() -> None:
    sent: list[None] = []
    scenario = Scenario(0, "test", "refuses", Outcome.OK, listens="no")

    async with Stage(scenario) as stage, Session(SETTINGS) as session:
        fetch = HttpFetcher(session, SETTINGS, max_retry_after=60.0)
        answer = await fetch(CrawlURL(1, stage.url, stage.origin), trusted=True, sent=lambda: sent.append(None))

    assert (answer.outcome, answer.sent_at, sent) == (Outcome.CONNECT_REFUSED, 0.0, [])


async def test_a_private_address_is_no_reason_to_connect() -> None:
    settings = Fetch(allow_private="never")

    async with asked(answers(), settings) as (answer, stage):
        assert answer.outcome is Outcome.ADDRESS_BLOCKED
        assert answer.detail == "127.0.0.1 is a private or reserved address"
        assert stage.connections == 0


async def test_details_are_fit_to_be_shown() -> None:
    async with asked(answers(b"", "404 \x1b[31mred")) as (answer, _):
        assert answer.detail == "404 \\x1b[31mred"
