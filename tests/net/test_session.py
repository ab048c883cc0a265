from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeAlias

import pytest

from crawler.config import Fetch
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind
from crawler.errors import ConfigError
from crawler.net import names as names_module
from crawler.net import session as session_module
from crawler.net.lean import LeanSession
from crawler.net.request import RequestHeaders, request_headers, room_for_connections
from crawler.net.session import Session
from crawler.testing.hostile import PAGE, Play, Scenario, Stage, Talk, answers, answers_by, head
from crawler.testing.site import Site
from tests.clients import CLIENTS, opened
from tests.names import NameServer

SETTINGS = Fetch(allow_private="always", connect_timeout=5.0, head_timeout=5.0, contact="https://example.org/bot")
Ask: TypeAlias = Callable[..., Awaitable[Fetched]]


def stage(play: Play) -> Stage:
    return Stage(Scenario(0, "test", "plays", Outcome.OK, play=play))


Open: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[tuple[Session | LeanSession, Ask]]]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Open:
    """Return what opens each client, and a way to fetch by it."""

    @contextlib.asynccontextmanager
    async def open_(settings: Fetch = SETTINGS) -> AsyncIterator[tuple[Session | LeanSession, Ask]]:
        async with opened(request.param, settings) as (session, fetch):

            async def ask(url: str, *, trusted: bool = True) -> Fetched:
                source = CrawlURL(1, url, url[: url.find("/", 8)])
                return await fetch(source, trusted=trusted, sent=lambda: None)

            yield session, ask

    return open_


async def test_the_request_in_the_archive_is_the_one_the_server_received(client: Open) -> None:
    async with stage(answers()) as server, client() as (_, ask):
        answer = await ask(server.origin + "/a%20b;c?d=%C3%A9&e='f'|g")

    assert [heard.head for heard in server.requests] == [answer.request]


async def test_headers_of_the_settings_are_sent_and_archived_unless_they_are_secret(client: Open) -> None:
    own = {"accept-language": "de", "user-agent": "other/1", "Authorization": "Basic c2VjcmV0"}
    settings = Fetch(allow_private="always", headers=own)

    async with stage(answers()) as server, client(settings) as (_, ask):
        answer = await ask(server.url)

    sent = server.requests[0].head
    assert b"accept-language: de\r\n" in sent
    assert sent.count(b"ser-") == 1
    assert sent.replace(b"Authorization: Basic c2VjcmV0\r\n", b"") == answer.request


async def test_secret_headers_go_to_no_host_that_no_seed_names(client: Open) -> None:
    settings = Fetch(allow_private="always", headers={"Cookie": "a=secret", "X-Other": "fine"})

    async with stage(answers()) as server, client(settings) as (_, ask):
        await ask(server.url, trusted=False)

    assert b"secret" not in server.requests[0].head
    assert b"X-Other: fine" in server.requests[0].head


@pytest.mark.parametrize(
    ("url", "via", "kind", "sent"),
    [
        ("https://a.example/", None, Kind.SEED, True),
        ("https://a.example/x", "https://a.example/", Kind.LINK, True),
        ("http://a.example/", None, Kind.SEED, True),
        ("http://b.example/x", "http://b.example/", Kind.LINK, True),
        ("http://a.example/x", "https://a.example/", Kind.REDIRECT, False),
        ("http://a.example/x", "http://a.example/y", Kind.LINK, False),
        ("http://b.example/x", "https://a.example/", Kind.LINK, False),
    ],
)
def test_secret_headers_are_not_sent_in_the_clear_where_tls_was_given_up(
    url: str, via: str | None, kind: Kind, *, sent: bool
) -> None:
    headers = RequestHeaders(Fetch(headers={"Authorization": "Bearer secret"}))
    headers.secrets_for(CrawlURL(1, "https://a.example/", "https://a.example"))

    found = headers.secrets_for(CrawlURL(2, url, url[: url.find("/", 8)], via=via, kind=kind))

    assert found == ({"Authorization": "Bearer secret"} if sent else None)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "other.example"},
        {"Content-Length": "5"},
        {"transfer-encoding": "chunked"},
        {"X": "a\r\nInjected: b"},
        {"X": "a\0b"},
        {"X Y": "a"},
        {"": "a"},
    ],
)
def test_headers_that_would_forge_a_request_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        request_headers(Fetch(headers=headers))


def test_a_user_agent_cannot_smuggle_a_header_in() -> None:
    with pytest.raises(ConfigError, match="User-Agent"):
        request_headers(Fetch(user_agent="a\r\nHost: b"))


ODD_HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200\r\nContent-Length:0\r\n\r\n",
    b"HTTP/1.1 404  Not   here \r\nX-Folded: one\r\n\ttwo\r\n  three\r\ncontent-LENGTH:   0  \r\n\r\n",
    b"HTTP/1.1 200 caf\xe9\r\nX-Latin: \xe9\xff\r\nX-UTF-8: \xc3\xa9\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nX: only LF\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nX: mixed\nY: ends\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 0\r\n\r\n",
]


