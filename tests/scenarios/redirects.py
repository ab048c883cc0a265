"""Scenarios of redirects: in circles, without end, and to where nobody should be led.

Here the server is reached by a name that the seeds name; its address, written out, is nobody's seed and so private.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import PAGE, Play, Scenario, Stage, Talk, answers_by, head

SETTINGS = {
    "scope": {"rule": "any", "exclude": ["/excluded"]},
    "fetch": {"allow_private": "seeds", "headers": {"Authorization": "Bearer of-a-secret", "Cookie": "a=secret"}},
}
_NAME = "trusted.test"


def zone(name: str, time: int) -> tuple[str, ...]:
    """Tell what the name server says in these scenarios."""
    answers: dict[str, tuple[str, ...]] = {
        "inside.test": ("127.0.0.1",),
        "neighbour.test": ("169.254.169.254",),
        "mapped-neighbour.test": ("::ffff:169.254.169.254",),
        "cloud.test": ("fd00:ec2::254",),
        "mixed.test": ("10.0.0.1", "127.0.0.1"),
        "mapped.test": ("::ffff:127.0.0.1",),
        # a public address first, then ours: the second look-up is the one that counts
        "rebinding.test": ("255.255.255.255",) if time == 1 else ("127.0.0.1",),
    }
    return answers.get(name, ("127.0.0.1",))


def _located(stage: Stage, to: str) -> str:
    return to.replace("{port}", str(stage.port))


def redirects(to: str, status: str = "302 Found") -> Play:
    """Redirect ``/`` there; answer every other path with a page."""

    async def reply(talk: Talk) -> None:
        if talk.path == "/":
            await talk.say(head(status, {"Location": _located(talk.stage, to), "Content-Length": "0"}))
        else:
            await talk.answer()

    return answers_by(reply)


def refreshes(to: str) -> Play:
    """Let ``/`` lead there by a Refresh header; answer every path with a page."""

    async def reply(talk: Talk) -> None:
        fields = {"Refresh": f"0; url={_located(talk.stage, to)}"} if talk.path == "/" else {}
        await talk.answer(PAGE, "200 OK", **fields)

    return answers_by(reply)


async def counts_up(talk: Talk) -> None:
    number = int(talk.path.rpartition("/")[2] or 0)
    await talk.say(head("302 Found", {"Location": f"/{number + 1}", "Content-Length": "0"}))


async def goes_in_a_circle(talk: Talk) -> None:
    following = {"/": "/b", "/b": "/c", "/c": "/b"}[talk.path]
    await talk.say(head("301 Moved", {"Location": following, "Content-Length": "0"}))


async def sends_two_ways_to_one_page(talk: Talk) -> None:
    if talk.path == "/page":
        await talk.answer(b'<!doctype html><a href="/other">other</a>')
    else:
        await talk.say(head("307 Temporary Redirect", {"Location": "/page", "Content-Length": "0"}))


async def says_nowhere(talk: Talk) -> None:
    await talk.say(head("302 Found", {"Content-Length": "0"}))


async def says_two_places(talk: Talk) -> None:
    if talk.path == "/":
        await talk.say(b"HTTP/1.1 302 Found\r\nLocation: /one\r\nLocation: /two\r\nContent-Length: 0\r\n\r\n")
    else:
        await talk.answer()


async def redirects_for_ever(talk: Talk) -> None:
    if await talk.heard() == "/":
        await talk.say(head("302 Found", {"Location": "/x"}))
        await talk.say_slowly(itertools.repeat(b"x" * 65536), 0)
    await talk.answer()


async def redirects_and_hangs(talk: Talk) -> None:
    if await talk.heard() == "/":
        await talk.say(head("302 Found", {"Location": "/x", "Content-Length": "1000"}))
        await talk.hang()
    await talk.answer()


def ends(to: str, outcome: Outcome, times: int = 0) -> Callable[[Any, Stage], None]:
    """Check how the target ended, and how often it was asked for."""

    def check(run: Any, stage: Stage) -> None:
        target = _located(stage, to)
        assert run.outcomes[target] == outcome, run.pages[target]
        asked = [one for one in run.paths(stage) if target.endswith(one) and one != "/"]
        assert len(asked) == times

    return check


def each_once(run: Any, stage: Stage) -> None:
    assert sorted(run.paths(stage)) == ["/", "/other", "/page"]


def with_secrets(_run: Any, stage: Stage) -> None:
    first, second = (request.head for request in stage.requests)
    assert b"secret" in first
    assert b"secret" in second


def _to(number: int, name: str, does: str, to: str, outcome: Outcome) -> Scenario:
    return Scenario(number, name, does, outcome, 1, redirects(to), host=_NAME, asked=1)


def _blocked(form: str, url: str, seen: str) -> Scenario:
    """Redirect to a private address; ``seen`` is the URL as it is then known."""
    check = ends(seen, Outcome.ADDRESS_BLOCKED)
    does = f"redirects to {url.replace('{port}', '80')}"
    return Scenario(58, f"to {form}", does, Outcome.REDIRECT, 1, redirects(url), host=_NAME, asked=1, check=check)


_HOME = "http://127.0.0.1:{port}/inner"
_BLOCKED = Outcome.ADDRESS_BLOCKED
SCENARIOS = (
    _to(55, "to itself", "redirects to itself", "/", Outcome.REDIRECT_LOOP),
    Scenario(
        55,
        "circle",
        "redirects in a circle of two",
        Outcome.REDIRECT,
        1,
        answers_by(goes_in_a_circle),
        host=_NAME,
        asked=3,
        check=ends("http://trusted.test:{port}/c", Outcome.REDIRECT_LOOP, 1),
    ),
    Scenario(
        56,
        "endless chain",
        "redirects to ever new URLs",
        Outcome.REDIRECT,
        1,
        answers_by(counts_up),
        host=_NAME,
        asked=21,
        check=ends("http://trusted.test:{port}/20", Outcome.REDIRECT_LIMIT, 1),
    ),
    *(
        _to(57, f"to {url.partition(':')[0]}", f"redirects to {url}", url, Outcome.SCHEME_BLOCKED)
        for url in (
            "file:///etc/passwd",
            "data:text/html,hello",
            "javascript:alert(1)",
            "ftp://ftp.example/",
            "gopher://127.0.0.1:70/",
            "about:blank",
        )
    ),
    _blocked("loopback", _HOME, _HOME),
    _blocked("localhost", "http://localhost:{port}/inner", "http://localhost:{port}/inner"),
    _blocked("decimal", "http://2130706433:{port}/inner", _HOME),
    _blocked("hexadecimal", "http://0x7f000001:{port}/inner", _HOME),
    _blocked("octal", "http://0177.0.0.1:{port}/inner", _HOME),
    _blocked("short form", "http://127.1:{port}/inner", _HOME),
    _blocked("full-width digits", "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1:{port}/inner", _HOME),
    _blocked("ideographic dots", "http://127%E3%80%820%E3%80%820%E3%80%821:{port}/inner", _HOME),
    _blocked("zero", "http://0:{port}/inner", "http://0.0.0.0:{port}/inner"),
    _blocked("10/8", "http://10.0.0.1/inner", "http://10.0.0.1/inner"),
    _blocked("172.16/12", "http://172.16.0.1/inner", "http://172.16.0.1/inner"),
    _blocked("192.168/16", "http://192.168.0.1/inner", "http://192.168.0.1/inner"),
    _blocked("metadata", "http://169.254.169.254/latest/meta-data/", "http://169.254.169.254/latest/meta-data/"),
    _blocked("carrier NAT", "http://100.64.0.1/inner", "http://100.64.0.1/inner"),
    _blocked("multicast", "http://224.0.0.1/inner", "http://224.0.0.1/inner"),
    _blocked("IPv6 loopback", "http://[::1]:{port}/inner", "http://[::1]:{port}/inner"),
    _blocked("IPv6 any", "http://[::]:{port}/inner", "http://[::]:{port}/inner"),
    _blocked("v4-mapped", "http://[::ffff:127.0.0.1]:{port}/inner", "http://[::ffff:7f00:1]:{port}/inner"),
    _blocked("v4-compatible", "http://[::7f00:1]:{port}/inner", "http://[::7f00:1]:{port}/inner"),
    _blocked("NAT64", "http://[64:ff9b::7f00:1]/inner", "http://[64:ff9b::7f00:1]/inner"),
    _blocked("6to4", "http://[2002:7f00:1::]/inner", "http://[2002:7f00:1::]/inner"),
    _blocked("Teredo", "http://[2001:0:7f00:1::1]/inner", "http://[2001:0:7f00:1::1]/inner"),
    _blocked("ISATAP", "http://[2001:db8::5efe:7f00:1]/inner", "http://[2001:db8::5efe:7f00:1]/inner"),
    _blocked("unique local", "http://[fd00::1]/inner", "http://[fd00::1]/inner"),
    _blocked("link-local", "http://[fe80::1]/inner", "http://[fe80::1]/inner"),
    _blocked("a name that lies", "http://inside.test:{port}/inner", "http://inside.test:{port}/inner"),
    _blocked("a name that lies twice", "http://mixed.test:{port}/inner", "http://mixed.test:{port}/inner"),
    _blocked("a name that is mapped", "http://mapped.test:{port}/inner", "http://mapped.test:{port}/inner"),
    _blocked("a name that changes", "http://rebinding.test:{port}/inner", "http://rebinding.test:{port}/inner"),
    *(
        Scenario(
            58,
            f"a seed's name that leads to {where}",
            f"is a seed whose name leads to {where}",
            Outcome.ADDRESS_BLOCKED,
            1,
            answers_by(counts_up),
            host=name,
            asked=0,
        )
        for where, name in (
            ("a link-local address", "neighbour.test"),
            ("a mapped link-local address", "mapped-neighbour.test"),
            ("a cloud's own service", "cloud.test"),
        )
    ),
    Scenario(
        60,
        "without Location",
        "redirects without a Location",
        Outcome.REDIRECT_BAD,
        1,
        answers_by(says_nowhere),
        host=_NAME,
    ),
    _to(60, "to nothing", "redirects with an empty Location", "", Outcome.REDIRECT_BAD),
    Scenario(
        60,
        "to two places",
        "redirects with two Locations, of which the first counts",
        Outcome.REDIRECT,
        1,
        answers_by(says_two_places),
        host=_NAME,
        asked=2,
        check=ends("http://trusted.test:{port}/one", Outcome.OK, 1),
    ),
    *(
        Scenario(
            59,
            f"refresh to {name}",
            f"leads to {name} by a Refresh header",
            Outcome.OK,
            1,
            refreshes(to),
            host=_NAME,
            asked=1 + times,
            check=ends(to, outcome, times),
        )
        for name, to, outcome, times in (
            ("another page", "http://trusted.test:{port}/inner", Outcome.OK, 1),
            ("a private address", _HOME, Outcome.ADDRESS_BLOCKED, 0),
            ("what the settings exclude", "http://trusted.test:{port}/excluded", Outcome.EXCLUDED, 0),
        )
    ),
    Scenario(
        59,
        "refresh to a script",
        "leads to a script by a Refresh header",
        Outcome.OK,
        1,
        refreshes("javascript:alert(1)"),
        host=_NAME,
        asked=1,
    ),
    *(
        _to(61, f"to {name}", f"redirects to {url}", url, Outcome.URL_INVALID)
        for name, url in (
            ("port 99999", "http://a.example:99999/"),
            ("port 0", "http://a.example:0/"),
            ("port of words", "http://a.example:http/"),
            ("half an IPv6", "http://[::1/"),
            ("bad IPv6", "http://[1:2:3]/"),
            ("no host", "http:///"),
            ("bad percent", "http://%zz/"),
        )
    ),
    Scenario(
        62,
        "kept credentials",
        "redirects within itself, where credentials may go",
        Outcome.REDIRECT,
        1,
        redirects("/inner"),
        host=_NAME,
        asked=2,
        check=with_secrets,
    ),
    *(
        _to(55, f"to itself by {way}", f"redirects to itself by {way}", to, Outcome.REDIRECT_LOOP)
        for way, to in (("a fragment", "#top"), ("its path and a fragment", "/#top"), ("dots", "/a/../."))
    ),
    *(
        Scenario(
            60,
            f"to {name}",
            f"redirects to {to.replace('{port}', '80')}",
            Outcome.REDIRECT,
            1,
            redirects(to),
            host=_NAME,
            asked=2,
            check=ends("http://trusted.test:{port}" + seen, Outcome.OK, 1),
        )
        for name, to, seen in (
            ("a place above all", "../../../x", "/x"),
            ("another query", "?a=b", "/?a=b"),
            ("backslashes", "\\\\trusted.test:{port}\\x", "/x"),
            ("tabs and spaces", " /ta\tb ", "/tab"),
            ("Latin-1", "/caf\xe9", "/caf%C3%A9"),
            ("a line end, escaped", "/a%0d%0aSet-Cookie:%20x=y", "/a%0d%0aSet-Cookie:%20x=y"),
            ("no slashes", "http:x", "/x"),
            ("a quoted URL", '"/x"', "/%22/x%22"),
        )
    ),
    *(
        Scenario(60, f"with {what}", f"redirects with {what}", Outcome.REDIRECT, 1, play, host=_NAME, asked=2)
        for what, play in (("a body without end", redirects_for_ever), ("a body that never comes", redirects_and_hangs))
    ),
    _to(
        61, "a zone", "redirects to a link-local address with its zone", "http://[fe80::1%25eth0]/", Outcome.URL_INVALID
    ),
    *(
        _to(
            57,
            f"to {url.partition(':')[0]} in disguise",
            f"redirects to {ascii(url)[1:-1]}",
            url,
            Outcome.SCHEME_BLOCKED,
        )
        for url in (
            "java\tscript:alert(1)",
            "view-source:http://a.example/",
            "blob:http://a.example/x",
            "ws://a.example/",
        )
    ),
    Scenario(
        58,
        "to a lure",
        "redirects to a private address behind a name that looks like ours",
        Outcome.REDIRECT,
        1,
        redirects("http://trusted.test:80@10.0.0.1/"),
        host=_NAME,
        asked=1,
        check=ends("http://10.0.0.1/", _BLOCKED),
    ),
    _to(63, "excluded", "redirects to what the settings exclude", "/excluded", Outcome.REDIRECT),
    _to(
        65,
        "user-info",
        "redirects to a URL with a password",
        "http://user:secret-word@127.0.0.1:{port}/inner",
        Outcome.REDIRECT,
    ),
    Scenario(
        66,
        "known target",
        "redirects twice to one page",
        Outcome.REDIRECT,
        1,
        answers_by(sends_two_ways_to_one_page),
        host=_NAME,
        asked=3,
        check=each_once,
    ),
)
