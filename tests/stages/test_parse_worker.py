from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from uuid import RFC_4122, UUID

import pytest
from msgspec.structs import replace
from warcio.archiveiterator import ArchiveIterator

from crawler.core.html import LinkReader, Outline
from crawler.core.outcomes import Outcome
from crawler.core.records import Cost, CrawlURL, Fetched, Kind, Parsed
from crawler.stages import parse_worker
from crawler.stages.parse_journey import parsed_of, task_of
from crawler.stages.parse_worker import ParseOptions, Worker, _Sent, prepare

ROOT = Path(__file__).parents[2]
PAGE = "http://example.org/docs/page.html"
HTML = b"<html lang=en><title>A page</title><a href=next.html>next</a>"


def fetched(
    body: bytes = HTML,
    *,
    url: str = PAGE,
    depth: int = 1,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Fetched:
    lines = {"Content-Type": "text/html; charset=utf-8"} if headers is None else headers
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Fetched(
        CrawlURL(1, url, "http://example.org", depth),
        began_at=1_700_000_000.25,
        sent_at=1_700_000_000.5,
        outcome=None,
        status=status,
        request=b"GET /docs/page.html HTTP/1.1\r\nHost: example.org\r\n\r\n",
        head=head.encode() + b"\r\n",
        body=body,
        address="192.0.2.1",
    )


def parse(answer: Fetched, worker: Worker | None = None) -> Parsed:
    worker = worker or Worker(ParseOptions(archive=False))
    return parsed_of(worker.parse(task_of(answer)))


def urls(parsed: Parsed) -> list[str]:
    return [url.removeprefix("http://example.org") for _, url in parsed.outlinks]


def with_header(name: str, value: str, body: bytes = HTML) -> Fetched:
    return fetched(body, headers={"Content-Type": "text/html", name: value})


# What is read


def test_a_page_is_read() -> None:
    parsed = parse(fetched())

    assert parsed.outcome is Outcome.OK
    assert (parsed.mime, parsed.charset, parsed.title, parsed.language) == ("text/html", "utf-8", "A page", "en")
    assert parsed.outlinks == ((Kind.LINK, "http://example.org/docs/next.html"),)
    assert (parsed.links_seen, parsed.links_capped) == (1, False)
    assert parsed.size == len(HTML)
    assert parsed.decoded is None
    assert parsed.digest == sha256(HTML).digest()


def test_every_kind_of_outlink_comes_back_as_it_was_found() -> None:
    body = (
        b"<meta http-equiv=refresh content='0;url=1'><link rel=canonical href=2><link rel=next href=3>"
        b"<link rel=alternate href=4><iframe src=5></iframe><a href=6></a><img src=7>"
    )

    parsed = parse(fetched(body), Worker(ParseOptions(archive=False, assets=True)))

    kinds = [Kind.REFRESH, Kind.CANONICAL, Kind.NEXT, Kind.ALTERNATE, Kind.FRAME, Kind.LINK, Kind.ASSET]
    assert parsed.outlinks == tuple(
        (kind, f"http://example.org/docs/{number}") for number, kind in enumerate(kinds, start=1)
    )
    assert parsed.canonical == "http://example.org/docs/2"


@pytest.mark.parametrize("mime", ["text/html", "text/plain", "image/png", "application/xml"])
@pytest.mark.parametrize(
    "target", ["next.html", "./next.html#part", "'next.html' x", "http://example.org/docs/next.html"]
)
def test_a_refresh_header_is_a_link_as_the_meta_element_is(mime: str, target: str) -> None:
    parsed = parse(fetched(b"<base href=/elsewhere/>", headers={"Content-Type": mime, "Refresh": f"5; url={target}"}))

    assert parsed.outlinks == ((Kind.REFRESH, "http://example.org/docs/next.html"),)
    assert parsed.links_seen == 1


@pytest.mark.parametrize("mime", ["text/html", "text/plain"])
@pytest.mark.parametrize("value", ["5", "0; url=", "soon", "0; url=page.html", "0; url=javascript:alert(1)"])
def test_a_refresh_header_without_another_page_is_none(mime: str, value: str) -> None:
    assert parse(fetched(b"", headers={"Content-Type": mime, "Refresh": value})).outlinks == ()


@pytest.mark.parametrize("mime", ["text/html", "text/plain"])
def test_a_refresh_header_is_not_followed_where_no_link_is_to_be(mime: str) -> None:
    headers = {"Content-Type": mime, "Refresh": "0; url=next.html", "X-Robots-Tag": "nofollow"}

    assert parse(fetched(b"", headers=headers)).outlinks == ()


def test_a_refresh_header_counts_among_the_links_of_a_page() -> None:
    body = b"<a href=a><a href=b><a href=next.html>"
    headers = {"Content-Type": "text/html", "Refresh": "0; url=next.html"}

    parsed = parse(fetched(body, headers=headers), Worker(ParseOptions(archive=False, max_links=2)))

    assert urls(parsed) == ["/docs/next.html", "/docs/a"]
    assert (parsed.links_seen, parsed.links_capped) == (2, True)


def test_the_charset_of_the_header_decides_what_the_text_is() -> None:
    body = "<title>Привет</title><a href='?q=é'>".encode("utf-16-le")

    parsed = parse(fetched(body, headers={"Content-Type": "text/html; charset=UTF-16LE"}))

    assert parsed.charset == "utf-16le"
    assert parsed.title == "Привет"
    assert urls(parsed) == ["/docs/page.html?q=%C3%A9"]


@pytest.mark.parametrize("mime", ["text/html", "TEXT/HTML ; x=y", "application/xhtml+xml"])
def test_both_types_of_html_are_read(mime: str) -> None:
    assert parse(fetched(headers={"Content-Type": mime})).links_seen == 1


@pytest.mark.parametrize("mime", ["text/plain", "application/xml", "image/png"])
def test_no_other_type_is_read_as_html(mime: str) -> None:
    parsed = parse(fetched(headers={"Content-Type": mime}))

    assert (parsed.outcome, parsed.mime, parsed.links_seen, parsed.title) == (Outcome.OK, mime, 0, "")
    assert parsed.size == len(HTML)


@pytest.mark.parametrize(
    ("start", "is_html"),
    [
        (b"<html>", True),
        (b"\xef\xbb\xbf\n\t <!DOCTYPE HTML PUBLIC>", True),
        (b"<!doctype html>", True),
        (b"<htmlx>", False),
        (b"<?xml version='1.0'?>", False),
        (b"text <html>", False),
    ],
)
def test_without_a_type_it_is_html_if_it_begins_like_it(start: bytes, is_html: bool) -> None:  # noqa: FBT001 - a table
    assert parse(fetched(start + HTML, headers={})).links_seen == is_html


@pytest.mark.parametrize("status", [204, 301, 304, 404, 500, 0, 999])
def test_an_answer_that_is_not_a_page_has_its_digest_and_no_more(status: int) -> None:
    body = b"" if status == 204 else HTML
    parsed = parse(fetched(body, status=status))

    assert (parsed.outcome, parsed.digest) == (Outcome.OK, sha256(body).digest())
    assert (parsed.title, parsed.outlinks, parsed.links_seen) == ("", (), 0)


# Content coding


def test_the_digest_is_of_the_payload_and_the_links_are_of_what_it_decodes_to() -> None:
    payload = gzip.compress(HTML, mtime=0)

    parsed = parse(with_header("Content-Encoding", "gzip", payload))

    assert parsed.digest == sha256(payload).digest()
    assert parsed.size == len(HTML)
    assert urls(parsed) == ["/docs/next.html"]
    assert parsed.decoded is None


def test_the_decoded_body_comes_back_where_it_differs_and_is_wanted() -> None:
    worker = Worker(ParseOptions(archive=False, keep_decoded=True))
    packed = with_header("Content-Encoding", "gzip", gzip.compress(HTML, mtime=0))

    assert parse(packed, worker).decoded == HTML
    assert parse(with_header("Content-Encoding", "identity"), worker).decoded is None
    assert parse(fetched(), worker).decoded is None


@pytest.mark.parametrize(
    ("coding", "payload", "outcome"),
    [
        ("gzip", gzip.compress(HTML, mtime=0)[:-9], Outcome.DECODE_TRUNCATED),
        ("gzip", b"not gzip at all", Outcome.DECODE_FAILED),
        ("zip", HTML, Outcome.CODING_REFUSED),
        ("gzip", gzip.compress(bytes(3_000_000), mtime=0), Outcome.DECOMPRESSED_TOO_LARGE),
    ],
)
def test_a_body_that_cannot_be_decoded_is_archived_but_not_read(coding: str, payload: bytes, outcome: Outcome) -> None:
    worker = Worker(ParseOptions(max_decoded=2_000_000, keep_decoded=True))

    parsed = parse(with_header("Content-Encoding", coding, payload), worker)

    assert parsed.outcome is outcome
    assert parsed.detail
    assert parsed.digest == sha256(payload).digest()
    assert parsed.record
    assert (parsed.outlinks, parsed.decoded) == ((), None)


# Robots


@pytest.mark.parametrize("value", ["nofollow", "noindex, NOFOLLOW", "none", "tester: nofollow"])
def test_a_nofollow_in_the_header_leaves_no_outlinks(value: str) -> None:
    worker = Worker(ParseOptions(archive=False, product="Tester"))

    parsed = parse(with_header("X-Robots-Tag", value), worker)

    assert parsed.nofollow
    assert (parsed.outlinks, parsed.links_seen) == ((), 1)


def test_outlinks_held_back_by_nofollow_are_returned_by_the_next_page_that_has_them() -> None:
    worker = Worker(ParseOptions(archive=False))
    held = parse(fetched(b"<meta name=robots content=nofollow>" + HTML, url="http://example.org/docs/held"), worker)

    assert held.outlinks == ()
    assert urls(parse(fetched(), worker)) == ["/docs/next.html"]


def test_noindex_is_recorded_and_stops_nothing() -> None:
    by_header = parse(with_header("X-Robots-Tag", "noindex"))
    by_element = parse(fetched(b"<meta name=robots content=noindex>" + HTML))

    assert by_header.noindex
    assert by_element.noindex
    assert urls(by_header) == urls(by_element) == ["/docs/next.html"]


# What a worker remembers


def page(name: str, *links: str, depth: int = 1) -> Fetched:
    body = "".join(f"<a href='{link}'>" for link in links).encode()
    return fetched(body, url=f"http://example.org/{name}", depth=depth)


def test_an_outlink_is_returned_once() -> None:
    worker = Worker(ParseOptions(archive=False))

    assert urls(parse(page("a", "/x", "/y"), worker)) == ["/x", "/y"]

    second = parse(page("b", "/y", "/z"), worker)
    assert urls(second) == ["/z"]
    assert second.links_seen == 2


def test_a_page_parsed_again_returns_the_same_outlinks_again() -> None:
    worker = Worker(ParseOptions(archive=False))
    parse(page("a", "/x"), worker)
    first = parse(page("b", "/x", "/y"), worker)

    again = parse(page("b", "/x", "/y"), worker)

    assert urls(again) == urls(first) == ["/y"]


def test_an_outlink_found_nearer_to_the_seeds_is_returned_again_where_depth_matters() -> None:
    worker = Worker(ParseOptions(archive=False, depth_matters=True))
    parse(page("far", "/x", depth=5), worker)

    assert urls(parse(page("near", "/x", depth=2), worker)) == ["/x"]
    assert urls(parse(page("between", "/x", depth=3), worker)) == []
    assert urls(parse(page("as near", "/x", depth=2), worker)) == []


def test_depth_is_ignored_where_it_does_not_matter() -> None:
    worker = Worker(ParseOptions(archive=False))
    parse(page("far", "/x", depth=5), worker)

    assert urls(parse(page("near", "/x", depth=2), worker)) == []


def test_the_memory_of_outlinks_is_bounded_and_forgetting_only_repeats() -> None:
    sent = _Sent(room=10_000)

    for number in range(500):
        assert sent.add({f"http://example.org/{number}": Kind.LINK}, "http://example.org/", 0)

    assert len(sent._marks) < 100
    assert sent.add({"http://example.org/0": Kind.LINK}, "http://example.org/other", 0)


# The archive


def test_request_and_response_become_two_records_that_other_tools_can_read() -> None:
    parsed = parse(replace(fetched(), truncated="length"), Worker(ParseOptions()))

    records = [
        (record.rec_type, record.rec_headers, record.content_stream().read())
        for record in ArchiveIterator(BytesIO(parsed.record))
    ]
    (first, asked, _), (second, answered, body) = records
    assert (first, second, body) == ("request", "response", HTML)
    assert answered["WARC-Target-URI"] == PAGE
    assert answered["WARC-Date"].startswith("2023-11-14T22:13:20.25")
    assert answered["WARC-Truncated"] == "length"
    assert answered["WARC-Payload-Digest"] == f"sha256:{parsed.digest.hex()}"
    assert answered["WARC-Concurrent-To"] == asked["WARC-Record-ID"] != answered["WARC-Record-ID"]
    assert gzip.decompress(parsed.record[: parsed.request_size]).startswith(b"WARC/1.1\r\nWARC-Type: request")


def test_no_two_records_have_the_same_name() -> None:
    worker = Worker(ParseOptions())
    records = b"".join(parse(fetched(), worker).record for _ in range(20))

    names = [record.rec_headers["WARC-Record-ID"] for record in ArchiveIterator(BytesIO(records))]

    uuids = {UUID(name.removeprefix("<urn:uuid:").removesuffix(">")) for name in names}
    assert len(uuids) == 40
    assert {(uuid.version, uuid.variant) for uuid in uuids} == {(4, RFC_4122)}


def test_without_an_archive_there_is_no_record() -> None:
    parsed = parse(fetched(), Worker(ParseOptions(archive=False)))

    assert (parsed.record, parsed.request_size) == (b"", 0)


# Trouble


class Broken(LinkReader):
    """Fails as a bug in our code, or a page too large for the worker, would."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def read(self, html: str | bytes, url: str, refresh: str = "") -> Outline:
        if self.error:
            raise self.error
        return super().read(html, url, refresh)


def worker_that_meets(error: Exception) -> tuple[Worker, Broken]:
    worker, broken = Worker(ParseOptions()), Broken(error)
    worker._links = broken
    return worker, broken


def test_a_page_that_breaks_the_code_keeps_its_record_and_names_the_error() -> None:
    worker, _ = worker_that_meets(ValueError("no such\x1b[31m thing"))

    parsed = parse(fetched(), worker)

    assert parsed.outcome is Outcome.PARSE_CRASH
    assert parsed.detail == r"ValueError: no such\x1b[31m thing"
    assert parsed.digest == sha256(HTML).digest()
    assert parsed.record
    assert parsed.outlinks == ()


def test_a_page_too_large_for_the_worker_makes_it_forget_what_it_can() -> None:
    worker, broken = worker_that_meets(MemoryError())
    broken.error = None
    parse(page("a", "/x"), worker)
    broken.error = MemoryError()

    parsed = parse(fetched(), worker)
    broken.error = None

    assert parsed.outcome is Outcome.PARSE_MEMORY
    assert parsed.record
    assert urls(parse(page("b", "/x"), worker)) == ["/x"]


def test_a_task_that_is_none_ends_as_a_crash_and_harms_no_other() -> None:
    prepare(ParseOptions(archive=False))
    hostile = (None, 1, 200, None, None, None, "", "", 0.0)

    first = parsed_of(parse_worker.parse(hostile))  # type: ignore[arg-type]  # on purpose
    second = parsed_of(parse_worker.parse(task_of(fetched())))

    assert first.outcome is Outcome.PARSE_CRASH
    assert second.outcome is Outcome.OK


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 5_000,
        b"\xff\xfe",
        b"<" * 50_000,
        "\ud800".encode("utf-16-le", "surrogatepass"),
        b"<a href='\xff'>",
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-7", "nonsense", "shift_jis"])
def test_any_body_is_read_without_an_error(body: bytes, charset: str) -> None:
    parsed = parse(fetched(body, headers={"Content-Type": f"text/html; charset={charset}"}))

    assert parsed.outcome is Outcome.OK


@pytest.mark.parametrize(
    "head", [b"", b"\r\n", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Type\r\n: x\r\n\r\n", b"\xff" * 99]
)
def test_any_head_is_read_without_an_error(head: bytes) -> None:
    parsed = parse(replace(fetched(b"<html><a href=x>"), head=head), Worker(ParseOptions()))

    assert parsed.outcome is Outcome.OK
    assert parsed.links_seen == 1
    assert bool(parsed.record) == bool(head)


# The journey


def test_a_process_that_is_prepared_parses_one_task_after_another() -> None:
    prepare(ParseOptions(archive=False))
    tasks = [task_of(page(name, f"/of-{name}")) for name in "abc"]

    results = [parsed_of(parse_worker.parse(task)) for task in tasks]

    assert [urls(parsed) for parsed in results] == [["/of-a"], ["/of-b"], ["/of-c"]]
    assert parsed_of(parse_worker.parse(tasks[0])).links_seen == 1


def test_tasks_and_results_are_tuples_of_nothing_but_plain_values() -> None:
    task = task_of(fetched())
    result = Worker(ParseOptions()).parse(task)

    for travels in (task, result):
        assert {type(value) for value in travels} <= {str, int, float, bool, bytes, type(None)}
        assert pickle.loads(pickle.dumps(travels)) == travels  # noqa: S301 - our own bytes


def test_every_field_of_the_result_finds_its_place() -> None:
    names = list(Parsed.__struct_fields__)
    kept = [b"digest", b"record", 4, "id"]
    plain = ["OK", "detail", *kept, "mime", "charset", "title", "language", "canonical", True, False]

    read = "lhttp://a/\nnhttp://b/", 7, True, 9, b"decoded", '"tag"', "a date", True, "7.5 http://a/", True

    parsed = parsed_of((*plain, *read, pickle.dumps(["found"]), "failure", 5, 6))

    assert [getattr(parsed, name) for name in names[1:13]] == plain[1:]
    assert parsed.outlinks == ((Kind.LINK, "http://a/"), (Kind.NEXT, "http://b/"))
    assert (parsed.links_seen, parsed.links_capped, parsed.size, parsed.decoded) == (7, True, 9, b"decoded")
    assert (parsed.listing, parsed.dates) == (True, (("http://a/", 7.5),))
    assert (parsed.etag, parsed.modified, parsed.same_text) == ('"tag"', "a date", True)
    assert (parsed.extracted, parsed.extract_failure, parsed.extract_cost) == (["found"], "failure", Cost(0, 5, 6))
    assert parsed_of((*plain, *read, b"", "", 0, 0)).extract_cost is None


def test_a_worker_imports_nothing_that_it_does_not_need() -> None:
    heavy = (
        "aiohttp asyncio msgspec protego publicsuffixlist rich sqlite3 uuid xml.parsers.expat yarl"
        " crawler.config crawler.core.records crawler.engine"
    )
    program = f"import sys, crawler.stages.parse_worker; print(*sorted(set({heavy.split()!r}) & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
