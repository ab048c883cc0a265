"""robots.txt: which URLs of a host we may fetch, and how slowly (RFC 9309).

The file passes through two hands.
Our front turns hostile bytes into lines, finds the group that speaks to us, and writes its rules down again, cleanly,
as the only group of a new file; protego then matches paths against that.
The front is ours because groups are where parsers differ: only ``Allow`` and ``Disallow`` close the list of
``User-agent`` lines above them, never ``Sitemap``, ``Crawl-delay`` or a line nobody knows (RFC 9309 §2.2.1, §2.2.4),
and all groups of one name are one group.

Bounds: 500 KiB of file (§2.5), 16 KiB of line, 1,000 sitemaps.
A wildcard may have to be tried at every character of a URL, so the work of one check grows with the text of the
wildcard rules times the length of the URL; a check past ``_MAX_WORK`` is not made, and its URL counts as disallowed.
Real files stay far below it: 500 wildcard rules of 30 characters allow URLs of 2,000 characters, 100 any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from math import isfinite
from urllib.parse import quote_from_bytes

from msgspec import Struct
from protego import Protego

_MAX_FILE = 500 * 1024
_MAX_LINE = 8 * 2083 - 1  # eight times the longest URL that browsers used to take
_MAX_SITEMAPS = 1000
_MAX_SITEMAP_LENGTH = 8192
_MAX_WORK = 64_000_000  # 6 ms at worst on a slow core
_PER_RULE = 32  # characters: what a wildcard rule costs beside its text,
_PER_URL = 64  # and beside the URL's

_BOMS = ((b"\xef\xbb\xbf", ""), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb", ""))
_IS_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body|script|meta|title|\?xml)", re.IGNORECASE).match
_RECORDS = re.compile(
    # A colon ends the key; where it was forgotten, white space does, if exactly one word follows.
    rb"^[ \t\v\f]*+(user[- ]?agent|allow|diss?all?ow|diasllow|disallaw|crawl[- ]?delay|site-?map)"
    rb"(?:[^:#\n]*+:|[^\s:#]*+[ \t]++(?=[^\s:#]++[ \t]*+(?:\#|$)))"
    rb"([^#\n]*+)",
    re.IGNORECASE | re.MULTILINE,
).finditer
_TOKEN = re.compile(rb"[A-Za-z_-]*").match
_IS_TOKEN = re.compile(rb"[A-Za-z_-]+").fullmatch
_WORD = re.compile(rb"[^\s/]*").match
_IS_PLAIN = re.compile(rb"[!-~]+").fullmatch
_SAFE = bytes(range(0x21, 0x7F))
_NUMBER = re.compile(rb"[0-9]{0,300}(?:\.[0-9]{0,300})?(?:[eE][+-]?[0-9]{1,4})?").fullmatch
_SITEMAP = re.compile(r"https?://[^\s/\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", re.IGNORECASE).fullmatch
_ITSELF = "/robots.txt"
_HOST = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*+:)?(?://[^/?#]*+)?")


class RobotsVerdict(Enum):
    """What the status of the answer to a robots.txt request means."""

    PARSE = "parse"
    ALLOW_ALL = "allow_all"
    """Unavailable, RFC 9309 §2.3.1.3: there are no rules."""
    UNREACHABLE = "unreachable"
    """RFC 9309 §2.3.1.4: assume complete disallow, and ask again later."""


def judge_answer(status: int) -> RobotsVerdict:
    """Tell what a final status, redirects followed, says about the rules.

    401 and 403 mean "no rules" like any other 4xx; 429 alone means that the server had no time to tell.
    """
    if 200 <= status < 300:
        return RobotsVerdict.PARSE
    if 400 <= status < 500 and status != 429:
        return RobotsVerdict.ALLOW_ALL
    return RobotsVerdict.UNREACHABLE


def allowed(robots: bytes, user_agent: str, url: str) -> bool:
    """Tell whether a robots.txt lets a crawler fetch a URL.

    Args:
        robots: the body as received.
        user_agent: a product token, or a whole User-Agent that begins with one and a slash.
        url: absolute; what follows the host is compared.
    """
    return Robots.parse(robots, user_agent).allows(url)


def deciding_line(robots: bytes, user_agent: str, url: str) -> tuple[int, str] | None:
    """Return the line that says whether a crawler may fetch a URL, and its number; None if no line speaks of it.

    Of those that match it is the one with the longest path, and of equals one that allows (RFC 9309 §2.2.2).

    The arguments are those of :func:`allowed`.
    """
    text = _lines(robots.replace(b"\r\n", b"\n"))
    reading = _Reading(user_agent.partition("/")[0].strip())
    for record in _RECORDS(text):
        reading.take(record)
    matching = [
        (len(path), kind == "allow", -at)
        for kind, path, at in reading.lines
        if path and not Robots(_rules=_matcher([("disallow", _printable(path))])).allows(url)
    ]
    if not matching:
        return None
    at = -max(matching)[2]
    line = text[at : (text + b"\n").index(b"\n", at)]
    return text.count(b"\n", 0, at) + 1, line.decode("utf-8", "replace").strip()


class Robots(Struct, frozen=True):
    """The rules of one host for one crawler."""

    crawl_delay: float | None = None
    """Seconds, finite and not negative: the longest that was asked of us."""
    sitemaps: tuple[str, ...] = ()
    """Absolute http(s) URLs, distinct, in the order of the file."""
    _rules: Protego | None = None
    """None where nothing is disallowed."""
    _weight: int = 0
    """Characters to try at each character of a URL, at worst."""

    @classmethod
    def parse(cls, body: bytes, user_agent: str) -> Robots:
        """Read the rules for a crawler; no body is an error, at worst it has no rules."""
        reading = _Reading(user_agent.partition("/")[0].strip())
        for record in _RECORDS(_lines(body)):
            reading.take(record)
        rules = reading.rules
        wild = [path for _, path in rules if "*" in path]
        return cls(
            crawl_delay=reading.delay,
            sitemaps=tuple(reading.sitemaps),
            _rules=_matcher(rules) if any(kind == "disallow" for kind, _ in rules) else None,
            # A dollar sign makes two rules of one: it may be the anchor, or itself.
            _weight=sum((len(path) + _PER_RULE) * (2 if "$" in path else 1) for path in wild),
        )

    @classmethod
    def allow_all(cls) -> Robots:
        """Return the rules of a host that has none."""
        return cls()

    @classmethod
    def deny_all(cls) -> Robots:
        """Return the rules of a host whose robots.txt cannot be had."""
        return cls(_rules=_matcher([("disallow", "/")]))

    def admits(self, url: str) -> bool:
        """Tell whether a URL of this host may be fetched; robots.txt itself always may (RFC 9309 §2.2.2)."""
        return self.allows(url) or _path_of(url) == _ITSELF

    def allows(self, url: str) -> bool:
        """Tell what the rules say of a URL of this host, robots.txt itself like any other."""
        if self._rules is None:
            return True
        path = _path_of(url)
        if self._weight * (len(path) + _PER_URL) > _MAX_WORK:
            return False
        if path.startswith(_ITSELF):
            path = f"/%72{path[2:]}"  # protego allows it whatever the rules say; spelled so, it is a path like others
        # The host is made up, so that no odd one can upset the matcher and no path be taken for a host.
        return self._rules.can_fetch(f"http://h{path}" if path.startswith("/") else f"http://h/{path}", "*")


class _Group:
    """One kind of line, sorted by whom the User-agent lines above it name."""

    __slots__ = ("_closed", "_everyone", "_us", "for_everyone", "for_us")

    def __init__(self) -> None:
        self._us = self._everyone = self._closed = False
        self.for_us: list[tuple[str, bytes, int]] = []
        self.for_everyone: list[tuple[str, bytes, int]] = []

    def name(self, *, us: bool, everyone: bool) -> None:
        """Take a User-agent line; the first one after a line of this kind begins a new group."""
        if self._closed:
            self._us = self._everyone = self._closed = False
        self._us |= us
        self._everyone |= everyone

    def add(self, kind: str, value: bytes, at: int) -> None:
        """Take a line of this kind, which begins at an offset."""
        self._closed = True
        if self._us:
            self.for_us.append((kind, value, at))
        elif self._everyone:
            self.for_everyone.append((kind, value, at))


class _Reading:
    """One pass over the lines of a file, in their order."""

    __slots__ = ("_delays", "_found", "_rules", "_token", "sitemaps")

    def __init__(self, token: str) -> None:
        self._token = token.lower().encode("utf-8", "replace")
        self._found = False
        self._rules = _Group()
        self._delays = _Group()
        self.sitemaps: dict[str, None] = {}

    def take(self, record: re.Match[bytes]) -> None:
        """Take one line whose key means something."""
        key = record[1][:1].lower()
        value = record[2][: max(0, record.start() + _MAX_LINE - record.start(2))].strip()
        if key == b"u":
            self._name(value)
        elif key == b"s":
            self._sitemap(value)
        elif key == b"c":
            self._delays.add("crawl-delay", value, record.start())
        else:
            self._rules.add("allow" if key == b"a" else "disallow", value, record.start())

    @property
    def rules(self) -> dict[tuple[str, str], None]:
        """The rules for us, distinct: our own if any group names us, else everyone's."""
        return {(kind, _printable(path)): None for kind, path, _ in self.lines if path}

    @property
    def lines(self) -> list[tuple[str, bytes, int]]:
        """The same, each with the offset at which its line begins."""
        return self._rules.for_us if self._found else self._rules.for_everyone

    @property
    def delay(self) -> float | None:
        """The longest delay asked of us."""
        chosen = self._delays.for_us if self._found else self._delays.for_everyone
        return max((seconds for _, text, _ in chosen if (seconds := _seconds(text)) is not None), default=None)

    def _name(self, value: bytes) -> None:
        # White space after the star is what it takes for everyone to be meant; "*bot" means nobody.
        everyone = value[:1] == b"*" and not value[1:2].strip()
        us = not everyone and self._is_ours(value)
        self._found |= us
        self._rules.name(us=us, everyone=everyone)
        self._delays.name(us=us, everyone=everyone)

    def _is_ours(self, value: bytes) -> bool:
        # A product token has letters, "-" and "_" only, and what follows them in the file is no part of it
        # (RFC 9309 §2.2.1). A crawler whose name has digits can only be meant by the whole first word.
        name = _TOKEN(value) if _IS_TOKEN(self._token) else _WORD(value)
        return bool(self._token and name and name[0].lower() == self._token)

    def _sitemap(self, value: bytes) -> None:
        url = value.decode("utf-8", "replace")
        if len(self.sitemaps) < _MAX_SITEMAPS and len(url) <= _MAX_SITEMAP_LENGTH and _SITEMAP(url):
            self.sitemaps[url] = None


def _path_of(url: str) -> str:
    """Return what follows the host."""
    if not url.isascii():
        url = url.encode("utf-8", "replace").decode("utf-8")
    return _HOST.sub("", url, count=1)


def _lines(body: bytes) -> bytes:
    """Return what can be read of a body: single-byte text whose lines end in LF; nothing of an HTML page."""
    if len(body) > _MAX_FILE:
        body = body[:_MAX_FILE]
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            body = body[len(bom) :]
            body = body.decode(encoding, "replace").encode() if encoding else body
            break
    if _IS_HTML(body):
        return b""
    # Without NULs, UTF-16 that has no BOM is readable too.
    return body.replace(b"\0", b"").replace(b"\r", b"\n")


def _printable(path: bytes) -> str:
    return path.decode() if _IS_PLAIN(path) else quote_from_bytes(path, safe=_SAFE)


def _seconds(text: bytes) -> float | None:
    try:
        seconds = float(text) if _NUMBER(text) else -1.0
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _matcher(rules: Iterable[tuple[str, str]]) -> Protego:
    return Protego.parse("user-agent: *\n" + "\n".join(f"{kind}: {path}" for kind, path in rules))
