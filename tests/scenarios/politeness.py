"""Scenarios of robots.txt, and of hosts that ask to be left alone."""

from __future__ import annotations

import gzip
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from itertools import pairwise
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import ANY_NUMBER, PAGE, Play, Scenario, Stage, Talk, answers_by, head
from tests.invariants import CLOCK

LONGEST_WAIT = 0.4
DELAY = 0.3
SETTINGS = {"politeness": {"robots": "obey", "max_retry_after": LONGEST_WAIT, "max_crawl_delay": LONGEST_WAIT}}
_DENY = b"User-agent: *\nDisallow: /\n"


def robots(body: bytes = b"", status: str = "200 OK", **fields: str) -> Play:
    """Answer robots.txt so, and everything else with a page."""

    async def reply(talk: Talk) -> None:
        if talk.path == "/robots.txt":
            await talk.answer(body, status, **{"Content_Type": "text/plain", **fields})
        else:
            await talk.answer()

    return answers_by(reply)


def leads_to_hidden(**fields: str) -> Play:
    """Disallow ``/hidden`` and lead there from every other page."""

    async def reply(talk: Talk) -> None:
        if talk.path == "/robots.txt":
            await talk.answer(b"User-agent: *\nDisallow: /hidden\n", Content_Type="text/plain")
        else:
            await talk.answer(PAGE, "302 Found" if "Location" in fields else "200 OK", **fields)

    return answers_by(reply)


def robots_by(reply: Callable[[Talk, int], Awaitable[None]]) -> Play:
    """Answer robots.txt by what a function does, which is told how often it was asked for."""

    async def either(talk: Talk) -> None:
        if "robots" in talk.path:
            talk.stage.notes["times"] = times = talk.stage.notes.get("times", 0) + 1
            await reply(talk, times)
        else:
            await talk.answer()

    return answers_by(either)


def pages_by(*replies: tuple[str, str], well: bytes = PAGE) -> Play:
    """Say so many statuses with their Retry-After to pages, one after another, and be well afterwards."""

    async def reply(talk: Talk) -> None:
        if talk.path == "/robots.txt":
            await talk.answer(b"", "404 Not Found")
            return
        talk.stage.notes["times"] = times = talk.stage.notes.get("times", 0) + 1
        if times > len(replies):
            await talk.answer(well)
            return
        status, wait = replies[times - 1]
        await talk.answer(b"", status, **({"Retry_After": wait} if wait else {}))

    return answers_by(reply)


def hops(count: int) -> Play:
    """Redirect robots.txt so many times."""

    async def reply(talk: Talk, times: int) -> None:
        if times <= count:
            await talk.say(head("302 Found", {"Location": f"/robots-{times}", "Content-Length": "0"}))
        else:
            await talk.answer(_DENY, Content_Type="text/plain")

    return robots_by(reply)


async def unwell_twice(talk: Talk, times: int) -> None:
    await talk.answer(_DENY if times > 2 else b"", "200 OK" if times > 2 else "503 Service Unavailable")


async def never_answers(talk: Talk, _times: int) -> None:
    await talk.hang()


async def never_ends(talk: Talk, _times: int) -> None:
    await talk.say(head(fields={"Content-Type": "text/plain"}), _DENY)
    while True:
        await talk.say(b"# and on\n" * 8000)


async def breaks_off(talk: Talk, _times: int) -> None:
    await talk.say(head(fields={"Content-Length": "1000"}), _DENY)
    talk.writer.close()


async def goes_in_a_circle(talk: Talk, _times: int) -> None:
    await talk.say(head("302 Found", {"Location": "/robots.txt", "Content-Length": "0"}))


async def leads_nowhere(talk: Talk, _times: int) -> None:
    await talk.say(head("302 Found", {"Location": "file:///etc/passwd", "Content-Length": "0"}))


async def leads_within(talk: Talk, _times: int) -> None:
    await talk.say(head("302 Found", {"Location": "http://[::ffff:10.0.0.1]/robots.txt", "Content-Length": "0"}))


