"""Undo content codings, within bounds (RFC 9110 §8.4; RFC 1950, 1951, 1952, 7932, 8878, 9659).

Every decoder is asked for a bounded number of bytes at a time, and the sum is compared with the bound before it asks
for more: a bomb costs what the bound allows, however small it is on the wire.
The bound is the smaller of ``limit`` and ``max_ratio`` times the body on the wire (1 MiB is always allowed), and it
holds for each of several codings, so nesting gains nothing.

Where real servers and browsers are lenient, so are we: any number of gzip members or zstd frames may follow each
other, and bytes after the end of a gzip, deflate or zstd stream are ignored; ``deflate`` may lack its zlib wrapper;
an empty body is empty in every coding.
Where they hide damage we do not: a stream without its end is truncated, and a wrong checksum is a failure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Protocol

import brotli
from isal import igzip_lib

from crawler.core.outcomes import Outcome

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MOST_CODINGS = 4
_MOST_MEMBERS = 4096
_FREE = 1024**2
_PIECE = 256 * 1024
_STEP = 1024**2
_BROTLI_STEP = 64 * 1024  # it rounds up to blocks, and larger ones with each
_WINDOW_LOG = 23  # 8 MiB, all that a zstd content coding may ask for (RFC 9659)

_GZIP = (b"\x1f\x8b",)
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + kind]) + b"\x2a\x4d\x18" for kind in range(16)))
_ERRORS: tuple[type[Exception], ...] = (
    igzip_lib.IsalError,  # type: ignore[assignment]  # its stub takes the class for an instance
    zstd.ZstdError,
    brotli.error,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body without its content codings, or why that cannot be had."""

    body: bytes
    """Whole; as far as it went if it was truncated; else empty."""
    outcome: Outcome | None = None
    """None if all is well."""
    detail: str = ""


def decode_body(body: bytes, codings: Sequence[str], *, limit: int, max_ratio: int) -> Decoded:
    """Undo the codings of a body, the last one applied first.

    Args:
        body: as it came over the wire.
        codings: in lower case and in the order applied, as :func:`crawler.core.headers.content_codings` has them.
        limit: bytes that a decoder may give, at most.
        max_ratio: bytes that it may give for each byte of ``body``, at most, where it gives more than 1 MiB.
    """
    if len(codings) > _MOST_CODINGS:
        return Decoded(
            b"", Outcome.CODING_REFUSED, f"{len(codings)} content codings, at most {_MOST_CODINGS} are taken"
        )
    for coding in codings:
        if coding not in _DECODERS:
            return Decoded(b"", Outcome.CODING_REFUSED, f"unknown content coding {coding[:40]!a}")
    bound = min(limit, max(_FREE, len(body) * max_ratio))
    truncated = ""
    for coding in reversed(codings):
        # What is left of a truncated body may well be cut off inside the next coding too.
        decoded = _DECODERS[coding](body, bound) if body else Decoded(b"")
        if decoded.outcome is Outcome.DECODE_TRUNCATED:
            truncated = truncated or f"{coding}: {decoded.detail}"
        elif decoded.outcome:
            return Decoded(b"", decoded.outcome, f"{coding}: {decoded.detail}")
        body = decoded.body
    return Decoded(body, Outcome.DECODE_TRUNCATED, truncated) if truncated else Decoded(body)


class _Stream(Protocol):
    """What the decoders of gzip, deflate and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


class _Output:
    """Decoded bytes, and how many more there may be."""

    __slots__ = ("_buffer", "_room")

    def __init__(self, bound: int) -> None:
        # Its value is handed out without a copy, so that no body is in memory twice.
        self._buffer = BytesIO()
        # One byte more than allowed, for only then is it too much.
        self._room = bound + 1

    @property
    def step(self) -> int:
        """Bytes to ask a decoder for."""
        return min(self._room, _STEP)

    def add(self, chunk: bytes) -> bool:
        """Take a chunk; say whether there is room for more."""
        self._buffer.write(chunk)
        self._room -= len(chunk)
        return self._room > 0

    def ended(self) -> Decoded:
        """Return all that was decoded."""
        return Decoded(self._buffer.getvalue())

    def truncated(self, at: int) -> Decoded:
        """Return what was decoded before the input ran out."""
        return Decoded(self._buffer.getvalue(), Outcome.DECODE_TRUNCATED, f"no end of stream in {at} bytes")


def _unpack(body: bytes, bound: int, *, new: Callable[[], _Stream], magic: tuple[bytes, ...]) -> Decoded:
    """Decode one stream, and those after it that begin with the magic number."""
    output, rest, at = _Output(bound), memoryview(body), 0
    try:
        for _ in range(_MOST_MEMBERS):
            stream = new()
            while not stream.eof:
                piece = rest[at : at + _PIECE] if stream.needs_input else b""
                at += len(piece)
                chunk = stream.decompress(piece, output.step)
                if not output.add(chunk):
                    return _too_large(bound)
                if not chunk and not piece and not stream.eof:
                    return output.truncated(at)
            at -= len(stream.unused_data)
            if not body.startswith(magic, at):
                return output.ended()
    except _ERRORS as error:
        return _failed(error)
    return Decoded(b"", Outcome.DECODE_FAILED, f"more than {_MOST_MEMBERS} members")


def _gzip(body: bytes, bound: int) -> Decoded:
    return _unpack(body, bound, new=partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_GZIP), magic=_GZIP)


def _zstd(body: bytes, bound: int) -> Decoded:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return _unpack(body, bound, new=partial(zstd.ZstdDecompressor, options=options), magic=_ZSTD)


def _deflate(body: bytes, bound: int) -> Decoded:
    """Decode zlib's format, as RFC 9110 §8.4.1.2 has it, or bare deflate, as servers do."""
    if _is_zlib(body):
        decoded = _unpack(body, bound, new=partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_ZLIB), magic=())
        if decoded.outcome is not Outcome.DECODE_FAILED:
            return decoded
    return _unpack(body, bound, new=partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_DEFLATE), magic=())


def _is_zlib(body: bytes) -> bool:
    # RFC 1950 §2.2: method 8, a window of at most 32 KiB, a multiple of 31.
    return body[0] & 0x8F == 0x08 and int.from_bytes(body[:2], "big") % 31 == 0


def _brotli(body: bytes, bound: int) -> Decoded:
    stream, output, rest, at = brotli.Decompressor(), _Output(bound), memoryview(body), 0
    try:
        while not stream.is_finished():
            piece = rest[at : at + _PIECE] if stream.can_accept_more_data() else b""
            at += len(piece)
            chunk = stream.process(piece, output_buffer_limit=min(_BROTLI_STEP, output.step))
            if not output.add(chunk):
                return _too_large(bound)
            if not chunk and not piece and not stream.is_finished():
                return output.truncated(at)
    except _ERRORS as error:
        return _failed(error)
    return output.ended()


def _identity(body: bytes, _bound: int) -> Decoded:
    return Decoded(body)


def _too_large(bound: int) -> Decoded:
    return Decoded(b"", Outcome.DECOMPRESSED_TOO_LARGE, f"more than {bound} bytes")


def _failed(error: Exception) -> Decoded:
    return Decoded(b"", Outcome.DECODE_FAILED, ascii(str(error))[1:-1])


_DECODERS: dict[str, Callable[[bytes, int], Decoded]] = {
    "identity": _identity,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
