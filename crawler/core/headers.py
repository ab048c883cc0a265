"""Heads of HTTP answers, and what their fields say (RFC 9110, RFC 9112).

A head is kept as the bytes that came, because the archive wants them so; :class:`Headers` is a view over it that
reads the fields when the first one is asked for.
Every function takes what a hostile server may send: none raises, and none takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

_LINE_ENDS = b"\r\n"
_IS_INTERIM = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+1(?!01)[0-9]{2}(?![0-9])", re.IGNORECASE).match
_STATUS = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+([0-9]{3})(?![0-9])", re.IGNORECASE).match
_FOLD = re.compile(r"\r?\n[ \t]+")

_SPACE = "\t\n\r "
_IS_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch
_IS_QUOTABLE = re.compile(r"[\t -~\x80-\xff]*").fullmatch
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)(\\)?"?', re.DOTALL).match
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_RANGE = re.compile(r"bytes[ \t]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE).fullmatch
_HAS_VALUE = re.compile(r"max-.*|unavailable_after").fullmatch
_IS_BOT = re.compile(r"[^\s:]+").fullmatch

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    # IMF-fixdate and RFC 850, and the crosses between them that servers send
    r"(?:[a-z]+,?[ ]+)?(?P<day>[0-9]{1,2})[- ](?P<month>[a-z]{3})[- ](?P<year>[0-9]{4}|[0-9]{2})"
    r"[ ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})[ ](?:gmt|utc)",
    re.IGNORECASE | re.ASCII,
).fullmatch
_ASCTIME = re.compile(
    r"[a-z]{3}[ ](?P<month>[a-z]{3})[ ](?P<day>[ 0-9][0-9])"
    r"[ ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})[ ](?P<year>[0-9]{4})",
    re.IGNORECASE | re.ASCII,
).fullmatch
_LONGEST_DATE = 64
_LONGEST_NUMBER = 15


def split_head(buffer: bytes) -> tuple[bytes, int] | None:
    """Find the head of the final answer at the start of raw bytes.

    Interim answers (1xx, RFC 9110 §15.2) before it are passed over; 101 is final, for nobody asked for it.
    A line may end in LF alone (RFC 9112 §2.2), and empty lines may stand before a status line.

    Returns:
        The head as received, from its status line to its empty line, and the index after it;
        None if it is not complete yet.
    """
    start = 0
    while True:
        while buffer[start : start + 1] in (b"\r", b"\n"):
            start += 1
        end = _end_of_head(buffer, start)
        if end is None:
            return None
        if not _IS_INTERIM(buffer, start):
            return buffer[start:end], end
        start = end


def _end_of_head(buffer: bytes, start: int) -> int | None:
    usual = buffer.find(b"\n\r\n", start)
    bare = buffer.find(b"\n\n", start, usual if usual >= 0 else len(buffer))
    if bare >= 0:
        return bare + 2
    return usual + 3 if usual >= 0 else None


class Headers:
    """A read-only view of a head as received."""

    __slots__ = ("_fields", "_head")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._fields: dict[str, list[str]] | None = None

    @property
    def status(self) -> int:
        """The status code; 0 if the first line is no status line with three digits."""
        match = _STATUS(self._head)
        return int(match[1]) if match else 0

    def get(self, name: str) -> str | None:
        """Return the first value of a field, decoded as Latin-1, or None if there is no such field."""
        values = self._parsed().get(name.lower())
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a field, in their order."""
        return tuple(self._parsed().get(name.lower(), ()))

    def _parsed(self) -> dict[str, list[str]]:
        if self._fields is None:
            self._fields = _fields(self._head.decode("latin-1"))
        return self._fields


def _fields(head: str) -> dict[str, list[str]]:
    if "\n " in head or "\n\t" in head:
        head = _FOLD.sub(" ", head)  # RFC 9112 §5.2
    fields: dict[str, list[str]] = {}
    for line in head.split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            # White space before the colon is an error that a reader removes (RFC 9112 §5.1).
            fields.setdefault(name.rstrip(" \t").lower(), []).append(value.strip(" \t\r"))
    return fields


@dataclass(frozen=True, slots=True)
class Mime:
    """A MIME type; ``str()`` serialises it as WHATWG does."""

    essence: str
    """Type, slash, subtype, in lower case."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name, in their order."""

    def __str__(self) -> str:
        return self.essence + "".join(f";{name}={_quoted(value)}" for name, value in self.parameters.items())


def parse_mime(value: str) -> Mime | None:
    """Read a MIME type, as a Content-Type field carries it.

    Returns:
        None if type and subtype cannot be read; parameters that cannot are left out.

    Source: WHATWG MIME Sniffing, "parse a MIME type".
    """
    value = value.strip(_SPACE)
    essence = value.partition(";")[0]
    kind, _, subtype = essence.partition("/")
    subtype = subtype.rstrip(_SPACE)
    if not (_IS_TOKEN(kind) and _IS_TOKEN(subtype)):
        return None
    parameters: dict[str, str] = {}
    at = len(essence) + 1
    while at < len(value):
        name, text, at = _parameter(value, at)
        if text is not None and name not in parameters and _IS_TOKEN(name) and _IS_QUOTABLE(text):
            parameters[name] = text
    return Mime(f"{kind}/{subtype}".lower(), parameters)


