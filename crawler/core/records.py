"""The records that travel from seed to page.

All are frozen; each stage returns a new one and never changes the last.
Times named ``*_at`` are Unix seconds; durations are seconds; sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct

from crawler.core.changes import NOWHERE, Change, Earlier
from crawler.core.kind import Kind as Kind  # noqa: PLC0414  who knows the records finds it here
from crawler.core.outcomes import Outcome
from crawler.errors import NoBody


class CrawlURL(Struct, frozen=True):
    """A known URL: absolute, normalised, without fragment and user-info."""

    id: int
    """Its row in the frontier: the order of discovery, from 1."""
    url: str
    host: str
    """Scheme, host name and port, as :func:`crawler.core.url.host_key` writes them."""
    depth: int = 0
    kind: Kind = Kind.SEED
    via: str | None = None
    """The page it was found on."""
    chain: tuple[str, ...] = ()
    """The URLs that redirected here, or the indexes that led to a sitemap, oldest first."""
    attempts: int = 0
    """Fetches made before this one."""
    due: float = 0.0
    """Unix seconds before which it must not be fetched again."""
    earlier: Earlier = NOWHERE
    """How it was in an earlier round."""


class Timings(Struct, frozen=True):
    """What a fetch waited for, seconds. ``connect`` includes TLS; a reused connection costs neither."""

    dns: float = 0.0
    connect: float = 0.0
    first_byte: float = 0.0
    """From the request being sent to the complete header."""
    body: float = 0.0
    reused: bool = False


class Fetched(Struct, frozen=True):
    """One request and its answer, or the reason why there is none."""

    source: CrawlURL
    began_at: float
    sent_at: float
    """When the request went out; 0.0 if it never did."""
    outcome: Outcome | None
    """None while the answer is usable; else why it is not."""
    detail: str = ""
    """What exactly went wrong, for a person; no control characters."""
    status: int = 0
    request: bytes = b""
    """Request line and header as sent, credentials removed, up to and with the empty line."""
    head: bytes = b""
    """Status line and header exactly as received, up to and with the empty line."""
    body: bytes = b""
    """The payload: transfer coding removed, content coding kept."""
    truncated: str = ""
    """``length``, ``time`` or ``disconnect`` if the body was cut (WARC-Truncated)."""
    address: str = ""
    """IP address that answered."""
    location: str = ""
    """Absolute target of a redirect."""
    retry_after: float | None = None
    """Seconds the server asked us to stay away, already capped."""
    timings: Timings = Timings()

    @property
    def answered(self) -> bool:
        """Whether there is an HTTP answer worth a record in the archive."""
        return bool(self.head)


class Cost(Struct, frozen=True):
    """What one call to another place cost, nanoseconds."""

    queued: int = 0
    ran: int = 0
    cpu: int = 0


class Parsed(Struct, frozen=True):
    """What a worker found in an answer."""

    outcome: Outcome
    detail: str = ""
    digest: bytes = b""
    """SHA-256 of the payload, 32 bytes."""
    record: bytes = b""
    """The WARC records of request and response, one gzip member each, in this order."""
    request_size: int = 0
    """Length of the first of the two members."""
    record_id: str = ""
    """The response's WARC-Record-ID, a UUID, which the request names."""
    mime: str = ""
    charset: str = ""
    title: str = ""
    language: str = ""
    canonical: str = ""
    noindex: bool = False
    nofollow: bool = False
    outlinks: tuple[tuple[Kind, str], ...] = ()
    """Absolute, normalised, distinct; without those that this worker has returned before at no greater depth."""
    links_seen: int = 0
    """Distinct outlinks of the page, the ones returned before included."""
    links_capped: bool = False
    size: int = 0
    """Bytes of the body after content decoding."""
    decoded: bytes | None = None
    """The decoded body where it differs from the payload and somebody asked for it (the mirror)."""
    etag: str = ""
    modified: str = ""
    """Last-Modified as received; this and ``etag`` are empty where they are too long to be of use."""
    listing: bool = False
    """Whether it is a sitemap or a feed."""
    dates: tuple[tuple[str, float], ...] = ()
    """When pages that it lists last changed, Unix seconds."""
    same_text: bool = False
    """Whether its bytes are not what they were in an earlier round, but its main text is."""
    extracted: Any = None
    """What the user's ``extract`` function returned."""
    extract_failure: str = ""
    """Why it returned nothing."""
    extract_size: int = 0
    """Bytes of what it returned, pickled."""
    extract_cost: Cost | None = None
    """None if it was not called."""


