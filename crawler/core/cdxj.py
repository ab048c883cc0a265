"""CDXJ index lines: from a URL to the place of its record, in the form that pywb, cdxj-indexer and alike read and sort.

A line is a key, a 14-digit time and a JSON object: ``org,example)/path?query 20261123154001 {"url": …}``.
The key is the URL with its host turned round (SURT), canonicalised so that spellings of one page meet,
in the way of pywb's default:

- no scheme, user-info or fragment; no leading ``www.``, ``www2.`` and so on; no trailing dot of the host;
- the port only if it is not the scheme's own; an IPv6 address without its brackets;
- all in lower case; needless percent escapes undone; slashes in a row made one; no slash at the end of a path;
- the parts of the query sorted; an empty query dropped.

Unlike there, session ids stay: they tell pages apart that this crawler fetched apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from math import floor

_WWW = re.compile(r"^www[0-9]*\.")
_SLASHES = re.compile(r"//+")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNSAFE = re.compile(rb"[^!-~]|[#%]")
_IS_PLAIN = re.compile(r"[!-\"$&-~]*").fullmatch
_OWN_PORTS = {"http": "80", "https": "443"}
_PASSES = 8  # escapes of escapes are undone this deep: without end, they would cost a hostile URL's length squared


def surt(url: str) -> str:
    """Return the key under which an absolute, normalised URL is indexed; of any other text, some key without spaces."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    path = _SLASHES.sub("/", "/" + _plain(path))
    key = f"{_host(authority, scheme)})" + ((path[:-1] or "/") if path.endswith("/") else path)
    if not query:
        return key
    parts = sorted(part.split("=", 1) for part in _plain(query).split("&"))
    ordered = "&".join("=".join(part) for part in parts)
    return f"{key}?{ordered}" if ordered else key


def line(  # noqa: PLR0913 - the columns of the format
    url: str,
    date: float,
    *,
    mime: str,
    status: int,
    digest: bytes,
    length: int,
    offset: int,
    filename: str,
) -> str:
    """Return the index line of one record, without a line end. Lines are sorted as plain text.

    ``date`` is in Unix seconds, as given for the record; ``mime`` is ``warc/revisit`` for a revisit record;
    ``digest`` is the SHA-256 of the payload, empty if there is none; ``length`` and ``offset`` are those of the
    gzip member in the file ``filename``.
    """
    known = f'"digest": "sha256:{digest.hex()}", ' if digest else ""
    # The few columns are written by hand, at a third of an encoder's price: a page's line is made in one go with
    # those of its whole segment, while the journal makes everybody wait.
    return (
        f"{surt(url)} {_digits(floor(round(date, 6)))} "
        f'{{"url": {quoted(url)}, "mime": {quoted(mime)}, "status": "{status}", {known}'
        f'"length": "{length}", "offset": "{offset}", "filename": {quoted(filename)}}}'
    )


@lru_cache(maxsize=1024)
def _digits(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d%H%M%S}"


@lru_cache(maxsize=1024)
def _host(authority: str, scheme: str) -> str:
    name, port = _name_and_port(authority.rpartition("@")[2], scheme.lower())
    return (name if ":" in name else ",".join(reversed(name.split(".")))) + port


def _name_and_port(host: str, scheme: str) -> tuple[str, str]:
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    return _WWW.sub("", _plain(name).rstrip(".")), "" if port in ("", _OWN_PORTS.get(scheme)) else f":{_plain(port)}"


def _plain(text: str) -> str:
    """Undo needless escapes, make the needed ones, in lower case."""
    if _IS_PLAIN(text):
        return text.lower()
    raw = text.encode("utf-8", "replace")
    for _ in range(_PASSES):
        if b"%" not in raw:
            break
        raw = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), raw)
    return _UNSAFE.sub(lambda found: b"%%%02x" % ord(found[0]), raw).decode("ascii").lower()
