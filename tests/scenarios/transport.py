"""Scenarios of names, connections, TLS and silence."""

from __future__ import annotations

import itertools
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import ANY_NUMBER, PAGE, Scenario, Stage, Talk, answers, head, says

_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
"""A TLS record: fatal alert, protocol version."""
_BLOCK = b"x" * 65536


async def hangs(talk: Talk) -> None:
    """Accept the connection, and no more."""
    await talk.hang()


async def hangs_after_request(talk: Talk) -> None:
    await talk.heard()
    await talk.hang()


async def drips_header_lines(talk: Talk) -> None:
    await talk.heard()
    lines = (b"X-Drip-%d: drop\r\n" % number for number in itertools.count())
    await talk.say_slowly(itertools.chain([b"HTTP/1.1 200 OK\r\n"], lines), 0.05)


async def drips_header_bytes(talk: Talk) -> None:
    await talk.heard()
    await talk.say_slowly(itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], itertools.repeat(b"x")), 0.02)


async def drips_body(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Content-Length": "100000"}))
    await talk.say_slowly(itertools.repeat(b"x"), 0.05)


async def flows_too_slowly(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head())
    await talk.say_slowly(itertools.repeat(b"x" * 4000), 0.05)


async def stops_amid_body(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Content-Length": "100000"}), b"x" * 200)
    await talk.hang()


async def never_ends(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head())
    await talk.say_slowly(itertools.repeat(_BLOCK), 0)


async def never_ends_in_chunks(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Transfer-Encoding": "chunked"}))
    await talk.say_slowly(itertools.repeat(b"10000\r\n" + _BLOCK + b"\r\n"), 0)


async def announces_much(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Content-Length": str(10 * 1024**3)}))
    await talk.hang()


async def resets_amid_body(talk: Talk) -> None:
    await talk.heard()
    await talk.say(head(fields={"Content-Length": "100000"}), b"x" * 2000)
    talk.reset()


async def resets(talk: Talk) -> None:
    await talk.heard()
    talk.reset()


async def resets_before_request(talk: Talk) -> None:
    talk.reset()


async def hangs_up_before_request(talk: Talk) -> None:
    talk.writer.close()


async def hangs_up_on_b(talk: Talk) -> None:
    """Be well for every page but ``/b``: for that, hang up without a word."""
    links = "".join(f'<a href="/{name}">' for name in ("b", *map(str, range(30))))
    while await talk.heard() != "/b":
        await talk.answer(f"<!doctype html>{links}".encode() if talk.path == "/" else PAGE)


async def hangs_up_on_every_second(talk: Talk) -> None:
    """Take a second request on a connection, and hang up: what a server that closes idle connections looks like."""
    links = "".join(f'<a href="/{number}">' for number in range(12))
    await talk.heard()
    await talk.answer(f"<!doctype html>{links}".encode() if talk.path == "/" else PAGE)
    await talk.heard()


async def speaks_plainly(talk: Talk) -> None:
    await talk.say(head("400 Bad Request"))


async def hangs_up_amid_handshake(talk: Talk) -> None:
    await talk.reader.read(10)


async def says_alert(talk: Talk) -> None:
    await talk.reader.read(10)
    await talk.say(_ALERT)


def cut(run: Any, stage: Stage) -> None:
    page = run.page(stage)
    assert page["truncated"] == "length"
    assert page["wire_size"] == run.config.fetch.max_body
    assert page["segment"]


def nothing_read(run: Any, stage: Stage) -> None:
    page = run.page(stage)
    assert page["truncated"] == "length"
    assert page["wire_size"] == 0


def given_up(run: Any, stage: Stage) -> None:
    page = run.pages[stage.origin + "/b"]
    assert (page["outcome"], page["attempts"]) == ("disconnected", 3)
    assert run.paths(stage).count("/b") <= 8  # five may find a connection that was closed


def all_fetched(run: Any, stage: Stage) -> None:
    outcomes = [outcome for url, outcome in run.outcomes.items() if url.startswith(stage.origin + "/")]
    assert outcomes == ["ok"] * 13


def hung_up(_run: Any, stage: Stage) -> None:
    assert stage.talking == 0


SCENARIOS = (
    Scenario(1, "refused", "listens at no port", Outcome.CONNECT_REFUSED, 3, listens="no", asked=0),
    Scenario(
        2, "blackhole", "lets connection requests go unanswered", Outcome.CONNECT_TIMEOUT, 3, listens="full", asked=0
    ),
    Scenario(3, "mute", "accepts, and says nothing", Outcome.HEAD_TIMEOUT, 3, hangs_after_request, check=hung_up),
    Scenario(
        4, "dripping header", "sends one header line after another, slowly", Outcome.HEAD_TIMEOUT, 3, drips_header_lines
    ),
    Scenario(
        4, "dripping header line", "sends one header line byte by byte", Outcome.HEAD_TIMEOUT, 3, drips_header_bytes
    ),
    Scenario(5, "dripping body", "sends the body byte by byte", Outcome.SLOW_BODY, 3, drips_body),
    Scenario(
        5,
        "slow for ever",
        "sends the body just faster than the lowest rate",
        Outcome.TOTAL_TIMEOUT,
        3,
        flows_too_slowly,
    ),
    Scenario(
        6,
        "endless body",
        "sends a body without a length and without an end",
        Outcome.TOO_LARGE,
        1,
        never_ends,
        check=cut,
    ),
    Scenario(6, "endless chunks", "sends chunks without an end", Outcome.TOO_LARGE, 1, never_ends_in_chunks, check=cut),
    Scenario(7, "10 GiB announced", "announces 10 GiB", Outcome.TOO_LARGE, 1, announces_much, check=nothing_read),
    Scenario(8, "reset in the body", "resets the connection amid the body", Outcome.CONN_RESET, 3, resets_amid_body),
    Scenario(8, "reset for an answer", "resets the connection instead of answering", Outcome.CONN_RESET, 3, resets),
    Scenario(
        8,
        "reset at once",
        "resets the connection as soon as it stands",
        Outcome.CONN_RESET,
        3,
        resets_before_request,
        asked=0,
    ),
    Scenario(
        9,
        "hang-up in the body",
        "hangs up before the announced length",
        Outcome.BODY_INCOMPLETE,
        3,
        says(head(fields={"Content-Length": "100000"}), b"x" * 2000),
    ),
    Scenario(10, "empty reply", "hangs up instead of answering", Outcome.DISCONNECTED, 3, says()),
    Scenario(
        10,
        "hang-up at once",
        "hangs up as soon as the connection stands",
        (Outcome.DISCONNECTED, Outcome.CONN_RESET),
        3,
        hangs_up_before_request,
        asked=0,
    ),
    Scenario(
        11,
        "hang-up on one page",
        "hangs up whenever it is asked for one of its pages, and is well otherwise",
        Outcome.OK,
        1,
        hangs_up_on_b,
        asked=ANY_NUMBER,
        check=given_up,
    ),
    Scenario(
        11,
        "hang-up on kept connections",
        "hangs up on each second request of a connection",
        Outcome.OK,
        1,
        hangs_up_on_every_second,
        asked=ANY_NUMBER,
        check=all_fetched,
    ),
    Scenario(
        12,
        "half-open peer",
        "is gone amid the body, without a FIN",
        Outcome.SLOW_BODY,
        3,
        stops_amid_body,
        check=hung_up,
    ),
    Scenario(
        14,
        "expired certificate",
        "shows a certificate that has expired",
        Outcome.TLS_EXPIRED,
        1,
        answers(),
        scheme="https",
        tls="expired",
        asked=0,
    ),
    Scenario(
        15,
        "unknown authority",
        "shows a certificate of its own making",
        Outcome.TLS_UNTRUSTED,
        1,
        answers(),
        scheme="https",
        tls="untrusted",
        asked=0,
    ),
    Scenario(
        16,
        "wrong host",
        "shows a certificate for another host",
        Outcome.TLS_HOSTNAME,
        1,
        answers(),
        scheme="https",
        tls="elsewhere",
        asked=0,
    ),
    Scenario(
        17,
        "old TLS",
        "refuses the handshake for its TLS version",
        Outcome.TLS_PROTOCOL,
        1,
        says_alert,
        scheme="https",
        asked=0,
    ),
    Scenario(
        18,
        "HTTP where TLS belongs",
        "answers a handshake with plain HTTP",
        Outcome.TLS_PROTOCOL,
        1,
        speaks_plainly,
        scheme="https",
        asked=0,
    ),
    Scenario(
        18, "TLS where HTTP belongs", "answers plain HTTP with a TLS alert", Outcome.HTTP_MALFORMED, 2, says(_ALERT)
    ),
    Scenario(
        19, "stalled handshake", "never answers the handshake", Outcome.TLS_TIMEOUT, 3, hangs, scheme="https", asked=0
    ),
    Scenario(
        19,
        "hang-up in the handshake",
        "hangs up amid the handshake",
        (Outcome.CONN_RESET, Outcome.DISCONNECTED),
        3,
        hangs_up_amid_handshake,
        scheme="https",
        asked=0,
    ),
    Scenario(19, "good TLS", "does all as it should, over TLS", Outcome.OK, 1, answers(), scheme="https", tls="good"),
    Scenario(
        20,
        "unknown name",
        "has a name that does not exist",
        Outcome.DNS_NXDOMAIN,
        2,
        answers(),
        host="nxdomain.test",
        asked=0,
    ),
    Scenario(
        20,
        "name without address",
        "has a name without any address",
        Outcome.DNS_NXDOMAIN,
        2,
        answers(),
        host="empty.test",
        asked=0,
    ),
    Scenario(
        21,
        "failing name server",
        "has a name server that says SERVFAIL",
        Outcome.DNS_TIMEOUT,
        3,
        answers(),
        host="servfail.test",
        asked=0,
    ),
    Scenario(
        21,
        "mute name server",
        "has a name server that says nothing",
        Outcome.DNS_TIMEOUT,
        3,
        answers(),
        host="silent.test",
        asked=0,
    ),
    Scenario(
        22,
        "IPv6 only, out of reach",
        "has an IPv6 address alone, and we have no route",
        (Outcome.CONNECT_UNREACHABLE, Outcome.CONNECT_TIMEOUT),
        3,
        answers(),
        host="six.test",
        asked=0,
    ),
    Scenario(
        22,
        "dead IPv6",
        "has two addresses, of which the IPv6 one leads nowhere",
        Outcome.OK,
        1,
        answers(),
        host="both.test",
    ),
    Scenario(
        22,
        "many addresses",
        "has a hundred addresses, none of which answers",
        Outcome.CONNECT_REFUSED,
        3,
        host="hundred.test",
        listens="no",
        asked=0,
    ),
)

_SIX = "2001:db8::1"
"""Documentation space: never routed."""


def zone(name: str, _time: int) -> tuple[str, ...] | int | None:
    """Tell what the name server says in these scenarios."""
    answers: dict[str, tuple[str, ...] | int | None] = {
        "nxdomain.test": 3,
        "empty.test": (),
        "servfail.test": 2,
        "silent.test": None,
        "six.test": (_SIX,),
        "nowhere.test": ("255.255.255.255",),
        "both.test": (_SIX, "127.0.0.1"),
        "hundred.test": tuple(f"127.0.1.{last}" for last in range(1, 101)),
    }
    return answers.get(name, ("127.0.0.1",))
