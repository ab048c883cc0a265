"""A check that cannot fail proves nothing: one honest crawl, and one dishonest in each way."""

from __future__ import annotations

import hashlib
import http.client
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crawler.core import warc
from crawler.testing.site import Site, serve_in_thread
from tests.evidence import Evidence
from tests.graph import Web
from tests.invariants import SHOWN, Ordeal, check, differing, fates, truth
from tests.killing import Tear, tear

NOWHERE = "http://127.0.0.1:9/foreign"


@dataclass(frozen=True, slots=True)
class Got:
    """What a fetch brought, and so what a crawl should write."""

    url: str
    status: int
    payload: bytes
    logged: bool = True
    shift: int = 0
    """By how much the page log is wrong about the offset."""


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[list[Site], Site]]:
    sites, beyond = [Site(f"127.0.0.{number}") for number in (1, 2)], Site("127.0.0.9")
    with serve_in_thread(*sites, beyond):
        yield sites, beyond


@pytest.fixture
def web(places: tuple[list[Site], Site]) -> Web:
    web = Web.make(10, pages=40, hosts=2)
    web.install(*places)
    return web


@pytest.fixture
def fetched(web: Web) -> list[Got]:
    found = []
    for url in sorted(web.closure()):
        got = fetch(url)
        found += [got, fetch(url)] if got.status == 503 else [got]
    return found


def fetch(url: str) -> Got:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", f"/{path}")
    answer = connection.getresponse()
    got = Got(url, answer.status, answer.read())
    connection.close()
    return got


