"""PROCESS: Fetched → Parsed. What a worker does with an answer; the ends of its journey are in ``parse_journey.py``.

A worker speaks plain tuples, because those are cheap to pickle. Nothing is raised on the way.
What was found before a page broke the worker's code is kept: its digest, its record.

Only what is new comes back. A worker remembers the outlinks it has returned and does not return them again,
unless a page is nearer to the seeds than the one that brought them (where depth matters),
or the same page is parsed again: then it gives the same outlinks again, for the first result may have been lost.
That memory is bounded; forgetting costs only repetition, since whoever receives outlinks drops the known ones.

The outcome says how the *parse* went. What a status means is not its business: an answer that is not 2xx gets
its digest and its record, is read no further, and is ``OK``.

A worker must start fast, so what is imported here is paid for at every start: see the test that says what may not be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from crawler.core.charset import decode_text, encoding, utf_8
from crawler.core.decode import decode_body
from crawler.core.headers import (
    Headers,
    content_codings,
    parse_mime,
    robots_directives,
    unknown_transfer_coding,
)
from crawler.core.html import LinkReader, refresh_link
from crawler.core.kind import Kind
from crawler.core.outcomes import Outcome
from crawler.core.text import printable
from crawler.core.warc import exchange
from crawler.stages.extract_worker import Extracted, Extractor

if TYPE_CHECKING:
    from crawler.core.document import Document

Held: TypeAlias = tuple[bytes, str, int, int]
"""Digest of the payload that a page had earlier, and segment, offset and length of the record that holds it."""
Task: TypeAlias = tuple[str, int, int, bytes, bytes, bytes, str, str, float, Held | None, bool, str]
"""URL, depth, status, request, head, body, truncated, address, time of the fetch, what there was earlier, whether to
extract, and the kind of the URL."""
Result: TypeAlias = tuple[Any, ...]
"""The fields of :class:`Parsed` in their order, up to ``same_text``, and then those of :class:`Extracted`.

The outcome is its name. The outlinks are one text: a line for each, a letter for the kind before the URL;
so are the dates, the time before the URL.
"""

SENT_ROOM = 40 * 1024**2
"""Bytes that the memory of returned outlinks may take, roughly: 200,000 of them."""

_SENT_ENTRY = 120
"""Bytes that one of them takes besides its characters, roughly."""
_MAX_DETAIL = 500
_MAX_MIME = 255
_MAX_VALIDATOR = 256
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_XML = frozenset({"application/xml", "text/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml"})
_MAY_LIST = frozenset({Kind.SITEMAP, Kind.SEED})
"""Kinds of URLs that may be sitemaps whatever their media type is: packed, plain text, or undeclared."""
_GZIP = b"\x1f\x8b"
_MOST_LISTED = 50 * 1024**2
"""Bytes of a packed sitemap; sitemaps.org allows no more."""
_LOOKS_LIKE_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*+<(?:!doctype html|html)[\t\n\f\r />]", re.IGNORECASE
).match
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
LETTERS = {
    Kind.LINK: "l",
    Kind.REFRESH: "r",
    Kind.CANONICAL: "c",
    Kind.NEXT: "n",
    Kind.ALTERNATE: "a",
    Kind.FRAME: "f",
    Kind.ASSET: "s",
    Kind.SITEMAP: "m",
    Kind.LISTED: "p",
}
"""What stands before an outlink in a :data:`Result`."""


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """What a worker is told when it starts: the settings that concern it, without what reads settings."""

    assets: bool = False
    """Images, scripts, style sheets and media are outlinks too."""
    max_links: int = 10_000
    max_decoded: int = 32 * 1024**2
    max_ratio: int = 200
    archive: bool = True
    """Make WARC records."""
    archived_in: str = ""
    """The archive's folder, where earlier payloads can be read."""
    keep_decoded: bool = False
    """Return the body after content decoding, where it differs from the payload."""
    depth_matters: bool = False
    """Return an outlink again when a page nearer to the seeds has it."""
    product: str = "crawler"
    """Our name, as robots.txt, X-Robots-Tag and meta elements may call us."""
    extract: bytes = b""
    """The user's function, as :func:`crawler.stages.extract.packed` makes it; empty without one."""


class Kept(NamedTuple):
    """What is kept of an answer whether or not it can be parsed; the fields are those of :class:`Parsed`."""

    digest: bytes
    record: bytes = b""
    request_size: int = 0
    record_id: str = ""


def kept_of(task: Task, *, archive: bool) -> Kept:
    """Return the digest of an answer, and its WARC records if they are asked for."""
    url, _, _, request, head, body, truncated, address, date, *_ = task
    digest = sha256(body).digest()
    if not (archive and head):
        return Kept(digest)
    ids = _record_id(), _record_id()
    asked, answered = exchange(
        url, request, head, body, digest=digest, address=address, date=date, truncated=truncated, ids=ids
    )
    return Kept(digest, asked + answered, len(asked), ids[1])


