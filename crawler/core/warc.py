"""WARC/1.1 (ISO 28500:2017): records as bytes.

An exchange becomes two records, ``request`` and ``response``, which name each other; each record is one gzip member,
so a record can be had by its offset alone and a file is a plain concatenation of what these functions return.
Everything is an argument, record ids and times too: the same arguments give the same bytes.

Digests are ``sha256:`` and 64 hexadecimal digits, the form that needs no padding and that other tools verify.
The block digest covers what stands in the record, the payload digest the body alone.

A body arrives here with its transfer coding removed, but its head still announces one.
Such a head would make the block invalid HTTP, and readers would look for chunks that are not there.
So the names of its ``Transfer-Encoding`` and ``Content-Length`` lines are prefixed with ``X-Crawler-``,
and a true ``Content-Length`` is added at its end (RFC 9112 §6.3); every other byte of a head is as received.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from crawler.core.warc_reader import EMPTY_LINE, TAIL, Member, WarcError, members

try:
    from isal import igzip_lib

    def compress(record: bytes) -> bytes:
        """Pack a record into one gzip member, without a time stamp."""
        return igzip_lib.compress(record, 2, igzip_lib.COMP_GZIP)

except ImportError:  # isal has no wheel here

    def compress(record: bytes) -> bytes:
        """Pack a record into one gzip member, without a time stamp."""
        return zlib.compress(record, 3, wbits=31)  # the ratio of isal's level 2, at four times its price


__all__ = ["IDENTICAL", "NOT_MODIFIED", "Member", "WarcError", "compress", "exchange", "members", "revisit", "warcinfo"]

NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"

_FRAMING = re.compile(rb"(?<=\n)(?=(?:transfer-encoding|content-length)[ \t]*:)", re.IGNORECASE)
_CODED = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_UNSAFE = re.compile(r"[^!-~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def exchange(  # noqa: PLR0913 - what a record must say; a class to carry it would cost the hot path and say no more
    url: str,
    request: bytes,
    head: bytes,
    body: bytes,
    *,
    digest: bytes,
    address: str,
    date: float,
    truncated: str,
    ids: tuple[str, str],
) -> tuple[bytes, bytes]:
    """Return the gzip members of a ``request`` and of its ``response`` record.

    Args:
        url: absolute, without fragment.
        request: request line and header as sent, up to and with the empty line.
        head: status line and header as received, up to and with the empty line.
        body: the payload: transfer coding removed, content coding kept.
        digest: SHA-256 of ``body``, 32 bytes.
        address: IP address that answered; empty if not known.
        date: Unix seconds at which the exchange began.
        truncated: why the body is cut (WARC-Truncated); empty if it is whole.
        ids: two different UUIDs as text, for the request and for the response.

    A head whose first empty line is not its end has no body that readers would agree on: its response is written
    without a payload digest.
    """
    asked, answered = ids
    common = f"WARC-Date: {_date(date)}\r\nWARC-Target-URI: {_uri(url)}\r\n"
    if address:
        common += f"WARC-IP-Address: {address}\r\n"
    first = _member(
        f"request\r\nWARC-Record-ID: <urn:uuid:{asked}>\r\n{common}WARC-Concurrent-To: <urn:uuid:{answered}>\r\n"
        "Content-Type: application/http;msgtype=request\r\n",
        (request,),
    )
    end = EMPTY_LINE.search(head)
    payload = f"WARC-Payload-Digest: sha256:{digest.hex()}\r\n" if end and end.end() == len(head) else ""
    cut = f"WARC-Truncated: {truncated}\r\n" if truncated else ""
    second = _member(
        f"response\r\nWARC-Record-ID: <urn:uuid:{answered}>\r\n{common}WARC-Concurrent-To: <urn:uuid:{asked}>\r\n"
        f"{payload}{cut}Content-Type: application/http;msgtype=response\r\n",
        (_plain(head, len(body)), body),
    )
    return first, second


def revisit(  # noqa: PLR0913 - as exchange
    url: str,
    head: bytes,
    *,
    digest: bytes,
    address: str,
    date: float,
    refers_to: tuple[str, float],
    record_id: str,
    profile: str = IDENTICAL,
    truncated: str = "",
) -> bytes:
    """Return the gzip member of a ``revisit`` record: an answer whose payload is in the archive already.

    The block is the head alone. ``refers_to`` is the URL and the date of the exchange that holds the payload, and
    ``digest`` that payload's. ``record_id`` is a UUID as text, ``profile`` IDENTICAL for a payload
    that came again and NOT_MODIFIED for one that did not need to; the other arguments are those of :func:`exchange`.
    """
    target, then = refers_to
    return _member(
        f"revisit\r\nWARC-Record-ID: <urn:uuid:{record_id}>\r\nWARC-Date: {_date(date)}\r\n"
        f"WARC-Target-URI: {_uri(url)}\r\n"
        + (f"WARC-IP-Address: {address}\r\n" if address else "")
        + f"WARC-Profile: {profile}\r\nWARC-Refers-To-Target-URI: {_uri(target)}\r\n"
        f"WARC-Refers-To-Date: {_date(then)}\r\nWARC-Payload-Digest: sha256:{digest.hex()}\r\n"
        + (f"WARC-Truncated: {truncated}\r\n" if truncated else "")
        + "Content-Type: application/http;msgtype=response\r\n",
        (_plain(head, None),),
    )


def warcinfo(name: str, fields: Mapping[str, str], *, date: float, record_id: str) -> bytes:
    """Return the gzip member of the ``warcinfo`` record that begins the file ``name``.

    Control characters in the fields become spaces.
    """
    lines = "".join(f"{_CONTROL.sub(' ', key)}: {_CONTROL.sub(' ', value)}\r\n" for key, value in fields.items())
    return _member(
        f"warcinfo\r\nWARC-Record-ID: <urn:uuid:{record_id}>\r\nWARC-Date: {_date(date)}\r\n"
        f"WARC-Filename: {name}\r\nContent-Type: application/warc-fields\r\n",
        (lines.encode("utf-8", "replace"),),
    )


def _member(fields: str, block: Sequence[bytes]) -> bytes:
    digest, size = sha256(), 0
    for part in block:
        digest.update(part)
        size += len(part)
    head = f"WARC/1.1\r\nWARC-Type: {fields}WARC-Block-Digest: sha256:{digest.hexdigest()}\r\nContent-Length: {size}"
    return compress(b"".join((head.encode(), TAIL, *block, TAIL)))


def _plain(head: bytes, size: int | None) -> bytes:
    """Make a head true of a body without transfer coding."""
    if not _CODED.search(head):
        return head
    head = _FRAMING.sub(b"X-Crawler-", head)
    if size is None:
        return head
    end = len(head) - (2 if head.endswith(b"\r\n") else 1)
    return b"%bContent-Length: %d\r\n%b" % (head[:end], size, head[end:])


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def _uri(url: str) -> str:
    """Escape what would break out of a header line; a normalised URL holds nothing of the kind."""
    if url.isascii() and url.isprintable() and " " not in url:
        return url
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), url)
