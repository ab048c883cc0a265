"""Scenarios of sites without an end, and of URLs that are not what they seem."""

from __future__ import annotations

import html
import random
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import ANY_NUMBER, Scenario, Stage, Talk, answers_by, head

SETTINGS = {"traps": {"pages_per_host": 40}}


def page(*links: str, title: str = "trap") -> bytes:
    anchors = "".join(f'<a href="{html.escape(link)}">link</a>' for link in links)
    return f"<!doctype html><title>{title}</title>{anchors}".encode()


async def turns_pages(talk: Talk) -> None:
    day = int(talk.path.rpartition("=")[2]) if "=" in talk.path else 0
    await talk.answer(page(f"/calendar?day={day + 1}", f"/calendar?day={day - 1}"))


async def numbers_sessions(talk: Talk) -> None:
    number = talk.stage.notes["session"] = talk.stage.notes.get("session", 0) + 1
    await talk.answer(page(f"/a;jsessionid={number:032x}", f"/b?PHPSESSID={number:032x}", f"/s/{number}/c"))


async def refreshes_for_ever(talk: Talk) -> None:
    number = int(talk.path.rpartition("/")[2] or 0)
    await talk.answer(page(), Refresh=f"0; url=/{number + 1}")


async def goes_deeper(talk: Talk) -> None:
    await talk.answer(page("a/", "b/a/"))


async def goes_deeper_by_ever_new_names(talk: Talk) -> None:
    await talk.answer(page(f"{len(talk.path):x}/"))


async def asks_for_more_parameters(talk: Talk) -> None:
    await talk.answer(page(f"{talk.path}{'&' if '?' in talk.path else '?'}p{len(talk.path)}=1"))


async def finds_everything(talk: Talk) -> None:
    words = random.Random(talk.path)  # noqa: S311  page numbers are no secrets
    await talk.answer(page(*(f"/{words.randrange(10**9)}" for _ in range(3)), title=f"not found {words.random()}"))


async def links_to(talk: Talk, *links: str) -> None:
    await talk.answer(page(*links) if talk.path == "/" else page())


async def writes_a_long_url(talk: Talk) -> None:
    await links_to(talk, "/" + "x" * 80_000, "/short")


async def writes_passwords(talk: Talk) -> None:
    await links_to(talk, f"http://user:secret-word@127.0.0.1:{talk.stage.port}/inner")


async def writes_oddly(talk: Talk) -> None:
    await links_to(
        talk, "/%00", "/..%2f..%2fetc%2fpasswd", "\\back\\slash", "/a/../../b", "/tab\there", "/sp ace", "/\x1b[31m"
    )


async def writes_variants(talk: Talk) -> None:
    await links_to(
        talk, "/x", "/./x", "/y/../x", "x", f"HTTP://127.0.0.1:{talk.stage.port}/x", "/%78", "/x#one", "/x#two"
    )


async def writes_no_pages(talk: Talk) -> None:
    await links_to(
        talk,
        "#top",
        "javascript:void(0)",
        "mailto:a@b.example",
        "tel:1",
        "data:text/html,x",
        "",
        "http://",
        "http://[",
        "ftp://x/",
    )


async def points_outside(talk: Talk) -> None:
    await talk.say(head("302 Found", {"Location": f"http://127.0.0.2:{talk.stage.port}/", "Content-Length": "0"}))


async def points_outside_by_link(talk: Talk) -> None:
    await links_to(talk, "http://somewhere-else.example/")


def of(run: Any, stage: Stage) -> dict[str, str]:
    """Return the outcomes of all URLs of this host."""
    return {url: outcome for url, outcome in run.outcomes.items() if url.startswith(stage.origin + "/")}


def held_by_budget(run: Any, stage: Stage) -> None:
    outcomes = of(run, stage)
    assert "trap_host_budget" in outcomes.values()
    assert len(stage.requests) <= 40


