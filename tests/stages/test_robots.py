from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Kind
from crawler.stages.fetch import MAX_ROBOTS
from crawler.stages.robots import fetch_robots

HOST = "http://a.example"
ROBOTS = CrawlURL(0, f"{HOST}/robots.txt", HOST, kind=Kind.ROBOTS)
RULES = b"User-agent: *\nDisallow: /\n"


@dataclass
class Web:
    """A fetcher without a network: URL → status, header lines, body."""

    answers: dict[str, tuple[int, bytes, bytes]]
    asked: list[tuple[str, bool]] = field(default_factory=list)

    async def __call__(self, source: CrawlURL, *, trusted: bool, sent: Callable[[], None]) -> Fetched:
        self.asked.append((source.url, trusted))
        sent()
        if source.url not in self.answers:
            return Fetched(source, 1.0, 0.0, Outcome.CONNECT_REFUSED, "refused")
        status, lines, body = self.answers[source.url]
        head = b"HTTP/1.1 %d x\r\n%s\r\n" % (status, lines)
        return Fetched(
            source, 1.0, 2.0, None if status < 300 else Outcome.REDIRECT, status=status, head=head, body=body
        )


def redirect(to: str) -> tuple[int, bytes, bytes]:
    return 302, f"Location: {to}\r\n".encode(), b""


async def ask(web: Web, *, trusted: bool = False) -> tuple[Fetched, int]:
    """Return the final answer, and how many requests to the host were counted."""
    times: list[None] = []
    answer = await fetch_robots(web, ROBOTS, trusted=trusted, delay=0.0, sent=lambda: times.append(None))
    return answer, len(times)


async def test_the_answer_is_the_hosts_own() -> None:
    answer, sent = await ask(Web({ROBOTS.url: (200, b"", RULES)}))

    assert (answer.source, answer.status, answer.body, sent) == (ROBOTS, 200, RULES, 1)


async def test_a_failure_stays_one() -> None:
    answer, _ = await ask(Web({}))

    assert (answer.status, answer.outcome) == (0, Outcome.CONNECT_REFUSED)


@pytest.mark.parametrize("hops", [1, 5])
async def test_five_redirects_are_followed(hops: int) -> None:
    chain = {f"{HOST}/{number}": redirect(f"/{number + 1}") for number in range(1, hops)}
    answer, sent = await ask(Web({ROBOTS.url: redirect("/1"), **chain, f"{HOST}/{hops}": (200, b"", RULES)}))

    assert (answer.source, answer.status, answer.body, sent) == (ROBOTS, 200, RULES, hops + 1)


async def test_more_redirects_mean_that_there_is_none() -> None:
    chain = {f"{HOST}/{number}": redirect(f"/{number + 1}") for number in range(1, 10)}
    web = Web({ROBOTS.url: redirect("/1"), **chain})

    answer, _ = await ask(web)

    assert (answer.status, answer.body, len(web.asked)) == (404, b"", 6)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://[", "javascript:1"])
async def test_a_redirect_to_nowhere_means_that_there_is_none(to: str) -> None:
    answer, _ = await ask(Web({ROBOTS.url: redirect(to)}))

    assert (answer.status, answer.body) == (404, b"")


async def test_another_host_is_neither_trusted_nor_counted() -> None:
    web = Web(
        {
            ROBOTS.url: redirect("http://a.example:8080/robots.txt"),
            "http://a.example:8080/robots.txt": (200, b"", RULES),
        }
    )

    answer, sent = await ask(web, trusted=True)

    assert answer.body == RULES
    assert web.asked == [(ROBOTS.url, True), ("http://a.example:8080/robots.txt", False)]
    assert sent == 1


async def test_a_hop_at_home_waits_its_delay() -> None:
    clock = asyncio.get_running_loop().time
    web = Web({ROBOTS.url: redirect("/1"), f"{HOST}/1": (200, b"", RULES)})
    began = clock()

    await fetch_robots(web, ROBOTS, trusted=False, delay=0.02, sent=lambda: None)

    assert clock() - began >= 0.02


@pytest.mark.parametrize("body", [gzip.compress(RULES, mtime=0), gzip.compress(RULES, mtime=0)[:-4], RULES])
async def test_a_compressed_file_is_read_and_so_is_one_that_only_says_so(body: bytes) -> None:
    answer, _ = await ask(Web({ROBOTS.url: (200, b"Content-Encoding: gzip\r\n", body)}))

    assert answer.body == RULES


async def test_a_long_file_is_cut() -> None:
    long = RULES + b"# more\n" * 200_000
    answer, _ = await ask(Web({ROBOTS.url: (200, b"Content-Encoding: gzip\r\n", gzip.compress(long, mtime=0))}))

    assert answer.body == long[:MAX_ROBOTS]


async def test_a_bomb_counts_as_unreachable() -> None:
    bomb = gzip.compress(bytes(64 * 1024**2))
    answer, _ = await ask(Web({ROBOTS.url: (200, b"Content-Encoding: gzip\r\n", bomb)}))

    assert (answer.status, answer.outcome) == (0, Outcome.DECOMPRESSED_TOO_LARGE)
