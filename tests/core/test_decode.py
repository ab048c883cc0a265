from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Sequence

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.decode import Decoded, decode_body
from crawler.core.outcomes import Outcome

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024**2
PAGE = b"".join(b"<li><a href='/page/%d'>%d</a>" % (number, number * 7919) for number in range(2000))


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "x-gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "bare deflate": bare_deflate,
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": zstd.compress,
    "identity": bytes,
}
KINDS = sorted(PACK)
PACKED = [kind for kind in KINDS if kind != "identity"]


def decode(body: bytes, *codings: str, limit: int = 32 * MIB, max_ratio: int = 200) -> Decoded:
    return decode_body(body, [coding.removeprefix("bare ") for coding in codings], limit=limit, max_ratio=max_ratio)


@given(body=st.binary(max_size=2000), kinds=st.lists(st.sampled_from(KINDS), max_size=4))
def test_what_was_packed_comes_back(body: bytes, kinds: Sequence[str]) -> None:
    packed = body
    for kind in kinds:
        packed = PACK[kind](packed)

    assert decode(packed, *kinds) == Decoded(body)


@pytest.mark.parametrize("kind", PACKED)
def test_a_body_of_many_pieces_comes_back(kind: str) -> None:
    body = b"".join(number.to_bytes(3, "big") * 2 for number in range(700_000))

    assert decode(PACK[kind](body), kind) == Decoded(body)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_streams_in_a_row_are_one_body(kind: str) -> None:
    assert decode(PACK[kind](b"one ") + PACK[kind](b"") + PACK[kind](b"two"), kind) == Decoded(b"one two")


def test_skippable_zstd_frames_are_skipped() -> None:
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"

    assert decode(skippable + PACK["zstd"](b"x") + skippable, "zstd") == Decoded(b"x")


@pytest.mark.parametrize("kind", ["gzip", "deflate", "bare deflate", "zstd"])
def test_what_follows_the_end_of_a_stream_is_ignored(kind: str) -> None:
    assert decode(PACK[kind](PAGE) + b"\0\0junk", kind) == Decoded(PAGE)


@pytest.mark.parametrize("kind", ["gzip", "deflate", "br", "zstd"])
def test_an_empty_body_is_empty_in_every_coding(kind: str) -> None:
    assert decode(b"", kind, "gzip") == Decoded(b"")


@pytest.mark.parametrize("kind", PACKED)
def test_a_stream_without_its_end_is_truncated_and_what_came_is_kept(kind: str) -> None:
    packed = PACK[kind](PAGE)

    results = [decode(packed[:cut], kind) for cut in range(1, len(packed), 37)]

    assert {result.outcome for result in results} == {Outcome.DECODE_TRUNCATED}
    assert all(PAGE.startswith(result.body) for result in results)


