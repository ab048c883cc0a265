"""What a path of the test website answers, and what it may do wrong."""

from __future__ import annotations

import asyncio
import gzip
import sys
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypedDict

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Answer", "Coding", "Failure", "Faults", "encode", "zstd"]

_CHUNK = 1000

Coding = Literal["gzip", "deflate", "br", "zstd"]
Failure = int | tuple[int, str]
"""A status, or a status and its Retry-After."""


class Faults(TypedDict, total=False):
    """What a path may do besides answering; all of it can be combined."""

    slow: asyncio.Event | float
    """Answer only after this event, or after so many seconds."""
    fail_times: Sequence[Failure]
    """Answer these first, one a request, and be well afterwards."""
    truncate: int
    """Send the whole header, this many bytes of the body, and hang up."""
    drop: bool
    """Hang up without answering."""
    reset: bool
    """Hang up by RST: instead of the answer, or after ``truncate``."""
    coding: Coding
    """Compress the body, whether the client accepts that or not."""
    chunked: bool
    """Send the body in chunks instead of announcing its length."""


@dataclass(slots=True)
class Answer:
    """What a path answers. ``payload`` is the body with its content coding, without transfer coding."""

    status: int
    payload: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    slow: asyncio.Event | float = 0.0
    failures: deque[Failure] = field(default_factory=deque)
    truncate: int | None = None
    drop: bool = False
    reset: bool = False
    chunked: bool = False

    @property
    def silent(self) -> bool:
        """Whether the connection is closed without any answer."""
        return self.drop or (self.reset and self.truncate is None)

    def now(self, asked: Mapping[str, str]) -> Answer:
        """Return what is answered this time: a failure that is still due, "not modified", or the page."""
        if self.failures:
            failure = self.failures.popleft()
            status, retry_after = failure if isinstance(failure, tuple) else (failure, "")
            return Answer(status, b"not now\n", {"Retry-After": retry_after} if retry_after else {}, slow=self.slow)
        validators = (("if-none-match", "ETag"), ("if-modified-since", "Last-Modified"))
        if any(asked.get(condition, "") == self.headers.get(name) for condition, name in validators):
            return Answer(304, headers=self.headers, slow=self.slow)
        return self

    def head(self) -> bytes:
        """Return status line and header, up to and with the empty line."""
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != HTTPStatus.NOT_MODIFIED:
            lines.append("Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(self.payload)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def body(self) -> bytes:
        """Return what follows the header on the wire, cut if this answer is to be cut."""
        cut = self.payload if self.truncate is None else self.payload[: self.truncate]
        if not self.chunked:
            return cut
        pieces = [cut[at : at + _CHUNK] for at in range(0, len(cut), _CHUNK)]
        wire = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return wire if self.truncate is not None else wire + b"0\r\n\r\n"


def encode(body: bytes, coding: Coding) -> bytes:
    """Compress a body; the same bytes for the same body, always."""
    match coding:
        case "gzip":
            return gzip.compress(body, mtime=0)
        case "deflate":
            return zlib.compress(body)
        case "br":
            return bytes(brotli.compress(body))
        case "zstd":
            return zstd.compress(body)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Whatever"