def waited(at_least: float) -> Any:
    """Check the gap before the last request, by the kernel's clock: so it is right however late the server hears it."""

    def check(_run: Any, stage: Stage) -> None:
        times = [one.at for one in stage.requests]
        assert times[-1] - times[-2] >= at_least - CLOCK

    return check


def gaps_kept(run: Any, stage: Stage) -> None:
    times = [one.at for one in stage.requests]
    assert len(times) > 6
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= DELAY - CLOCK, gaps
    assert [outcome for url, outcome in run.outcomes.items() if url.startswith(stage.origin + "/")] == ["ok"] * 5


async def hangs_up_on_every_second(talk: Talk) -> None:
    await talk.heard()
    links = "".join(f'<a href="/{number}">' for number in range(4))
    rules = b"User-agent: *\nCrawl-delay: %.1f\n" % DELAY
    await talk.answer(rules if talk.path == "/robots.txt" else f"<!doctype html>{links}".encode())
    await talk.heard()


def asked_robots(times: int) -> Any:
    def check(run: Any, stage: Stage) -> None:
        assert sum("robots" in path for path in run.paths(stage)) == times

    return check


def denied(run: Any, stage: Stage) -> None:
    assert [path for path in run.paths(stage) if "robots" not in path] == []


def hidden_unasked(run: Any, stage: Stage) -> None:
    assert run.outcomes[stage.origin + "/hidden"] == "robots_denied"
    assert run.paths(stage) == ["/robots.txt", "/"]


def _robots(
    number: int, name: str, does: str, play: Play, outcome: Outcome = Outcome.OK, check: Any = None
) -> Scenario:
    return Scenario(
        number, name, does, outcome, 0 if outcome is not Outcome.OK else 1, play, asked=ANY_NUMBER, check=check
    )


def _pages(
    number: int, name: str, does: str, play: Play, attempts: int, *, outcome: Outcome = Outcome.OK, check: Any = None
) -> Scenario:
    return Scenario(number, name, does, outcome, attempts, play, asked=attempts + 1, check=check)