@pytest.mark.parametrize("kind", ["gzip", "deflate", "bare deflate", "br"])
def test_half_a_stream_gives_about_half_the_body(kind: str) -> None:
    packed = PACK[kind](PAGE)

    assert len(decode(packed[: len(packed) // 2], kind).body) > len(PAGE) // 4


def test_a_truncated_stream_inside_another_is_truncated() -> None:
    packed = PACK["gzip"](PACK["br"](PAGE)[:-9])

    result = decode(packed, "br", "gzip")

    assert (result.outcome, result.detail.split(":")[0]) == (Outcome.DECODE_TRUNCATED, "br")
    assert PAGE.startswith(result.body)
    assert result.body


def test_a_wrong_checksum_is_a_failure() -> None:
    packed = gzip.compress(PAGE)
    wrong = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]

    assert decode(wrong, "gzip").outcome is Outcome.DECODE_FAILED


def test_a_wrong_length_is_a_failure() -> None:
    packed = gzip.compress(PAGE)

    assert decode(packed[:-1] + bytes([packed[-1] ^ 1]), "gzip").outcome is Outcome.DECODE_FAILED


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_plain_body_with_a_coding_is_a_failure(coding: str) -> None:
    result = decode(b"<!doctype html><p>not packed at all, whatever the header says</p>" * 9, coding)

    assert (result.outcome, result.body) == (Outcome.DECODE_FAILED, b"")
    assert result.detail.startswith(f"{coding}: ")
    assert result.detail.isprintable()


@pytest.mark.parametrize("codings", [["gzip"] * 5, ["identity"] * 5, ["compress"], ["gzip", "x\x1by"], ["GZIP"], [""]])
def test_too_many_and_unknown_codings_are_refused(codings: list[str]) -> None:
    result = decode(b"x", *codings)

    assert result.outcome is Outcome.CODING_REFUSED
    assert result.detail.isprintable()


@pytest.mark.parametrize("kind", PACKED)
def test_the_limit_is_the_last_size_that_is_taken(kind: str) -> None:
    packed = PACK[kind](PAGE)

    assert decode(packed, kind, limit=len(PAGE)) == Decoded(PAGE)
    assert decode(packed, kind, limit=len(PAGE) - 1).outcome is Outcome.DECOMPRESSED_TOO_LARGE


@pytest.mark.parametrize("kind", PACKED)
def test_a_megabyte_may_be_packed_as_tightly_as_it_can_be(kind: str) -> None:
    assert decode(PACK[kind](bytes(MIB)), kind, max_ratio=1) == Decoded(bytes(MIB))
    assert decode(PACK[kind](bytes(MIB + 1)), kind, max_ratio=1).outcome is Outcome.DECOMPRESSED_TOO_LARGE


def test_above_a_megabyte_the_ratio_counts_from_the_bytes_on_the_wire() -> None:
    once = gzip.compress(bytes(8 * MIB))
    twice = gzip.compress(once)

    assert decode(once, "gzip", max_ratio=2000) == Decoded(bytes(8 * MIB))
    assert decode(twice, "gzip", "gzip", max_ratio=2000).outcome is Outcome.DECOMPRESSED_TOO_LARGE


@pytest.mark.parametrize("kind", PACKED)
def test_a_bomb_costs_no_more_memory_than_its_limit(kind: str) -> None:
    bomb = PACK[kind](bytes(64 * MIB))

    tracemalloc.start()
    result = decode(bomb, kind, limit=8 * MIB, max_ratio=10**6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (result.outcome, result.body) == (Outcome.DECOMPRESSED_TOO_LARGE, b"")
    assert peak < 12 * MIB


def test_a_body_of_endless_members_is_given_up() -> None:
    assert decode(gzip.compress(b"") * 5000, "gzip").outcome is Outcome.DECODE_FAILED


def test_a_zstd_window_above_8_mib_is_refused() -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 25})

    assert decode(packer.compress(PAGE) + packer.flush(), "zstd").outcome is Outcome.DECODE_FAILED


def test_a_gzip_head_may_carry_all_its_fields() -> None:
    packed = gzip.compress(PAGE, mtime=0)
    head = b"\x1f\x8b\x08\x1c" + packed[4:10] + b"\x02\x00ab" + b"name\0" + b"comment\0"

    assert decode(head + packed[10:], "gzip") == Decoded(PAGE)


@given(body=st.binary(max_size=300), coding=st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_no_bytes_are_an_error(body: bytes, coding: str) -> None:
    result = decode(body, coding, limit=1000)

    assert result.outcome in {None, Outcome.DECODE_TRUNCATED, Outcome.DECODE_FAILED, Outcome.DECOMPRESSED_TOO_LARGE}
    assert len(result.body) <= 1000


@given(
    kind=st.sampled_from(PACKED),
    at=st.integers(0, 2000),
    byte=st.integers(0, 255),
    junk=st.binary(max_size=30),
)
def test_no_damage_is_an_error(kind: str, at: int, byte: int, junk: bytes) -> None:
    packed = bytearray(PACK[kind](PAGE[:3000]))
    packed[at % len(packed)] = byte

    result = decode(bytes(packed) + junk, kind)

    assert result.outcome in {None, Outcome.DECODE_TRUNCATED, Outcome.DECODE_FAILED, Outcome.DECOMPRESSED_TOO_LARGE}
    assert len(result.body) <= MIB
