"""A crawl through an HTTP proxy: what goes where, who sees the password, and which hosts are refused."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler import crawl
from crawler.config import Access, Config, Fetch, Politeness
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched
from crawler.errors import ConfigError
from crawler.net.lean import LeanSession
from crawler.net.proxy import proxy_of
from crawler.net.room import Room
from crawler.net.session import Session
from crawler.stages.fetch_aiohttp import HttpFetcher
from crawler.testing.hostile import PAGE, Play, Scenario, Stage, answers, head, says
from crawler.testing.site import Site
from tests import certificates
from tests.names import NXDOMAIN, NameServer
from tests.proxy import forwards

PASSWORD = "sw0rdfish"
BASIC = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()


def stage(play: Play, **more: Any) -> Stage:
    return Stage(Scenario(0, "test", "plays", Outcome.OK, play=play, **more))


def over_tls(certificate: str) -> Stage:
    scenario = Scenario(0, "test", "plays", Outcome.OK, play=answers(), scheme="https")
    return Stage(scenario, certificates.server_context(certificate))


async def ask(url: str, proxy: Stage, settings: Fetch, *, trusted: bool = False, user: str = "") -> Fetched:
    async with Session(settings, Access(proxy=f"http://{user}127.0.0.1:{proxy.port}")) as session:
        fetch = HttpFetcher(session, settings, Room(0, 0), max_retry_after=60.0)
        return await fetch(CrawlURL(1, url, url[: url.find("/", 8)]), trusted=trusted, sent=lambda: None)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., NameServer]:
    """Make the sessions of a test look names up in a zone of its own."""

    def serve(**zone: tuple[str, ...]) -> NameServer:
        found = {name.replace("_", "."): addresses for name, addresses in zone.items()}
        server = NameServer(lambda name, _time: found.get(name, NXDOMAIN))
        server.install(monkeypatch)
        return server

    return serve


def archived(folder: Path) -> bytes:
    return gzip.decompress(next(folder.glob("archive/*.warc.gz")).read_bytes())


PUBLIC = "93.184.216.34"
"""Never connected to: only the proxy would, and ours leads to loopback."""
CLOSED = Fetch(allow_private="never", connect_timeout=5.0, head_timeout=5.0)


async def test_pages_and_robots_txt_of_a_whole_crawl_go_through_the_proxy(
    site: Site, names: Callable[..., NameServer], tmp_path: Path
) -> None:
    site.page("/", links=["/next"])
    site.page("/next")
    with names(site_test=(PUBLIC,)):
        async with stage(forwards(site.port, only_with=BASIC)) as proxy:
            access = Access(proxy=f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}/")
            config = Config(politeness=Politeness(delay=0.0), fetch=CLOSED, access=access)
            report = await crawl("http://site.test/", config=config, out=tmp_path)

    assert report.totals.by_outcome == {Outcome.OK: 2}
    assert site.requests == ["/", "/next"]
    assert [heard.head.split(b" ", 2)[1] for heard in proxy.requests] == [
        b"http://site.test/robots.txt",
        b"http://site.test/",
        b"http://site.test/next",
    ]
    assert not any("proxy-authorization" in request.headers for request in site.log)
    archive = archived(tmp_path)
    assert b"GET /next HTTP/1.1\r\nHost: site.test\r\n" in archive
    assert b"WARC-IP-Address" not in archive, "whose address is not known is not written down"


async def test_https_goes_through_a_tunnel_and_the_password_stays_outside(tmp_path: Path) -> None:
    settings = Fetch(allow_private="always", ca_file=certificates.ca_file(tmp_path))

    async with over_tls("good") as server, stage(forwards(server.port, only_with=BASIC)) as proxy:
        answer = await ask(server.url, proxy, settings, user=f"me:{PASSWORD}@")

    assert (answer.outcome, answer.status, answer.body, answer.address) == (None, 200, PAGE, "")
    assert proxy.requests[0].head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization" not in server.requests[0].head
    assert server.requests[0].head == answer.request


async def test_a_certificate_is_verified_through_the_tunnel_too(tmp_path: Path) -> None:
    settings = Fetch(allow_private="always", ca_file=certificates.ca_file(tmp_path))

    async with over_tls("elsewhere") as server, stage(forwards(server.port)) as proxy:
        answer = await ask(server.url, proxy, settings)

    assert answer.outcome is Outcome.TLS_HOSTNAME


@pytest.mark.parametrize("url", ["http://site.test/", "https://site.test/"])
@pytest.mark.parametrize(
    ("play", "detail"),
    [
        (forwards(9, only_with=BASIC), "407 Proxy Authentication Required"),
        (says(head("407 No", {"Content-Length": "0"})), "407 No"),
    ],
)
async def test_a_proxy_that_wants_another_password_is_named_and_its_page_is_not_the_sites(
    names: Callable[..., NameServer], url: str, play: Play, detail: str
) -> None:
    with names(site_test=(PUBLIC,)):
        async with stage(play) as proxy:
            answer = await ask(url, proxy, CLOSED, user="me:wrong@")

    assert (answer.outcome, answer.detail) == (Outcome.PROXY_FAILED, f"127.0.0.1:{proxy.port}: {detail}")
    assert not answer.answered


@pytest.mark.parametrize(
    ("play", "detail"),
    [
        (says(head("502 Bad Gateway", {"Content-Length": "5"}), b"sorry"), "502 Bad Gateway"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), ""),
        (says(), ""),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(names: Callable[..., NameServer], play: Play, detail: str) -> None:
    with names(site_test=(PUBLIC,)):
        async with stage(play) as proxy:
            answer = await ask("https://site.test/", proxy, CLOSED)

    assert answer.outcome is Outcome.PROXY_FAILED
    assert answer.detail.startswith(f"127.0.0.1:{proxy.port}: {detail}")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_named(names: Callable[..., NameServer], scheme: str) -> None:
    with names(site_test=(PUBLIC,)):
        async with stage(says(), listens="no") as proxy:
            answer = await ask(f"{scheme}://site.test/", proxy, CLOSED)

    assert (answer.outcome, answer.detail) == (
        Outcome.PROXY_FAILED,
        f"127.0.0.1:{proxy.port}: Connection refused",
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.1.2.3/",
        "http://[::ffff:192.168.0.1]/",
        "https://169.254.169.254/",
        "http://inner.test/",
        "https://both.test/",
        "http://localhost/",
        "http://printer/",
        "http://printer.local/",
        "https://metadata.google.internal/",
    ],
)
async def test_a_private_host_is_not_asked_for_through_the_proxy_either(
    names: Callable[..., NameServer], url: str
) -> None:
    with names(inner_test=("10.0.0.7",), both_test=(PUBLIC, "192.168.1.1")):
        async with stage(answers()) as proxy:
            answer = await ask(url, proxy, CLOSED)

    assert answer.outcome is Outcome.ADDRESS_BLOCKED
    assert proxy.connections == 0


async def test_a_name_that_only_the_proxy_can_look_up_is_left_to_the_proxy_and_looked_up_once(
    names: Callable[..., NameServer],
) -> None:
    with names() as server:
        async with (
            stage(answers()) as proxy,
            Session(CLOSED, Access(proxy=f"http://127.0.0.1:{proxy.port}")) as session,
        ):
            fetch = HttpFetcher(session, CLOSED, Room(0, 0), max_retry_after=60.0)
            for number in range(3):
                url = f"http://far.example.org/{number}"
                answer = await fetch(CrawlURL(1, url, "http://far.example.org"), trusted=False, sent=lambda: None)
                assert answer.status == 200
            asked_before = len(server.asked)
            address = await session.locate("http://far.example.org/")

    assert address == ""
    assert len(server.asked) == asked_before <= 2


async def test_a_seed_may_be_private_behind_the_proxy_where_seeds_may(names: Callable[..., NameServer]) -> None:
    settings = Fetch(allow_private="seeds", connect_timeout=5.0, head_timeout=5.0)

    with names(inner_test=("10.0.0.7",)):
        async with stage(answers()) as proxy:
            seed = await ask("http://inner.test/", proxy, settings, trusted=True)
            printer = await ask("http://printer.local/", proxy, settings, trusted=True)
            link = await ask("http://inner.test/", proxy, settings)

    assert (seed.status, printer.status, link.outcome) == (200, 200, Outcome.ADDRESS_BLOCKED)


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example",
        "proxy.example:3128",
        f"me:{PASSWORD}@proxy:3128",
        f"socks5://me:{PASSWORD}@proxy:1080",
        f"https://me:{PASSWORD}@proxy.example",
        f"http://me:{PASSWORD}@proxy.example/path",
        "http://",
    ],
)
def test_what_is_no_http_proxy_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ConfigError, match="is not the URL of an HTTP proxy, such as") as refused:
        proxy_of(text)

    assert PASSWORD not in str(refused.value)


def test_a_proxy_shows_its_name_but_not_its_password() -> None:
    proxy = proxy_of(f"http://me:{PASSWORD}@proxy.example:3128")

    assert proxy is not None
    assert (proxy.name, proxy.headers) == ("proxy.example:3128", {"Proxy-Authorization": BASIC})
    assert PASSWORD not in repr(proxy) + repr(Access(proxy=f"http://me:{PASSWORD}@proxy.example:3128"))
    assert BASIC not in repr(proxy)


def test_the_lean_client_says_that_it_knows_no_proxy() -> None:
    with pytest.raises(ConfigError, match=r"fetch\.client: the lean client knows no proxy; use aiohttp"):
        LeanSession(CLOSED, Access(proxy="http://127.0.0.1:3128"))