def _parameter(value: str, at: int) -> tuple[str, str | None, int]:
    """Read the parameter that begins at an index: its name, its value, the index after its semicolon."""
    end = value.find(";", at)
    end = len(value) if end < 0 else end
    equals = value.find("=", at, end)
    name = value[at : equals if equals >= 0 else end].lstrip(_SPACE)
    # Lower case is for ASCII alone: the Kelvin sign must not become a k.
    name = name.lower() if name.isascii() else name
    if equals < 0:
        return name, None, end + 1
    quoted = _QUOTED(value, equals + 1)
    if quoted is None:
        return name, value[equals + 1 : end].rstrip(_SPACE) or None, end + 1
    end = value.find(";", quoted.end())
    text = _ESCAPED.sub(r"\1", quoted[1]) + (quoted[2] or "")
    return name, text, len(value) if end < 0 else end + 1


def _quoted(value: str) -> str:
    if _IS_TOKEN(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def content_codings(value: str) -> tuple[str, ...]:
    """Return the codings of a Content-Encoding field in lower case, in the order in which they were applied."""
    return tuple(coding for part in value.split(",") if (coding := part.strip().lower()))


def robots_directives(values: Iterable[str], product: str) -> frozenset[str]:
    """Return what X-Robots-Tag fields, or the contents of robots meta elements, ask of a crawler.

    A field may begin with the name of the crawler it is for, and a later name in it takes over.

    Args:
        values: the fields or contents.
        product: our product token.

    Returns:
        Directives in lower case, ``none`` as the two it stands for; those with a value keep it, as ``max-snippet:20``.
    """
    ours = {"*", "robots", product.lower()}
    found: set[str] = set()
    for value in values:
        for_us = True
        for part in value.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            name, directive = name.rstrip(), rest.strip()
            if colon and _HAS_VALUE(name):
                found |= {f"{name}:{directive}"} if for_us else set()
                continue
            if colon and _IS_BOT(name):
                for_us = name in ours
                name = directive
            if for_us:
                found.update(name.split())
    if "none" in found:
        found = found - {"none"} | {"noindex", "nofollow"}
    return frozenset(found)


def is_whole(content_range: str | None) -> bool:
    """Tell whether what a 206 brings unasked is all there is: one range, from the first byte to the last.

    Args:
        content_range: the field; without it there are several ranges, or nobody knows.

    Source: RFC 9110 §14.4.
    """
    found = _RANGE((content_range or "").strip())
    return found is not None and int(found[1]) == 0 and int(found[2]) + 1 == int(found[3])


def unknown_transfer_coding(values: Iterable[str]) -> str:
    """Return the first transfer coding of an answer that is not undone by then, empty if there is none.

    ``chunked`` is, where it stands alone; ``identity`` is an old word for no coding at all (RFC 2616 §3.6).

    Args:
        values: the Transfer-Encoding fields.
    """
    codings = [coding.strip("\t ").lower() for coding in ",".join(values).split(",")]
    codings = [coding for coding in codings if coding]
    strange = (coding for coding in codings if coding not in ("chunked", "identity"))
    mixed = "chunked, identity" if {"chunked", "identity"} <= set(codings) else ""
    return next(strange, mixed)


def retry_after(value: str, now: float, *, limit: float) -> float | None:
    """Return how long a server asks us to stay away.

    Args:
        value: the field as received: seconds, or an HTTP date.
        now: Unix time, seconds.
        limit: seconds; a longer wish is cut to this.

    Returns:
        Seconds from ``now``, within 0..limit; None if ``value`` is neither form.

    Source: RFC 9110 §10.2.3.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:_LONGEST_NUMBER]), limit) if len(value) <= _LONGEST_NUMBER else limit
    date = http_date(value, now)
    return None if date is None else min(max(date - now, 0.0), limit)


def http_date(value: str, now: float | None = None) -> float | None:
    """Read an HTTP date in any of its three forms.

    The name of the day is not compared with the date, dashes and spaces may be mixed, and UTC passes for GMT.

    Args:
        value: the date.
        now: Unix time, seconds, by which a year of two digits is taken for one at most 50 years ahead;
            without it such years are 1970 to 2069.

    Returns:
        Unix time, seconds; None if it is no date.

    Source: RFC 9110 §5.6.7.
    """
    value = value.strip()
    match = (_DATE(value) or _ASCTIME(value)) if len(value) <= _LONGEST_DATE else None
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"].lower()) + 1
    year, day = int(match["year"]), int(match["day"])
    hour, minute, second = (int(part) for part in match["time"].split(":"))
    try:
        if len(match["year"]) == 2:
            year = _whole_year(year, now)
        # A leap second has no Unix time of its own.
        return datetime(year, month, day, hour, minute, 59 if second == 60 else second, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _whole_year(last_digits: int, now: float | None) -> int:
    latest = datetime.fromtimestamp(now, tz=UTC).year + 50 if now is not None else 2069
    return latest - (latest - last_digits) % 100
