"""What single origins are shown of the caller, and that nobody else is."""

from __future__ import annotations

import base64
import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from crawler import Crawler, crawl
from crawler.config import Access, Config, Fetch, Login, Politeness
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Kind
from crawler.errors import ConfigError
from crawler.net.access import Logins
from crawler.net.request import RequestHeaders
from crawler.testing.hostile import Play, Scenario, Stage, Talk, answers
from crawler.testing.site import Site
from tests import certificates
from tests.clients import CLIENTS, Client, opened

SECRET = "c0rrect-horse"
BASIC = "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode()
OPEN = Fetch(allow_private="always", attempts=1)


BOTH = pytest.mark.parametrize("client", CLIENTS)


def config(access: Access, client: Client = "aiohttp") -> Config:
    fetch = Fetch(allow_private="always", attempts=1, client=client)
    return Config(politeness=Politeness(delay=0.0), fetch=fetch, access=access)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder, unpacked."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: gzip.decompress(content) if name.endswith(".gz") else content for name, content in files.items()}


@BOTH
async def test_a_login_goes_to_its_origin_and_no_further_along_a_redirect_or_a_link(
    client: Client, site: Site, sites: Callable[..., Awaitable[Site]], tmp_path: Path
) -> None:
    other = await sites("127.0.0.2")
    elsewhere = other.page("/elsewhere")
    start = site.page("/", links=["/moved", elsewhere])
    site.put("/moved", 302, b"", {"Location": f"{other.origin}/target"})
    access = Access(origins={site.origin: Login(user="ann", password=SECRET, headers={"X-Token": SECRET})})

    await crawl([start, f"{other.origin}/"], config=config(access, client), out=tmp_path)

    assert {request.headers.get("authorization") for request in site.log} == {BASIC}
    assert {request.headers.get("x-token") for request in site.log} == {SECRET}
    assert {"/target", "/elsewhere", "/robots.txt"} <= {request.path for request in other.log}
    assert not any("authorization" in request.headers or "x-token" in request.headers for request in other.log)


async def test_a_robots_txt_that_moves_to_another_origin_takes_no_login_along(
    site: Site, sites: Callable[..., Awaitable[Site]]
) -> None:
    other = await sites("127.0.0.2")
    start = site.page("/")
    site.put("/robots.txt", 302, b"", {"Location": f"{other.origin}/robots.txt"})
    access = Access(origins={site.origin: Login(user="ann", password=SECRET)})

    await crawl(start, config=config(access), out=None)

    assert [request.headers.get("authorization") for request in site.log] == [BASIC, BASIC]
    assert [(request.path, request.headers.get("authorization")) for request in other.log] == [("/robots.txt", None)]


@BOTH
async def test_no_secret_reaches_the_folder_the_report_or_what_is_printed(
    client: Client, site: Site, tmp_path: Path
) -> None:
    login = Login(user="ann", password=SECRET, headers={"X-Token": SECRET})
    settings = config(Access(proxy="", origins={site.origin: login}), client)

    async with Crawler(settings, out=tmp_path) as crawler:
        async for page in crawler.run(site.page("/", links=["/missing"])):
            assert SECRET not in repr(page)

    assert SECRET not in repr(settings) + repr(crawler.report())
    assert "user='ann'" in repr(settings)
    written = contents(tmp_path)
    assert {"crawl.db", "pages.jsonl", "report.json", "report.html"} <= written.keys()
    for secret in (SECRET, BASIC.removeprefix("Basic ")):
        assert not [name for name, content in written.items() if secret.encode() in content]


def test_a_header_for_one_origin_takes_the_place_of_one_for_all_and_is_not_archived() -> None:
    login = Login(headers={"authorization": "Bearer own", "Accept-Language": "de"})
    logins = Logins(Access(origins={"https://a.example": login}))
    settings = Fetch(headers={"Authorization": "Bearer all", "accept-language": "en"})
    headers = RequestHeaders(settings, logins.headers)

    own = headers.private_to(CrawlURL(1, "https://a.example/x", "https://a.example"), trusted=True)
    others = headers.private_to(CrawlURL(2, "https://b.example/x", "https://b.example"), trusted=True)

    assert own == {"authorization": "Bearer own", "Accept-Language": "de"}
    assert others == {"Authorization": "Bearer all"}
    assert b"anguage" not in headers.tail("https://a.example")
    assert b"accept-language: en\r\n" in headers.tail("https://b.example")