_UNREACHABLE, _DENIED = Outcome.ROBOTS_UNREACHABLE, Outcome.ROBOTS_DENIED
_BUSY, _AWAY = "429 Too Many Requests", "503 Service Unavailable"
SCENARIOS = (
    _robots(90, "no robots.txt", "answers 404 to robots.txt: everything is allowed", robots(status="404 Not Found")),
    _robots(90, "gone robots.txt", "answers 410 to robots.txt: everything is allowed", robots(status="410 Gone")),
    _robots(
        91,
        "forbidden robots.txt",
        "answers 403 to robots.txt: everything is allowed (RFC 9309)",
        robots(status="403 Forbidden"),
    ),
    _robots(
        91,
        "robots.txt behind a password",
        "answers 401 to robots.txt: everything is allowed (RFC 9309)",
        robots(status="401 Unauthorized"),
    ),
    _robots(64, "all disallowed", "disallows everything", robots(_DENY), _DENIED, denied),
    Scenario(
        64,
        "redirect to what is disallowed",
        "redirects to what its robots.txt disallows",
        Outcome.REDIRECT,
        1,
        leads_to_hidden(Location="/hidden"),
        asked=2,
        check=hidden_unasked,
    ),
    Scenario(
        64,
        "refresh to what is disallowed",
        "leads by a Refresh header to what its robots.txt disallows",
        Outcome.OK,
        1,
        leads_to_hidden(Refresh="0; url=/hidden"),
        asked=2,
        check=hidden_unasked,
    ),
    _robots(
        92,
        "unwell robots.txt",
        "answers 500 to robots.txt, always: nothing is allowed",
        robots(status="500 Oops"),
        _UNREACHABLE,
        asked_robots(3),
    ),
    _robots(
        92,
        "robots.txt unwell at first",
        "answers 503 to robots.txt twice, and then disallows",
        robots_by(unwell_twice),
        _DENIED,
        asked_robots(3),
    ),
    _robots(92, "busy robots.txt", "answers 429 to robots.txt, always", robots(status=_BUSY), _UNREACHABLE, denied),
    _robots(
        93,
        "mute robots.txt",
        "never answers robots.txt",
        robots_by(never_answers),
        Outcome.HEAD_TIMEOUT,
        asked_robots(3),
    ),
    _robots(
        93,
        "broken robots.txt",
        "breaks off amid robots.txt",
        robots_by(breaks_off),
        Outcome.BODY_INCOMPLETE,
        asked_robots(3),
    ),
    _robots(
        94,
        "long robots.txt",
        "sends a rule, and then 4 MB: the first 500 KiB count",
        robots(_DENY + b"# on\n" * 800_000),
        _DENIED,
        denied,
    ),
    _robots(
        94,
        "compressed robots.txt",
        "compresses a rule and 4 MB",
        robots(gzip.compress(_DENY + b"# on\n" * 800_000), Content_Encoding="gzip"),
        _DENIED,
        denied,
    ),
    _robots(
        94,
        "robots.txt as a bomb",
        "compresses 64 MiB into robots.txt: nothing is allowed",
        robots(gzip.compress(bytes(64 << 20)), Content_Encoding="gzip"),
        Outcome.DECOMPRESSED_TOO_LARGE,
        denied,
    ),
    _robots(
        95,
        "robots.txt under a false label",
        "calls plain text gzip",
        robots(_DENY, Content_Encoding="gzip"),
        _DENIED,
        denied,
    ),
    _robots(
        94,
        "rules past the limit",
        "sends a rule after 600 KiB: it does not count",
        robots(b"# on and on\n" * 52_000 + _DENY),
    ),
    _robots(94, "endless robots.txt", "sends robots.txt without an end", robots_by(never_ends), _DENIED, denied),
    _robots(
        95,
        "HTML as robots.txt",
        "sends a page for robots.txt: everything is allowed",
        robots(PAGE + _DENY, Content_Type="text/html"),
    ),
    _robots(
        95, "binary robots.txt", "sends noise for robots.txt: everything is allowed", robots(bytes(range(256)) * 100)
    ),
    _robots(96, "five redirects", "redirects robots.txt five times, and then disallows", hops(5), _DENIED, denied),
    _robots(96, "six redirects", "redirects robots.txt six times: everything is allowed", hops(6)),
    _robots(
        96,
        "robots.txt in a circle",
        "redirects robots.txt to itself: everything is allowed",
        robots_by(goes_in_a_circle),
    ),
    _robots(
        96, "robots.txt elsewhere", "redirects robots.txt to a file: everything is allowed", robots_by(leads_nowhere)
    ),
    _robots(
        97, "UTF-16 robots.txt", "writes robots.txt in UTF-16", robots(_DENY.decode().encode("utf-16")), _DENIED, denied
    ),
    _robots(
        97,
        "robots.txt with a BOM",
        "begins robots.txt with a byte order mark",
        robots(b"\xef\xbb\xbf" + _DENY),
        _DENIED,
        denied,
    ),
    _robots(
        97,
        "robots.txt by CR",
        "ends the lines of robots.txt with CR alone",
        robots(_DENY.replace(b"\n", b"\r")),
        _DENIED,
        denied,
    ),
    _robots(
        96,
        "robots.txt at home",
        "redirects robots.txt to an address within, where nobody answers",
        robots_by(leads_within),
    ),
    _robots(
        97,
        "robots.txt in parts",
        "sends a part of robots.txt, unasked: nothing is allowed",
        robots(_DENY, "206 Partial Content"),
        Outcome.HTTP_UNEXPECTED,
        denied,
    ),
    _robots(
        97,
        "rules of others",
        "has 10,000 groups for others before ours",
        robots(b"".join(b"User-agent: bot%d\nDisallow: /\n\n" % n for n in range(10_000)) + _DENY),
        _DENIED,
        denied,
    ),
    _robots(
        97,
        "rules of stars",
        "has rules that take very long to compare",
        robots(b"User-agent: *\nDisallow: /" + b"*a" * 8000 + b"$\n"),
    ),
    _robots(
        97,
        "rules in small letters",
        "writes robots.txt with odd spaces, letters and unknown lines",
        robots(b" user-AGENT :\t*\nNoindex: /\nHost: x\n  disallow\t:/ # all\n"),
        _DENIED,
        denied,
    ),
    _robots(98, "crawl-delay 0", "asks for no delay", robots(b"User-agent: *\nCrawl-delay: 0\n")),
    _robots(
        98,
        "crawl-delay 1e9",
        "asks for a delay of 32 years, which is cut",
        robots(b"User-agent: *\nCrawl-delay: 1e9\n"),
        check=waited(LONGEST_WAIT),
    ),
    _robots(98, "crawl-delay NaN", "asks for a delay that is no number", robots(b"User-agent: *\nCrawl-delay: NaN\n")),
    _robots(98, "crawl-delay -5", "asks for a negative delay", robots(b"User-agent: *\nCrawl-delay: -5\n")),
    _robots(
        98,
        "hang-ups under a delay",
        "asks for a delay, and hangs up on each second request of a connection",
        hangs_up_on_every_second,
        check=gaps_kept,
    ),
    _pages(
        99,
        "429 for seconds",
        "answers 429, and says for how many seconds",
        pages_by((_BUSY, "1")),
        2,
        check=waited(LONGEST_WAIT),
    ),
    _pages(
        99,
        "429 until a date",
        "answers 429, and says until when",
        pages_by((_BUSY, formatdate(time.time() + 3600, usegmt=True))),
        2,
        check=waited(LONGEST_WAIT),
    ),
    _pages(
        99,
        "429 until a past date",
        "answers 429, and says a date that is past",
        pages_by((_BUSY, "Sun, 06 Nov 1994 08:49:37 GMT")),
        2,
    ),
    _pages(
        99,
        "429 for ten years",
        "answers 429, and says ten years, which is cut",
        pages_by((_BUSY, "315360000")),
        2,
        check=waited(LONGEST_WAIT),
    ),
    *(
        _pages(99, f"503 for {wait!a}", f"answers 503, and says {wait!a} for how long", pages_by((_AWAY, wait)), 2)
        for wait in (
            "-5",
            "1e3",
            "0x10",
            "9" * 5000,
            "Inf",
            "NaN",
            "1, 2",
            "120;x",
            "\xd9\xa5",
            "Fri, 31 Feb 2031 25:61:61 GMT",
        )
    ),
    _pages(99, "429 with junk", "answers 429, and says nonsense", pages_by((_BUSY, "soon")), 2),
    _pages(99, "429 storm", "answers 429, always", pages_by(*[(_BUSY, "")] * 50), 8, outcome=Outcome.HTTP_RATE_LIMITED),
    _pages(100, "503 for a while", "answers 503 six times, and is well", pages_by(*[(_AWAY, "0")] * 6), 7),
    _pages(
        100, "503 for ever", "answers 503, always", pages_by(*[(_AWAY, "")] * 50), 8, outcome=Outcome.HTTP_UNAVAILABLE
    ),
    _pages(
        100,
        "408 once",
        "answers 408 once, and is well (RFC 9110 §15.5.9)",
        pages_by(("408 Request Timeout", "")),
        2,
    ),
    _pages(
        100,
        "408 for ever",
        "answers 408 only",
        pages_by(*[("408 Request Timeout", "")] * 50),
        3,
        outcome=Outcome.HTTP_REQUEST_TIMEOUT,
    ),
    _pages(
        100,
        "500 for ever",
        "answers 500 only",
        pages_by(*[("500 Oops", "")] * 50),
        3,
        outcome=Outcome.HTTP_SERVER_ERROR,
    ),
)
