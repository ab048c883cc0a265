"""Mutated documents, and what must hold of whatever the rules make of them.

The documents of ``tests/data/fuzz`` are ours; each kind is cut up, repeated, spliced and mixed with the tokens that
its format gives a meaning. The properties are total: no bytes may raise, loop or leave the bounds.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from hypothesis import strategies as st

from crawler.core import warc
from crawler.core.charset import decode_text, encoding
from crawler.core.decode import decode_body
from crawler.core.headers import Headers, content_codings, parse_mime, retry_after, robots_directives, split_head
from crawler.core.html import LinkReader
from crawler.core.http_reader import AnswerReader, Broken, End, Head
from crawler.core.mirror_name import mirror_name
from crawler.core.outcomes import Outcome
from crawler.core.robots import Robots
from crawler.core.url import host_key, normalise, registrable_domain, resolve
from crawler.core.warc_reader import WarcError, members

SEEDS = Path(__file__).parent / "data" / "fuzz"
PAGE = "http://example.org/docs/page.html"
_MOST_LINKS = 50
_ROOM = 1 << 16
_CODINGS = ("gzip", "deflate", "br", "zstd")
_IDS = ("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001")
_TOKENS = {
    "url": b"http:// https:// // / \\ ? # @ : . .. %2e %2F %00 %zz [::1] 0x7f 017 \xef\xbc\x91 xn-- \t \n \xff",
    "robots": b"User-agent: * Disallow: / Allow: $ # \r \n \r\n Crawl-delay: Sitemap: \xef\xbb\xbf \xff\xfe \0 %2A",
    "headers": b'HTTP/1.1 \r\n \n \r : , ; = " \\ \0 Content-Type: text/html charset= Retry-After: gzip \xff',
    "charset": b"<meta charset= http-equiv=content-type content= <?xml encoding= utf-8 utf-16 utf-7 \xff\xfe -->",
    "decode": b"\x1f\x8b \x78\x9c \x28\xb5\x2f\xfd \0\0 \xff\xff \x03\x00",
    "html": b"<a href= <base href= <meta <!-- --> <![CDATA[ <script> <svg> <template> <table> &amp; &#x0; \0 \" ' > <",
    "answer": b"HTTP/1.1 200 OK \r\n \r\n\r\n \n Content-Length: Transfer-Encoding: chunked 103 0\r\n\r\n a; \0 \xff",
    "warc": b"WARC/1.1 \r\n \r\n\r\n Content-Length: WARC-Type: \x1f\x8b\x08 \0 response",
}


def seeds(kind: str) -> list[bytes]:
    """Return our documents of a kind."""
    return [path.read_bytes() for path in sorted((SEEDS / kind).iterdir())]


def documents(kind: str) -> st.SearchStrategy[bytes]:
    """Make documents of a kind: a few of ours, cut and spliced, with tokens between."""
    ours = seeds(kind)
    token = st.sampled_from(_TOKENS[kind].split(b" ")).map(lambda one: one or b" ")
    piece = st.one_of(
        st.sampled_from(ours),
        st.builds(_cut, st.sampled_from(ours), st.floats(0, 1), st.floats(0, 1)),
        token,
        st.builds(lambda one, times: one * times, token, st.integers(2, 200)),
        st.binary(max_size=8),
    )
    return st.lists(piece, max_size=8).map(b"".join)


def _cut(document: bytes, start: float, end: float) -> bytes:
    return document[int(len(document) * min(start, end)) : int(len(document) * max(start, end))]


def try_url(document: bytes) -> None:
    """A URL is clean and stays as it is, or is refused with a ValueError."""
    text = document.decode("utf-8", "surrogateescape")
    registrable_domain(text)
    for read in (resolve, normalise):
        for base in (None, PAGE):
            with contextlib.suppress(ValueError):
                url = read(text, base)
                assert url.isascii()
                assert url.isprintable()
                assert read(url) == url
                if read is normalise:
                    assert host_key(url).startswith(("http://", "https://"))
                    name = mirror_name(url, "text/html")
                    assert ".." not in name.split("/")
                    assert not name.startswith("/")


def try_robots(document: bytes) -> None:
    """Any bytes are rules, which have an answer for every URL and a delay that is a number or none."""
    rules = Robots.parse(document, "tester/1.0")
    assert rules.crawl_delay is None or 0 <= rules.crawl_delay < float("inf")
    for path in ("/", "/a?b=c", "/%2f*$", "/" + "a" * 500):
        assert rules.allows("http://example.org" + path) in (True, False)


def try_headers(document: bytes) -> None:
    """Any bytes are a header or none, and each field has a meaning within its bounds or none."""
    if (found := split_head(document)) is not None:
        assert found[0] in document
    headers = Headers(document)
    assert 0 <= headers.status <= 999
    for name in ("content-type", "location", "retry-after", "x-robots-tag", "content-encoding"):
        value = headers.get(name) or ""
        content_codings(value)
        robots_directives(headers.all(name), "tester")
        mime = parse_mime(value)
        assert mime is None or "/" in mime.essence
        wait = retry_after(value, 1e9, limit=3600)
        assert wait is None or 0 <= wait <= 3600


def try_charset(document: bytes) -> None:
    """Any bytes have an encoding and a text."""
    for content_type in (None, "text/html", "text/html; charset=" + document[:40].decode("latin-1")):
        name = encoding(document, content_type)
        assert name != "utf-7"
        decode_text(document, name).encode("utf-8")


def try_decode(document: bytes) -> None:
    """Any bytes are unpacked within the bounds, or the outcome says why not."""
    for codings in (*((one,) for one in _CODINGS), ("gzip", "gzip"), ("br", "gzip"), ("x",)):
        decoded = decode_body(document, codings, limit=_ROOM, max_ratio=100)
        assert len(decoded.body) <= max(_ROOM, len(document))
        assert decoded.outcome is None or isinstance(decoded.outcome, Outcome)


def try_html(document: bytes) -> None:
    """Any text is a page: its links are URLs of ours, and not too many."""
    text = decode_text(document, encoding(document))
    page = LinkReader(assets=True, max_links=_MOST_LINKS, product="tester").read(text, PAGE)
    assert len(page.links) <= _MOST_LINKS
    assert all(normalise(link) == link for link in page.links)


def try_warc(document: bytes) -> None:
    """What is written is read back as it was, whatever is in it; and no bytes break the reader."""
    with contextlib.suppress(WarcError):
        list(members(io.BytesIO(document)))
    head, _, body = document.partition(b"\n\n")
    head = b"HTTP/1.1 200 OK\r\nX-Odd: " + b" ".join(head.split()) + b"\r\n\r\n"
    digest = sha256(body).digest()
    url = PAGE + "?" + document[:50].decode("latin-1")
    made = warc.exchange(url, b"GET / HTTP/1.1\r\n\r\n", head, body, digest=digest, address="", date=0.0, truncated="",
                         ids=_IDS)  # fmt: skip
    _, response = members(io.BytesIO(b"".join(made)))
    assert response.block.endswith(b"\r\n\r\n" + body)


def try_answer(document: bytes) -> None:
    """Any bytes are an answer or are named, and mean the same however they were cut."""
    whole, third, fiftieth = (_meaning(document, len(document) // pieces + 1) for pieces in (1, 3, 50))
    assert whole == third == fiftieth
    assert len(whole[1]) <= len(document)


def _meaning(document: bytes, size: int) -> tuple[list[Head], bytes, object]:
    reader = AnswerReader(_ROOM)
    events = [event for at in range(0, len(document), size) for event in reader.feed(document[at : at + size])]
    events += reader.eof()
    body = b"".join(event for event in events if isinstance(event, bytes))
    last = events[-1]
    assert [event for event in events if isinstance(event, (End, Broken))] == [last]
    how = last.outcome if isinstance(last, Broken) else "whole"
    return [event for event in events if isinstance(event, Head)], body, how


TARGETS: dict[str, Callable[[bytes], None]] = {
    "url": try_url,
    "robots": try_robots,
    "headers": try_headers,
    "charset": try_charset,
    "decode": try_decode,
    "html": try_html,
    "warc": try_warc,
    "answer": try_answer,
}