@pytest.mark.parametrize(
    ("name", "login", "said"),
    [
        ("example.org", Login(), "'example.org' is no origin"),
        ("https://example.org/path", Login(), "is no origin, such as https://example.org:8443"),
        ("https://ann:c0rrect-horse@example.org", Login(), "is no origin"),
        ("ftp://example.org", Login(), "is no origin"),
        ("https://a.example", Login(password=SECRET), "a password without a user"),
        ("https://a.example", Login(user="a:b"), "has a colon"),
        ("https://a.example", Login(user="a", headers={"AUTHORIZATION": SECRET}), "contradict each other"),
        ("https://a.example", Login(headers={"Host": SECRET}), "is no header of yours to set"),
        ("https://a.example", Login(headers={"X": f"{SECRET}\r\nY: 1"}), "a control character in the X header"),
        ("https://a.example", Login(key="key.pem"), "a key without a certificate"),
        ("http://a.example", Login(certificate="me.pem"), "over https only"),
        ("https://a.example", Login(certificate="none.pem"), "cannot be used (No such file or directory)"),
    ],
)
def test_a_login_that_cannot_be_used_is_refused_in_a_sentence_without_its_secret(
    name: str, login: Login, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        Logins(Access(origins={name: login}))

    assert said in str(refused.value)
    assert str(refused.value).startswith("access.origins")
    assert SECRET not in str(refused.value)


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[..., tuple[Login, trustme.CA]]:
    """Make a client certificate, with its key in a file of its own; return the login and who vouches for it."""

    def make(password: bytes = b"") -> tuple[Login, trustme.CA]:
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415  -- trustme brings it

        authority = trustme.CA()
        made = authority.issue_cert("ann@example.org")
        key = form.load_pem_private_key(made.private_key_pem.bytes(), None)
        cipher = form.BestAvailableEncryption(password) if password else form.NoEncryption()
        (tmp_path / "me.key").write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, cipher))
        (tmp_path / "me.pem").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        return Login(certificate=str(tmp_path / "me.pem"), key=str(tmp_path / "me.key")), authority

    return make


def demanding(authority: trustme.CA) -> ssl.SSLContext:
    """Return what lets in only who shows a certificate of this authority."""
    context = certificates.server_context("good")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    return context


def shows_who_asks() -> Play:
    async def play(talk: Talk) -> None:
        while True:
            await talk.heard()
            peer = talk.writer.get_extra_info("peercert") or {}
            await talk.answer(repr(peer.get("subjectAltName")).encode())

    return play


@BOTH
@pytest.mark.parametrize("password", ["", SECRET])
async def test_a_client_certificate_is_shown_to_its_origin_alone(
    client: Client, certificate: Callable[..., tuple[Login, trustme.CA]], tmp_path: Path, password: str
) -> None:
    login, authority = certificate(password.encode())
    login = Login(certificate=login.certificate, key=login.key, key_password=password)
    scenario = Scenario(0, "test", "plays", Outcome.OK, play=shows_who_asks(), scheme="https")
    settings = Fetch(allow_private="always", ca_file=certificates.ca_file(tmp_path))

    async with (
        Stage(scenario, demanding(authority)) as its,
        Stage(scenario, demanding(authority)) as another,
        opened(client, settings, Access(origins={its.origin: login})) as (_, fetch),
    ):
        seen = [
            await fetch(CrawlURL(1, stage.url, stage.origin), trusted=True, sent=lambda: None)
            for stage in (its, another)
        ]

    assert seen[0].body == b"(('email', 'ann@example.org'),)"
    assert seen[1].status == 0


def turn_away(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Accept one connection and refuse it in the words of TLS, as servers do that are not asyncio's."""
    connection, _ = listener.accept()
    with connection.dup() as bare:
        with contextlib.suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)
        while bare.recv(1 << 16):
            pass  # hung up on what has not been read, the client would see no more than a reset


@BOTH
async def test_a_server_that_asks_for_a_certificate_in_vain_is_understood(client: Client, tmp_path: Path) -> None:
    settings = Fetch(allow_private="always", ca_file=certificates.ca_file(tmp_path))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"https://127.0.0.1:{listener.getsockname()[1]}"
        server = threading.Thread(target=turn_away, args=(listener, demanding(trustme.CA())))
        server.start()
        async with opened(client, settings) as (_, fetch):
            answer = await fetch(CrawlURL(1, f"{origin}/", origin), trusted=True, sent=lambda: None)
        server.join()

    assert (answer.outcome, answer.detail) == (Outcome.TLS_PROTOCOL, "the server asks for a client certificate")


def test_an_encrypted_key_without_its_password_is_refused_and_nobody_is_asked(
    certificate: Callable[..., tuple[Login, trustme.CA]],
) -> None:
    login, _ = certificate(b"secret")

    with pytest.raises(ConfigError, match="the key is encrypted; set key_password"):
        Logins(Access(origins={"https://a.example": login}))


@BOTH
async def test_a_login_holds_for_robots_txt_as_well(client: Client) -> None:
    async with Stage(Scenario(0, "test", "plays", Outcome.OK, play=answers())) as stage:
        access = Access(origins={stage.origin: Login(user="ann", password=SECRET)})
        async with opened(client, OPEN, access) as (_, fetch):
            robots = CrawlURL(0, f"{stage.origin}/robots.txt", stage.origin, kind=Kind.ROBOTS)
            answer = await fetch(robots, trusted=False, sent=lambda: None)

    assert f"Authorization: {BASIC}\r\n".encode() in stage.requests[0].head
    assert b"uthorization" not in answer.request