def write(folder: Path, fetched: list[Got]) -> Path:
    """Write an archive and a page log as the crawler would."""
    (folder / "archive").mkdir()
    segment, held, lines = bytearray(), dict[bytes, str](), []
    for got in fetched:
        digest = hashlib.sha256(got.payload).digest()
        asked, answered = members(got, digest, held)
        offset, line = len(segment) + len(asked) + got.shift, {"url": got.url, "status": got.status}
        segment += asked + answered
        place = {"segment": "00001.warc.gz", "offset": offset, "length": len(answered)}
        lines.append(json.dumps({**line, "digest": f"sha256:{digest.hex()}", **place}))
        if not got.logged or got.status == 503:
            lines.pop()
    (folder / "archive" / "00001.warc.gz.open").write_bytes(segment)
    (folder / "pages.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def members(got: Got, digest: bytes, held: dict[bytes, str]) -> tuple[bytes, bytes]:
    head = f"HTTP/1.1 {got.status} Whatever\r\nContent-Length: {len(got.payload)}\r\n\r\n".encode()
    ids, common = (str(uuid.uuid4()), str(uuid.uuid4())), {"digest": digest, "address": "127.0.0.1", "date": 1e9}
    if digest in held:
        refers_to = held[digest], 1e9
        return b"", warc.revisit(got.url, head, refers_to=refers_to, record_id=ids[0], **common)  # type: ignore[arg-type]  # a dict of several types
    held[digest] = got.url
    return warc.exchange(got.url, b"GET / HTTP/1.1\r\n\r\n", head, got.payload, truncated="", ids=ids, **common)  # type: ignore[arg-type]  # as above


def judged(folder: Path, web: Web, ordeal: Ordeal | None = None, *, exit_code: int = 0) -> list[str]:
    return check(folder, web, ordeal or Ordeal(), verify=lambda _: exit_code)


def broken(sentences: list[str]) -> set[str]:
    return {sentence.split()[0] for sentence in sentences}


def page(fetched: list[Got], web: Web) -> int:
    """Return the position of a page whose bytes no other page has."""
    payloads = [got.payload for got in fetched]
    return next(at for at, got in enumerate(fetched) if got.url in web.bodies and payloads.count(got.payload) == 1)


def test_an_honest_crawl_breaks_nothing(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    folder = write(tmp_path, fetched)
    evidence = Evidence.of(folder)

    assert judged(folder, web) == []
    assert {record.kind for record in evidence.records} == {"response", "revisit"}
    assert {200, 503} < {record.status for record in evidence.records}


def test_a_missing_page_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    lost = fetched.pop(page(fetched, web))

    wrong = judged(write(tmp_path, fetched), web)

    assert f"I1 {lost.url} is not in the archive" in wrong
    assert broken(wrong) == {"I1", "I10"}


def test_a_page_archived_twice_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    twice = replace(fetched[page(fetched, web)], logged=False)

    wrong = judged(write(tmp_path, [*fetched, twice]), web)

    assert f"I2 {twice.url} is in the archive 2 times with status 200" in wrong
    assert broken(wrong) == {"I2", "I7"}


@pytest.mark.parametrize("how", [Tear.MEMBER, Tear.ZEROS])
def test_a_torn_archive_is_named(web: Web, fetched: list[Got], tmp_path: Path, how: Tear) -> None:
    folder = write(tmp_path, fetched)

    torn = tear(folder, how)
    wrong = judged(folder, web)

    assert torn
    assert broken(wrong) == {"I3"}


def test_a_member_cut_off_in_its_last_bytes_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    segment = write(tmp_path, fetched) / "archive" / "00001.warc.gz.open"
    segment.write_bytes(segment.read_bytes()[:-3])

    wrong = judged(tmp_path, web)

    assert "I3" in broken(wrong)


def test_a_foreign_page_in_the_archive_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    wrong = judged(write(tmp_path, [*fetched, Got(NOWHERE, 404, b"foreign")]), web)

    assert wrong == [f"I4 {NOWHERE} is in the archive, but not in the closure"]


def test_an_archived_robots_txt_is_foreign(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    robots = web.sites[0].url("/robots.txt")

    wrong = judged(write(tmp_path, [*fetched, Got(robots, 200, b"User-agent: *")]), web)

    assert broken(wrong) == {"I4", "I10"}


def test_a_request_outside_the_closure_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    fetch(web.sites[1].url("/foreign"))

    wrong = judged(write(tmp_path, fetched), web)

    assert wrong == [f"I4 {web.sites[1].url('/foreign')} was asked for, but is not in the closure"]


def test_a_request_to_a_host_that_no_seed_names_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    assert web.beyond is not None
    fetch(web.beyond.url("/"))

    wrong = judged(write(tmp_path, fetched), web)

    assert wrong == [f"I4 1 requests to {web.beyond.origin}, which no seed names"]


def test_an_altered_payload_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    at = page(fetched, web)
    fetched[at] = replace(fetched[at], payload=fetched[at].payload + b"!")

    wrong = judged(write(tmp_path, fetched), web)

    assert f"I5 the archived payload of {fetched[at].url} is not the served one" in wrong
    assert broken(wrong) == {"I5", "I10"}


def test_a_revisit_of_nothing_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    folder = write(tmp_path, fetched)
    pages = Evidence.of(folder).pages
    revisit = next(record for record in pages if record.kind == "revisit")
    response = next(record for record in pages if record.digest == revisit.digest and record.kind == "response")
    segment = folder / "archive" / "00001.warc.gz.open"
    raw = segment.read_bytes()
    segment.write_bytes(raw[: response.offset] + raw[response.offset + response.length :])

    wrong = judged(folder, web)

    assert f"I5 the revisit of {revisit.url} refers to {revisit.digest[:15]}, which no response has" in wrong
    assert {"I1", "I5"} <= broken(wrong)


def test_repeated_requests_are_named_and_kills_excuse_some(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    folder = write(tmp_path, fetched)
    for _ in range(5):
        fetch(web.fronts[0])

    assert judged(folder, web) == ["I6 5 requests were repeated, more than 0 after 0 kills"]
    assert judged(folder, web, Ordeal(kills=1, in_flight=2)) == [
        "I6 5 requests were repeated, more than 4 after 1 kills"
    ]
    assert judged(folder, web, Ordeal(kills=1, in_flight=3)) == []


def test_what_verify_finds_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    assert judged(write(tmp_path, fetched), web, exit_code=12) == ["I7 verify exits with 12"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda got: replace(got, shift=1),
        lambda got: replace(got, logged=False),
    ],
    ids=["a wrong offset", "no line"],
)
def test_a_page_log_that_disagrees_is_named(
    web: Web, fetched: list[Got], tmp_path: Path, spoil: Callable[[Got], Got]
) -> None:
    at = page(fetched, web)
    fetched[at] = spoil(fetched[at])

    wrong = judged(write(tmp_path, fetched), web)

    assert any(sentence.startswith(f"I7 the record of {fetched[at].url}") for sentence in wrong)


def test_half_a_line_in_the_page_log_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    folder = write(tmp_path, fetched)

    tear(folder, Tear.LINE)

    assert broken(judged(folder, web)) == {"I7"}


def test_a_line_written_twice_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    log = write(tmp_path, fetched) / "pages.jsonl"
    with log.open("a", encoding="utf-8") as file:
        file.write(log.read_text(encoding="utf-8").splitlines(keepends=True)[0])

    assert judged(tmp_path, web) == [f"I7 {fetched[0].url} has 2 lines in pages.jsonl"]


def test_robots_asked_for_too_often_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    folder = write(tmp_path, fetched)
    for _ in range(2):
        fetch(web.sites[0].url("/robots.txt"))

    assert judged(folder, web) == [f"I8 robots.txt of {web.sites[0].origin} was asked for 2 times"]
    assert judged(folder, web, Ordeal(kills=1)) == []


def test_a_gap_under_the_delay_is_named(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    folder = write(tmp_path, fetched)
    for site in web.sites:
        site.log[:] = [replace(request, at=10.0 * number) for number, request in enumerate(site.log)]
    unhurried = judged(folder, web, Ordeal(delay=10.001))
    log = web.sites[0].log
    log[3] = replace(log[3], at=log[3].at - 0.5)

    hurried = judged(folder, web, Ordeal(delay=10.0))

    assert unhurried == []
    assert hurried == [f"I9 9.5000 s between {log[2].path} and {log[3].path} of {web.sites[0].origin}"]


def test_two_crawls_that_differ_are_told_apart(web: Web, fetched: list[Got], tmp_path: Path) -> None:
    whole = truth(web)
    got = fetched.pop(page(fetched, web))

    some = fates(Evidence.of(write(tmp_path, fetched)))

    digest = f"sha256:{hashlib.sha256(got.payload).hexdigest()}"[:15]
    assert differing(whole, some, "one", "other") == [f"I10 {got.url} with {digest} is in one, not in other"]
    assert differing(whole, whole, "one", "other") == []


def test_an_empty_folder_has_lost_everything_and_says_so_briefly(web: Web, tmp_path: Path) -> None:
    wrong = judged(tmp_path, web)

    assert broken(wrong) == {"I1", "I10"}
    assert len(wrong) == 2 * (SHOWN + 1)