class Place(Struct, frozen=True):
    """Where a record stands in the archive."""

    segment: str
    """File name within ``archive/``, without ``.open``."""
    offset: int
    length: int
    revisit: bool = False


class Held(Struct, frozen=True):
    """An answer in memory."""

    head: bytes
    body: bytes
    """The payload: transfer coding removed, content coding kept."""


class _Bodied:
    """What a page knows beside the fields of its line in the log: where its body is, and who can fetch it."""

    __slots__ = ("_opener", "_payload", "_weight")
    _payload: Place | Held | None
    _opener: Callable[[Page], Awaitable[bytes]] | None
    _weight: int

    def know(self, payload: Place | Held | None, *, weight: int = 0) -> None:
        """Let the page know where its body is, and how many bytes it holds in memory; once, before anybody sees it."""
        object.__setattr__(self, "_payload", payload)
        object.__setattr__(self, "_weight", weight)

    def opened_by(self, opener: Callable[[Page], Awaitable[bytes]]) -> None:
        """Let the page know who reads its body; once, before anybody sees it."""
        object.__setattr__(self, "_opener", opener)

    @property
    def payload(self) -> Place | Held | None:
        """Where the body is; None without one."""
        return getattr(self, "_payload", None)

    @property
    def weight(self) -> int:
        """Bytes that the page holds in memory, besides its fields."""
        return getattr(self, "_weight", 0)


@dataclass(frozen=True, slots=True)
class Page(_Bodied):
    """A finished URL as the caller sees it, after its commit; a line of ``pages.jsonl`` is just this."""

    url: str
    outcome: Outcome
    detail: str
    status: int
    """HTTP status of the answer; 0 without one."""
    depth: int
    kind: Kind
    via: str | None
    attempts: int
    """Fetches made, the last one included."""
    fetched_at: datetime
    """When the last fetch began, UTC."""
    seconds: float
    """How long that fetch took."""
    address: str = ""
    mime: str = ""
    charset: str = ""
    title: str = ""
    language: str = ""
    canonical: str = ""
    noindex: bool = False
    nofollow: bool = False
    digest: str = ""
    """``sha256:`` and 64 hexadecimal digits of the payload; empty without one."""
    size: int = 0
    """Bytes of the body after content decoding."""
    wire_size: int = 0
    """Bytes of the payload as received."""
    links: int = 0
    links_capped: bool = False
    truncated: str = ""
    segment: str = ""
    """Archive file of its record; empty without one, as are offset and length."""
    offset: int = 0
    length: int = 0
    revisit: bool = False
    mirror: str = ""
    """File below ``mirror/``."""
    round: int = 1
    """Which crawl of the folder it was finished in."""
    change: Change | None = None
    """What became of it since it was last seen; None if it failed."""
    extracted: Any = None
    """What the ``extract`` function returned; None without one, and for pages it was not called for."""

    async def body(self) -> bytes:
        """Return the body after content decoding: from the archive, or from memory where nothing is archived.

        Works for pages that :meth:`crawler.Crawler.run` gave, also when the crawl is over.
        A body that was met before is archived once; it is read from there.

        Raises:
            NoBody: nothing came, it cannot be decoded, or this page did not come out of ``run``.
        """
        opener: Callable[[Page], Awaitable[bytes]] | None = getattr(self, "_opener", None)
        if opener is None:
            raise NoBody("only pages that Crawler.run gave can be asked for their bodies", where=self.url)
        return await opener(self)
