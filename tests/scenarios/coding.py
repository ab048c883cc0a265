"""Scenarios of content codings: bodies that are cut, damaged, or far larger than they look."""

from __future__ import annotations

import gzip
import random
import zlib
from functools import cache
from typing import Any

import brotli

from crawler.core.outcomes import Outcome
from crawler.testing.answers import zstd
from crawler.testing.hostile import PAGE, Scenario, Stage, answers

_MIB = 1024**2
SETTINGS = {
    "fetch": {"head_timeout": 20.0, "total_timeout": 50.0, "lowest_rate_after": 20.0},
    "parse": {"timeout": 20.0},
}
"""Nothing here is about time, so a busy machine may take its own."""
_LONG = PAGE + random.Random(7).randbytes(20_000).hex().encode()  # noqa: S311  filling is no secret


@cache
def zeros(size: int) -> bytes:
    return gzip.compress(bytes(size), mtime=0)


def _coded(number: int, name: str, does: str, body: bytes, coding: str, outcome: Any, *, check: Any = None) -> Scenario:
    return Scenario(number, name, does, outcome, 1, answers(body, Content_Encoding=coding), check=check)


def read(run: Any, stage: Stage) -> None:
    assert run.page(stage)["title"] == "well"


_GZIP = gzip.compress(_LONG, mtime=0)
_OK, _BIG = Outcome.OK, Outcome.DECOMPRESSED_TOO_LARGE
_LOOSE = zlib.compressobj(9, zlib.DEFLATED, -15)
_BARE_BOMB = _LOOSE.compress(bytes(64 * _MIB)) + _LOOSE.flush()
_WIDE = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"
"""The frame of a zstd stream that asks for a window of 2 GiB (RFC 8878 §3.1.1.1.2)."""
_SKIPPED = b"\x50\x2a\x4d\x18\x05\x00\x00\x00" + b"x" * 5
_FAILED = Outcome.DECODE_FAILED
_ODD_STREAMS = (
    _coded(45, "wrong size", "sends a gzip body with a wrong size", _GZIP[:-4] + b"\xff" * 4, "gzip", _FAILED),
    _coded(45, "zlib called gzip", "calls zlib's format gzip", zlib.compress(PAGE), "gzip", _FAILED),
    _coded(45, "gzip called brotli", "calls gzip brotli", _GZIP, "br", _FAILED),
    _coded(45, "brotli called gzip", "calls brotli gzip", brotli.compress(PAGE), "gzip", _FAILED),
    _coded(44, "gzip without a body", "sends a gzip header alone", _GZIP[:10], "gzip", Outcome.DECODE_TRUNCATED),
    _coded(46, "bytes after brotli", "appends rubbish to a brotli body", brotli.compress(PAGE) + b"x", "br", _FAILED),
    _coded(
        46, "bytes after zstd", "appends rubbish to a zstd body", zstd.compress(PAGE) + b"x", "zstd", _OK, check=read
    ),
    _coded(
        46,
        "zstd in parts",
        "sends zstd frames, one to be skipped",
        _SKIPPED + zstd.compress(PAGE) * 2,
        "zstd",
        _OK,
        check=read,
    ),
    _coded(46, "90,000 members", "sends 90,000 empty gzip members", gzip.compress(b"") * 90_000, "gzip", _FAILED),
    _coded(
        46,
        "name of a megabyte",
        "gives a gzip body a name of a megabyte",
        b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * _MIB + b"\0" + _GZIP[10:],
        "gzip",
        _OK,
        check=read,
    ),
    _coded(49, "three names", "writes the coding as GZIP, between commas", _GZIP, " , GZIP ,, ", _OK, check=read),
    _coded(49, "old name", "calls gzip x-gzip", _GZIP, "x-gzip", _OK, check=read),
    _coded(
        50,
        "bomb behind a page",
        "sends a gzip bomb behind a page",
        gzip.compress(PAGE) + zeros(64 * _MIB),
        "gzip",
        _BIG,
    ),
    _coded(50, "bare bomb", "sends 64 MiB of zeros in deflate without its wrapper", _BARE_BOMB, "deflate", _BIG),
    _coded(52, "window of 2 GiB", "asks for 2 GiB of memory for a zstd body", _WIDE, "zstd", _FAILED),
    _coded(
        53, "dead coding", "compresses as Unix did", b"\x1f\x9d\x90" + b"x" * 50, "compress", Outcome.CODING_REFUSED
    ),
)
SCENARIOS = (
    _coded(
        44,
        "truncated gzip",
        "cuts a gzip body, and says nothing of it",
        _GZIP[: len(_GZIP) // 2],
        "gzip",
        Outcome.DECODE_TRUNCATED,
    ),
    _coded(
        44, "truncated deflate", "cuts a deflate body", zlib.compress(_LONG)[:-100], "deflate", Outcome.DECODE_TRUNCATED
    ),
    _coded(44, "truncated brotli", "cuts a brotli body", brotli.compress(_LONG)[:-100], "br", Outcome.DECODE_TRUNCATED),
    _coded(44, "truncated zstd", "cuts a zstd body", zstd.compress(_LONG)[:-100], "zstd", Outcome.DECODE_TRUNCATED),
    _coded(
        45,
        "wrong checksum",
        "sends a gzip body with a wrong checksum",
        _GZIP[:-8] + b"\0" * 4 + _GZIP[-4:],
        "gzip",
        Outcome.DECODE_FAILED,
    ),
    _coded(45, "gzip that is none", "calls plain text gzip", PAGE, "gzip", Outcome.DECODE_FAILED),
    _coded(45, "brotli that is none", "calls noise brotli", b"\xff" * 200, "br", Outcome.DECODE_FAILED),
    _coded(46, "bytes after gzip", "appends rubbish to a gzip body", _GZIP + b"rubbish", "gzip", _OK, check=read),
    _coded(
        46,
        "gzip in parts",
        "sends several gzip members",
        gzip.compress(PAGE) + gzip.compress(b"more"),
        "gzip",
        _OK,
        check=read,
    ),
    _coded(
        47, "bare deflate", "sends deflate without its wrapper", zlib.compress(PAGE)[2:-4], "deflate", _OK, check=read
    ),
    *_ODD_STREAMS,
    _coded(48, "empty gzip", "calls an empty body gzip", b"", "gzip", _OK),
    _coded(
        49,
        "gzip twice",
        "compresses twice",
        gzip.compress(gzip.compress(PAGE)),
        "gzip, gzip",
        _OK,
        check=read,
    ),
    _coded(
        50, "gzip bomb", "sends 64 MiB of zeros in 64 KiB", zeros(64 * _MIB), "gzip", Outcome.DECOMPRESSED_TOO_LARGE
    ),
    _coded(
        51,
        "bomb in a bomb",
        "sends a gzip bomb, compressed again",
        gzip.compress(zeros(64 * _MIB), mtime=0),
        "gzip, gzip",
        Outcome.DECOMPRESSED_TOO_LARGE,
    ),
    _coded(
        52,
        "brotli bomb",
        "sends 64 MiB of zeros in brotli",
        brotli.compress(bytes(64 * _MIB), quality=1),
        "br",
        Outcome.DECOMPRESSED_TOO_LARGE,
    ),
    _coded(
        52,
        "zstd bomb",
        "sends 64 MiB of zeros in zstd",
        zstd.compress(bytes(64 * _MIB)),
        "zstd",
        Outcome.DECOMPRESSED_TOO_LARGE,
    ),
    _coded(53, "unknown coding", "says a content coding that does not exist", PAGE, "rot13", Outcome.CODING_REFUSED),
    _coded(53, "identity", "says that the body is not coded", PAGE, "identity", _OK, check=read),
    _coded(54, "five codings", "says five codings", PAGE, "gzip, gzip, gzip, gzip, gzip", Outcome.CODING_REFUSED),
    _coded(
        54, "a thousand codings", "says a thousand codings", PAGE, ", ".join(["gzip"] * 1000), Outcome.CODING_REFUSED
    ),
)