def ends_by_itself(*outcomes: str) -> Any:
    def check(run: Any, stage: Stage) -> None:
        found = set(of(run, stage).values())
        assert found & set(outcomes), found
        assert len(stage.requests) <= 40

    return check


def known(*expected: tuple[str, str]) -> Any:
    """Check which paths are known besides the first, and how each ended."""

    def check(run: Any, stage: Stage) -> None:
        found = {url.removeprefix(stage.origin): outcome for url, outcome in of(run, stage).items()}
        assert found == {"/": "ok", **dict(expected)}

    return check


def outside(url: str) -> Any:
    def check(run: Any, stage: Stage) -> None:
        assert run.outcomes[url.replace("{port}", str(stage.port))] == "out_of_scope"

    return check


def without_secret(run: Any, stage: Stage) -> None:
    assert f"{stage.origin}/inner" in run.outcomes
    assert all(b"secret-word" not in request.head for request in stage.requests)
    assert all(b"Authorization" not in request.head for request in stage.requests)
    for file in run.folder.rglob("*"):
        # the page itself is archived as it came, and nothing else may hold the word
        assert not file.is_file() or file.parent.name == "archive" or b"secret-word" not in file.read_bytes()


def too_long(run: Any, stage: Stage) -> None:
    assert sorted(of(run, stage).values()) == ["ok", "ok", "url_too_long"]


def _trap(number: int, name: str, does: str, reply: Any, check: Any, outcome: Outcome = Outcome.OK) -> Scenario:
    return Scenario(number, name, does, outcome, 1, answers_by(reply), asked=ANY_NUMBER, check=check)


SCENARIOS = (
    _trap(79, "calendar", "links to the next day and the day before, for ever", turns_pages, held_by_budget),
    _trap(79, "refreshes", "leads to ever new URLs by its Refresh header", refreshes_for_ever, held_by_budget),
    _trap(80, "sessions", "puts a new session into every link", numbers_sessions, held_by_budget),
    _trap(
        81,
        "ever deeper",
        "links to a folder of the same name below",
        goes_deeper,
        ends_by_itself("trap_repeated_segment"),
    ),
    _trap(
        81,
        "ever deeper by new names",
        "links to a new folder below",
        goes_deeper_by_ever_new_names,
        ends_by_itself("trap_deep_path", "trap_host_budget"),
    ),
    _trap(
        81,
        "ever more parameters",
        "adds a parameter to every link",
        asks_for_more_parameters,
        ends_by_itself("trap_long_query", "trap_host_budget"),
    ),
    _trap(82, "soft 404", "answers every URL with 200 and new links", finds_everything, held_by_budget),
    _trap(
        63,
        "out of scope",
        "redirects to another host",
        points_outside,
        outside("http://127.0.0.2:{port}/"),
        Outcome.REDIRECT,
    ),
    _trap(
        63,
        "link out of scope",
        "links to another host",
        points_outside_by_link,
        outside("http://somewhere-else.example/"),
    ),
    _trap(84, "long URL", "links to a URL of 80 KB", writes_a_long_url, too_long),
    _trap(85, "user-info in a link", "links to a URL with a password", writes_passwords, without_secret),
    _trap(
        87,
        "odd paths",
        "links to paths with NULs, escaped dots and slashes, backslashes, tabs, escapes",
        writes_oddly,
        known(
            ("/%00", "ok"),
            ("/..%2f..%2fetc%2fpasswd", "ok"),
            ("/back/slash", "ok"),
            ("/b", "ok"),
            ("/tabhere", "ok"),
            ("/sp%20ace", "ok"),
            ("/%1B[31m", "ok"),
        ),
    ),
    _trap(88, "variants", "links to one page in many spellings", writes_variants, known(("/x", "ok"), ("/%78", "ok"))),
    _trap(89, "links to no page", "links to fragments, scripts and mail addresses", writes_no_pages, known()),
)