def _record_id() -> str:
    """Return a random UUID (RFC 9562, version 4); for its module alone a worker would start 10 % later."""
    bits = bytearray(os.urandom(16))
    bits[6] = bits[6] & 0x0F | 0x40
    bits[8] = bits[8] & 0x3F | 0x80
    text = bits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# In the worker process from here on.


def prepare(options: ParseOptions) -> None:
    """Make this process ready to parse; called once, before the first page."""
    global _worker  # noqa: PLW0603 - a worker serves one crawl: what it remembers is its state
    _keep_freed_memory()
    _worker = Worker(options)


def parse(task: Task) -> Result:
    """Parse one answer; never raise for what is in it."""
    return _worker.parse(task)


class Worker:
    """What a parse process remembers from page to page."""

    def __init__(self, options: ParseOptions) -> None:
        self._options = options
        self._links = LinkReader(assets=options.assets, max_links=options.max_links, product=options.product)
        self._sent = _Sent()
        self._extract = Extractor.of(options.extract) if options.extract else None

    def parse(self, task: Task) -> Result:
        """Parse one answer; never raise for what is in it."""
        draft = _Draft()
        try:
            self._archive(draft, task)
            self._read(draft, task)
        except MemoryError:
            self._links.forget()
            self._sent = _Sent()
            draft.outcome, draft.detail = Outcome.PARSE_MEMORY, "more memory than a worker may take"
        except Exception as error:  # noqa: BLE001 - no page may take its worker down, nor the batch it came in
            draft.outcome = Outcome.PARSE_CRASH
            draft.detail = printable(f"{type(error).__name__}: {error}", _MAX_DETAIL)
        return draft.result()

    def _archive(self, draft: _Draft, task: Task) -> None:
        draft.size = len(task[5])
        draft.kept = kept_of(task, archive=self._options.archive)

    def _read(self, draft: _Draft, task: Task) -> None:
        url, _, status, _, head, body, *_, extract, _ = task
        options, headers = self._options, Headers(head)
        content_type = headers.get("content-type")
        draft.mime = _essence(content_type[:_MAX_MIME]) if content_type else ""
        directives = robots_directives(headers.all("x-robots-tag"), options.product)
        draft.noindex, draft.nofollow = "noindex" in directives, "nofollow" in directives
        draft.etag, draft.modified = _validator(headers.get("etag")), _validator(headers.get("last-modified"))
        if not 200 <= status < 300:
            return
        if strange := unknown_transfer_coding(headers.all("transfer-encoding")):
            draft.outcome, draft.detail = Outcome.CODING_REFUSED, f"unknown transfer coding {strange[:40]!a}"
            return
        codings = content_codings(",".join(headers.all("content-encoding")))
        decoded = decode_body(body, codings, limit=options.max_decoded, max_ratio=options.max_ratio)
        draft.size = len(decoded.body)
        if decoded.outcome:
            draft.outcome, draft.detail = decoded.outcome, decoded.detail
            return
        if options.keep_decoded and decoded.body != body:
            draft.decoded = decoded.body
        refresh = refresh_link(header, url) if (header := headers.get("refresh")) else ""
        if draft.mime in _HTML if draft.mime else _LOOKS_LIKE_HTML(decoded.body):
            draft.charset = encoding(decoded.body, content_type)
            draft.is_html = True
            self._read_html(draft, utf_8(decoded.body, draft.charset), task, refresh)
            self._compare(draft, task, decoded.body)
        else:
            self._read_other(draft, decoded.body, task, refresh)
        if self._extract and extract:
            draft.extracted = self._extract(draft.document(url, status, headers, decoded.body))

    def _read_other(self, draft: _Draft, body: bytes, task: Task, refresh: str) -> None:
        """Read what is no HTML: it may list pages, and its header may lead on."""
        if draft.mime in _XML or task[11] in _MAY_LIST:
            self._read_listing(draft, body, task)
        if refresh and not (draft.nofollow or draft.listing):
            draft.seen, draft.outlinks = 1, self._sent.add({refresh: Kind.REFRESH}, task[0], self._depth(task))

    def _read_listing(self, draft: _Draft, body: bytes, task: Task) -> None:
        """Read a sitemap or a feed, if it is one."""
        from crawler.core.listing import Bomb, read_listing  # noqa: PLC0415  -- most crawls meet none

        expected = task[11] in _MAY_LIST
        if body.startswith(_GZIP) and expected:
            unpacked = decode_body(body, ("gzip",), limit=_MOST_LISTED, max_ratio=self._options.max_ratio)
            if unpacked.outcome and task[11] == Kind.SEED:
                return  # it only might have been one, and may well be what it is
            if unpacked.outcome:
                draft.outcome, draft.detail = unpacked.outcome, unpacked.detail
                return
            body = unpacked.body
        try:
            listing = read_listing(body, task[0], expected=expected)
        except Bomb as error:
            draft.outcome, draft.detail = Outcome.XML_BOMB, printable(str(error), _MAX_DETAIL)
            return
        if listing is not None:
            draft.listing, draft.seen, draft.capped = True, len(listing.links), listing.capped
            draft.dates = "\n".join([f"{at!r} {link}" for link, at in listing.dates.items()])
            draft.outlinks = self._sent.add(listing.links, task[0], self._depth(task))

    def _compare(self, draft: _Draft, task: Task, body: bytes) -> None:
        """Where the bytes are not what they were, tell whether the main text is, by what the archive holds of it."""
        held = task[9]
        if held is None or held[0] == draft.kept.digest:
            return
        from crawler.core.main_text import main_text  # noqa: PLC0415  -- the first crawl of a folder has no need of it
        from crawler.stages.earlier_text import earlier_text  # noqa: PLC0415

        options = self._options
        before = earlier_text(options.archived_in, held, limit=options.max_decoded, max_ratio=options.max_ratio)
        draft.same_text = before is not None and main_text(before) == main_text(decode_text(body, draft.charset))

    def _read_html(self, draft: _Draft, text: bytes, task: Task, refresh: str) -> None:
        document = self._links.read(text, task[0], refresh)
        draft.title, draft.language, draft.canonical = document.title, document.language, document.canonical
        draft.noindex, draft.nofollow = draft.noindex or document.noindex, draft.nofollow or document.nofollow
        draft.seen, draft.capped = len(document.links), document.capped
        if not draft.nofollow:
            draft.outlinks = self._sent.add(document.links, task[0], self._depth(task))

    def _depth(self, task: Task) -> int:
        """Return how far from the seeds the links of a page count as found."""
        return task[1] if self._options.depth_matters else 0