@pytest.mark.parametrize("odd", ODD_HEADS)
@pytest.mark.parametrize(
    "before", [b"", b"\r\n", b"HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 3]
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_response_head_is_kept_byte_for_byte(client: Open, odd: bytes, before: bytes, size: int) -> None:
    wire = before + odd

    async def play(talk: Talk) -> None:
        await talk.heard()
        for at in range(0, len(wire), size):
            await talk.say(wire[at : at + size])
            await asyncio.sleep(0)

    async with stage(play) as server, client() as (_, ask):
        answer = await ask(server.url)

    assert answer.head == odd
    assert answer.status in (200, 404)


async def test_fifty_pages_in_a_row_take_one_connection(client: Open) -> None:
    async with stage(answers()) as server, client() as (session, ask):
        fetched = [await ask(f"{server.origin}/{number}") for number in range(50)]

    assert {answer.status for answer in fetched} == {200}
    assert server.connections == session.connections == 1
    assert [answer.timings.reused for answer in fetched] == [False] + [True] * 49


async def test_without_a_limit_of_file_descriptors_connections_are_kept_too(
    client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (unlimited, unlimited))

    async with stage(answers()) as server, client() as (session, ask):
        for number in range(5):
            await ask(f"{server.origin}/{number}")

    assert (len(server.requests), server.connections, session.connections) == (5, 1, 1)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "302 Found", "404 Not Found"])
async def test_answers_without_a_page_keep_the_connection_too(client: Open, status: str) -> None:
    async def reply(talk: Talk) -> None:
        fields = {} if status[0] == "2" or status.startswith("304") else {"Content-Length": "0", "Location": "/x"}
        await talk.say(head(status, fields))

    async with stage(answers_by(reply)) as server, client() as (_, ask):
        for number in range(3):
            await ask(f"{server.origin}/{number}")

    assert server.connections == 1


async def test_a_body_in_chunks_keeps_the_connection_too(client: Open, site: Site) -> None:
    url = site.page("/", body="x" * 100_000, chunked=True)

    async with client() as (session, ask):
        sizes = {len((await ask(url)).body) for _ in range(3)}

    assert len(sizes) == 1
    assert session.connections == 1


async def test_bytes_that_nobody_asked_for_end_a_kept_connection(client: Open) -> None:
    told, gone = asyncio.Event(), asyncio.Event()

    async def play(talk: Talk) -> None:
        await talk.heard()
        await talk.answer()
        if talk.stage.connections == 1:
            await told.wait()
            await talk.answer(PAGE.replace(b"well", b"ill!"))
            await talk.hang()
            gone.set()

    async with stage(play) as server, client() as (_, ask):
        await ask(server.url)
        told.set()
        await gone.wait()
        second = await ask(server.url)

    assert b"ill!" not in second.body
    assert server.connections == 2


async def test_a_second_answer_in_the_same_packet_is_given_to_no_other_request(client: Open) -> None:
    evil = PAGE.replace(b"well", b"ill!")

    async def reply(talk: Talk) -> None:
        size = {"Content-Length": str(len(PAGE))}
        await talk.say(head(fields=size), PAGE, head(fields=size), evil)

    async with stage(answers_by(reply)) as server, client() as (_, ask):
        bodies = [(await ask(f"{server.origin}/{number}")).body for number in range(3)]

    assert bodies == [PAGE] * 3


@pytest.mark.parametrize("reset", [False, True])
async def test_a_request_on_a_closed_connection_is_not_sent_twice(client: Open, reset: bool) -> None:  # noqa: FBT001  a parameter of the test
    async def play(talk: Talk) -> None:
        await talk.heard()
        await talk.answer()
        await talk.heard()
        if reset:
            talk.reset()

    async with stage(play) as server, client() as (_, ask):
        await ask(server.url)
        second = await ask(server.url)

    assert second.outcome is Outcome.DISCONNECTED
    assert second.timings.reused
    assert len(server.requests) == 2


async def test_a_body_stays_compressed(client: Open, site: Site) -> None:
    url = site.page("/", body="x" * 10_000, coding="gzip")

    async with client() as (_, ask):
        answer = await ask(url)

    assert answer.body == site.answers["/"].payload
    assert answer.body.startswith(b"\x1f\x8b")


async def test_no_cookie_comes_back(client: Open) -> None:
    async with stage(answers(Set_Cookie="a=b; Path=/")) as server, client() as (_, ask):
        await ask(server.url)
        await ask(server.url)

    assert b"a=b" not in b"".join(heard.head for heard in server.requests)


@pytest.fixture
def few_files() -> Iterator[Callable[[int], None]]:
    """Lower the limit of file descriptors to what is open and so many more, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def lower(spare: int) -> None:
        with open("/dev/null", "rb") as probe:  # noqa: PTH123  its number is the lowest that is free
            resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno() + spare, before[1]))

    yield lower
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_fetch_waits_for_a_file_descriptor(client: Open, few_files: Callable[[int], None]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async with stage(answers()) as server, client() as (_, ask):
        few_files(0)
        asyncio.get_running_loop().call_later(0.05, resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        answer = await ask(server.url)

    assert answer.status == 200


def test_connections_leave_file_descriptors_to_others(few_files: Callable[[int], None]) -> None:
    few_files(64)

    room = room_for_connections()

    assert 1 <= room <= 32


async def test_a_name_that_a_seed_names_cannot_be_turned_inwards_later(
    client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def zone(_name: str, time: int) -> tuple[str, ...]:
        return ("127.0.0.1",) if time == 1 else ("127.0.0.2", "10.0.0.1", "169.254.169.254")

    settings = Fetch(allow_private="seeds", connect_timeout=5.0)
    for module in (session_module, names_module):
        monkeypatch.setattr(module, "DNS_TTL", 0)
    play = answers(Connection="close")

    with NameServer(zone) as names:
        names.install(monkeypatch)
        async with stage(play) as server, client(settings) as (_, ask):
            url = f"http://turning.test:{server.port}/"
            before, after, foreign = await ask(url), await ask(url), await ask(url, trusted=False)

    assert before.status == 200
    assert (after.outcome, foreign.outcome) == (Outcome.ADDRESS_BLOCKED, Outcome.ADDRESS_BLOCKED)
    assert len(server.requests) == 1
