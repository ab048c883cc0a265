"""Scenarios of names: aliases, and names that stand for several things at once.

One address of loopback counts as public here, so that a name may stand for a public and a private one.
"""

from __future__ import annotations

from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import ANY_NUMBER, Scenario, Stage, Talk, answers, answers_by

PUBLIC = "127.0.0.7"
SETTINGS = {
    "fetch": {"allow_private": "seeds", "connect_timeout": 20.0, "head_timeout": 20.0, "total_timeout": 50.0},
}
"""Nothing here is about time, so a busy machine may take its own."""
_PAGES = 6
_ALIASES = tuple(f"alias-{number}.test" for number in range(12))


def zone(name: str, _time: int) -> tuple[str, ...] | int | None:
    """Tell what the name server says in these scenarios; what is no address is an alias of what stands before it."""
    answers: dict[str, tuple[str, ...] | int | None] = {
        "chain.test": (*_ALIASES, "127.0.0.1"),
        "circle.test": ("other.test", "circle.test"),
        "nowhere.test": ("unheard-of.test",),
        "inward.test": ("harmless.test", "169.254.169.254"),
        "mixed.test": ("10.0.0.1", PUBLIC, "169.254.169.254"),
        "two-faced.test": (PUBLIC, "127.0.0.1"),
        "refused.test": 5,
    }
    return answers.get(name, ("127.0.0.1",))


async def hangs_up_each_time(talk: Talk) -> None:
    links = "".join(f'<a href="/{number}">' for number in range(_PAGES)) if talk.path == "/" else ""
    await talk.answer(f"<!doctype html>{links}".encode(), Connection="close")
    talk.writer.close()


def trusted_for_a_while(run: Any, stage: Stage) -> None:
    assert stage.connections == 1 + _PAGES
    assert 1 <= run.asked.count(stage.scenario.host) <= 2  # a name server that is late is asked once more


def nobody_let_in(_run: Any, stage: Stage) -> None:
    assert stage.connections == 0


def _named(number: int, host: str, does: str, outcome: Outcome, attempts: int, check: Any = None) -> Scenario:
    asked = attempts if outcome is Outcome.OK else 0
    return Scenario(number, host, does, outcome, attempts, answers(), host=host, asked=asked, check=check)


SCENARIOS = (
    _named(23, "chain.test", "has a name that is an alias of an alias, twelve times", Outcome.OK, 1),
    _named(23, "circle.test", "has a name that is an alias of its own alias", Outcome.DNS_NXDOMAIN, 2),
    _named(23, "nowhere.test", "has a name that is an alias of a name without an address", Outcome.DNS_NXDOMAIN, 2),
    _named(
        23,
        "inward.test",
        "has a name that is an alias of a name that leads to a link-local address",
        Outcome.ADDRESS_BLOCKED,
        1,
        nobody_let_in,
    ),
    Scenario(
        24,
        "public and private",
        "has a name that stands for private addresses too: they are left out",
        Outcome.OK,
        1,
        answers(),
        host="mixed.test",
        address=PUBLIC,
    ),
    _named(
        24,
        "two-faced.test",
        "answers at the private of two addresses alone: the public one is asked",
        Outcome.CONNECT_REFUSED,
        3,
        nobody_let_in,
    ),
    Scenario(
        24,
        "TTL 0",
        "has a name whose address is good for no second: it is for five minutes",
        Outcome.OK,
        1,
        answers_by(hangs_up_each_time),
        host="fleeting.test",
        asked=ANY_NUMBER,
        check=trusted_for_a_while,
    ),
    _named(21, "refused.test", "has a name server that refuses to answer", Outcome.DNS_FAILED, 3),
)