_worker: Worker


def _validator(value: str | None) -> str:
    """Return what can be sent back as it came; a longer one is not worth its place in the frontier."""
    return value if value and len(value) <= _MAX_VALIDATOR and value.isprintable() and value.isascii() else ""


@lru_cache(maxsize=1024)
def _essence(content_type: str) -> str:
    mime = parse_mime(content_type)
    return mime.essence if mime else ""


class _Draft:
    """A result in the making."""

    def __init__(self) -> None:
        self.outcome = Outcome.OK
        self.detail = self.mime = self.charset = self.title = self.language = self.canonical = self.outlinks = ""
        self.kept = Kept(b"")
        self.seen = self.size = 0
        self.noindex = self.nofollow = self.capped = self.is_html = False
        self.decoded: bytes | None = None
        self.etag = self.modified = ""
        self.dates = ""
        self.same_text = self.listing = False
        self.extracted = Extracted()

    def document(self, url: str, status: int, headers: Headers, body: bytes) -> Document:
        """Return the page as an extract function sees it."""
        from crawler.core.document import Document  # noqa: PLC0415  -- most crawls extract nothing

        known = self.is_html, self.title, self.language, self.canonical
        return Document(url, status, headers, self.mime, body, *known)

    def result(self) -> Result:
        """Return the finished draft."""
        said = self.outcome.name, self.detail
        told = self.mime, self.charset, self.title, self.language, self.canonical, self.noindex, self.nofollow
        read = self.outlinks, self.seen, self.capped, self.size, self.decoded
        compared = self.etag, self.modified, self.listing, self.dates, self.same_text
        return (*said, *self.kept, *told, *read, *compared, *self.extracted)


class _Sent:
    """Which outlinks were returned, from what depth, and of which page."""

    def __init__(self, room: int = SENT_ROOM) -> None:
        self._room = self._left = room
        self._marks: dict[str, tuple[int, str]] = {}

    def add(self, links: Mapping[str, Kind], page: str, depth: int) -> str:
        """Return those links of a page that are to be returned now, as :data:`Result` has them."""
        lines = []
        mark = depth, page
        for link, kind in links.items():
            known = self._marks.get(link)
            if known is None or depth < known[0]:
                self._left -= len(link) + _SENT_ENTRY
                self._marks[link] = mark
            elif known[1] != page:
                continue
            lines.append(LETTERS[kind] + link)
        if self._left < 0:
            self._marks.clear()
            self._left = self._room
        return "\n".join(lines)


def _keep_freed_memory() -> None:
    """Let malloc keep what a page's tree took, for the next one takes it again.

    By default glibc gives it back to the kernel, and pages pay for having it mapped and zeroed anew:
    6 % of a worker's time on documentation sites. The price is up to 64 MiB that a quiet worker holds.
    """
    import ctypes  # noqa: PLC0415  -- a worker's business, but the main process imports this file too

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return
    mallopt(_M_TRIM_THRESHOLD, 64 * 1024**2)
    mallopt(_M_MMAP_THRESHOLD, 16 * 1024**2)
