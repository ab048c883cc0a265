"""URLs: resolve, normalise, take apart, and read what a person typed.

*Parsing* is that of the WHATWG URL Standard, as browsers do it, by ada-url; nothing here parses a URL a second way.
A *crawl URL* is such a URL, serialised: http or https, no fragment, no user-info, and a port one can connect to.
Of a serialised URL the standard promises enough to take it apart by slicing, many times cheaper than by an object:
the authority ends at the first slash after ``scheme://``, there always is one, and the only ``@`` before it ends the
user-info.

*Registrable domains* follow the Public Suffix List with its private section (``github.io`` is a suffix);
the list is read at first use.
"""

from __future__ import annotations

import difflib
import re
from functools import cache, lru_cache
from hashlib import blake2b
from urllib.parse import unquote

from ada_url import idna_to_ascii, join_url, normalize_url, parse_url
from publicsuffixlist import PublicSuffixList

from crawler.core.text import LIMIT, printable

SHARDS = 4096
"""Virtual shards of a frontier; part of what is on disk, so it never changes."""

_SHOWN = 200
"""Characters of a URL within an error message."""
_SPECIAL = frozenset({"http", "https", "ftp", "file", "ws", "wss"})
_OPAQUE = frozenset(
    {
        "about",
        "blob",
        "cid",
        "data",
        "geo",
        "javascript",
        "magnet",
        "mailto",
        "news",
        "sip",
        "sms",
        "tel",
        "urn",
        "xmpp",
    }
)
"""Schemes after which an ``@`` ends no user-info, and ``scheme:digits`` is no host and port."""
_FOREIGN = _SPECIAL | _OPAQUE | {"ftps", "git", "gopher", "irc", "ldap", "nntp", "rsync", "sftp", "smb", "ssh", "tftp"}
_WEB = ("http", "https")
_TAB_AND_NEWLINE = {9: None, 10: None, 13: None}
_HEAD = re.compile(r"[\x00-\x20]*(?:([a-z][a-z0-9+.-]*):)?([/\\]*)", re.IGNORECASE)
_AS_TYPED = re.compile(r"([a-z]{2,6})([:;.,]*)([/\\]*)", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#\\]")
_GENERIC_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r":([^:\]]*)$")
_LAST_LABEL_IS_NUMBER = re.compile(r"(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$", re.IGNORECASE)
_LONGEST_NAME = 254
"""Characters of a host name in DNS with its final dot, RFC 1035 §2.3.4; a longer one is nobody's."""


class BlockedScheme(ValueError):
    """Say that a URL is valid but neither http nor https."""


def resolve(url: str, base: str | None = None) -> str:
    """Parse a URL, against a base if one is given, and serialise it, fragment included.

    Raises:
        ValueError: the URL, or the base, is not valid.

    Source: WHATWG URL Standard §4.
    """
    try:
        return normalize_url(url) if base is None else join_url(base, url)
    except ValueError:
        scalar = _scalar_values(url)
        if scalar != url:
            return resolve(scalar, base)
        raise ValueError(f"not a valid URL: '{redact(url, _SHOWN)}'") from None


def normalise(url: str, base: str | None = None) -> str:
    """Turn a URL into a crawl URL: absolute, http or https, without fragment and user-info.

    Raises:
        BlockedScheme: the URL is valid, but of another scheme.
        ValueError: the URL is not valid, or its port is 0.
    """
    href = resolve(url, base)
    if not href.startswith(("https://", "http://")):
        raise BlockedScheme(f"neither http nor https: '{redact(href, _SHOWN)}'")
    if "#" in href:
        href = href[: href.index("#")]
    if "@" in href:
        at = href.rfind("@", 0, href.find("/", 8))
        href = href[: href.find("//") + 2] + href[at + 1 :] if at > 0 else href
    if ":0/" in href and host_key(href).endswith(":0"):
        raise ValueError(f"port 0 cannot be connected to: '{redact(href, _SHOWN)}'")
    return href


def host_key(url: str) -> str:
    """Return the origin of a crawl URL: scheme, host name and any port that is not the scheme's own."""
    return url[: url.find("/", 8)]


def host_name(url_or_key: str) -> str:
    """Return the host name of a crawl URL or of its host key; an IPv6 address without brackets."""
    start = url_or_key.find("//") + 2 if "//" in url_or_key else 0
    end = url_or_key.find("/", start)
    authority = url_or_key[start:] if end < 0 else url_or_key[start:end]
    if authority.startswith("["):
        return authority[1 : authority.find("]")]
    return authority.partition(":")[0]


def registrable_domain(host: str) -> str | None:
    """Return the domain that somebody registered: ``example.co.uk`` of ``www.example.co.uk``.

    Args:
        host: a host name, Unicode or punycode, in any case; the answer is lower case and otherwise in the same form.

    Returns:
        None for an address, a public suffix itself, and what is no host name.
    """
    return _registrable_domain(host) if host and len(host) <= _LONGEST_NAME else None


def virtual_shard(host: str) -> int:
    """Return the shard, 0..4095, that owns a host: all hosts of one registrable domain share it.

    The hash never changes; a host moves only if the Public Suffix List in use regroups its domain.
    """
    name = host.strip("[]").rstrip(".").lower()
    if not name.isascii():
        name = idna_to_ascii(name.encode("utf-8", "replace")).decode() or name
    owner = registrable_domain(name) or name
    digest = blake2b(owner.encode("utf-8", "replace"), digest_size=2).digest()
    return int.from_bytes(digest, "big") % SHARDS


def credentials(url: str) -> tuple[str, str] | None:
    """Return user and password of a URL, or of a seed as typed, percent-decoded; None if it has neither."""
    if "@" not in url:
        return None
    scheme, start = _head(url)
    if scheme in _OPAQUE:
        return None
    text = _scalar_values(url if scheme else f"https://{url[start:]}")
    try:
        parts = parse_url(text, ("username", "password"))
    except ValueError:
        return None
    user, password = unquote(parts["username"]), unquote(parts["password"])
    return (user, password) if user or password else None


def redact(url: str, limit: int = LIMIT) -> str:
    """Make a URL, valid or not, fit for a message: without user-info, control characters escaped."""
    return printable(_without_user(url) if "@" in url else url, limit)


def seed_url(text: str) -> str:
    """Turn what a person typed into a crawl URL.

    A missing scheme is ``https``, but ``http`` for localhost, an address, and a port other than 443.
    User-info is dropped; :func:`credentials` of the same text returns it.

    Raises:
        BlockedScheme: the scheme is neither http nor https, nor a misspelling of them.
        ValueError: it is no URL; one sentence, with a suggestion where there is one.
    """
    typed = text.strip().strip("\ufeff").strip()
    shown = f"'{redact(typed, _SHOWN)}'"
    if not typed:
        raise ValueError("empty, where a URL was expected")
    if re.search(r"\s", typed):
        raise ValueError(f"white space inside {shown}: one URL a line, and %20 for a space within a URL")
    if re.match(r"\.|[/\\](?![/\\])", typed):
        raise ValueError(f"{shown} is a path, neither a URL nor a host name")
    meant = _meant(typed)
    if meant:
        raise ValueError(f"{shown} is not a URL; did you mean {redact(meant, _SHOWN)}?")
    typed_scheme, start = _head(typed)
    if typed_scheme and typed_scheme not in _WEB:
        raise BlockedScheme(f"scheme '{printable(typed_scheme, _SHOWN)}' of {shown} is neither http nor https")
    host, port = _host_and_port(typed[start:])
    if not host:
        raise ValueError(f"no host in {shown}; a URL looks like https://example.org/")
    scheme = typed_scheme or _usual_scheme(host, port)
    if not scheme:
        raise ValueError(
            f"{shown} is neither a URL nor a host name with a dot; did you mean http://{redact(host, 99)}/?"
        )
    try:
        return normalise(f"{scheme}://{typed[start:]}")
    except ValueError:
        secret = len(_without_user(typed)) < len(typed)
        raise ValueError(_blame(host, port, shown, secret=secret)) from None


def _meant(typed: str) -> str | None:
    """Guess the URL behind ``htp://x``, ``http//x``, ``http:///x``, ``https://http://x``."""
    match = _AS_TYPED.match(typed)
    if match is None or match.end() == len(typed):
        return None
    name, marks, slashes = match[1].lower(), match[2], match[3]
    rest = typed[match.end() :]
    if name in _WEB and marks == ":" and len(slashes) < 3:
        return rest if re.match(r"https?:[/\\]", rest, re.IGNORECASE) else None
    if name in _FOREIGN.difference(_WEB) or not (slashes or (marks in {":", ";"} and rest[0].isalpha())):
        return None
    near = difflib.get_close_matches(name.replace("xx", "tt"), _WEB, n=1, cutoff=0.7)
    return f"{near[0]}://{rest}" if near else None


def _usual_scheme(host: str, port: str | None) -> str | None:
    """Tell what a person means who leaves the scheme out; None if it may be no host at all."""
    if port == "443":
        return "https"
    name = host.rstrip(".").lower()
    if port or ":" in host or _LAST_LABEL_IS_NUMBER.search(name) or name == "localhost" or name.endswith(".localhost"):
        return "http"
    return "https" if "." in name else None


def _blame(host: str, port: str | None, shown: str, *, secret: bool) -> str:
    """Say which part of a URL that cannot be parsed is wrong, but nothing of it that may be a password."""
    if ":" in host and not host.startswith("["):
        return f"the address in {shown} needs brackets, as in http://[::1]/"
    if port and not (port.isascii() and port.isdigit()):
        if secret:
            return (
                f"the user name or password of {shown} has a character that must be percent-encoded, such as %2F for /"
            )
        return f"port '{printable(port, 20)}' in {shown} is not a number"
    if port and not 0 < int(port[:9]) < 65536:
        return f"port {printable(port, 20)} in {shown} is not within 1 to 65535"
    return f"host '{printable(host, 99)}' in {shown} is not valid"


def _host_and_port(rest: str) -> tuple[str, str | None]:
    """Split what follows ``//`` as typed; the port is None where there is no colon."""
    end = _AUTHORITY_END.search(rest)
    authority = (rest[: end.start()] if end else rest).rpartition("@")[2]
    port = None if authority.startswith("[") and "]" not in authority else _PORT.search(authority)
    return (authority[: port.start()], port[1]) if port else (authority, None)


def _head(text: str) -> tuple[str, int]:
    """Tell the scheme, lower case, and where the authority begins; ``example.org:80`` and ``me:pw@host`` have none."""
    match = _HEAD.match(text)
    if match is None:  # pragma: no cover - every part of the pattern may be empty
        return "", 0
    scheme = (match[1] or "").lower()
    if scheme and not match[2] and scheme not in _SPECIAL and scheme not in _OPAQUE:
        return "", match.start(1)
    return scheme, match.end()


def _without_user(url: str) -> str:
    """Drop the user-info of a URL as typed, also where a slash in the password makes the URL invalid."""
    text = url.translate(_TAB_AND_NEWLINE)
    scheme, start = _head(text)
    if scheme in _OPAQUE:
        return url
    end = (_AUTHORITY_END if not scheme or scheme in _SPECIAL else _GENERIC_AUTHORITY_END).search(text, start)
    stop = end.start() if end else len(text)
    at = text.rfind("@", start, stop)
    port = _PORT.search(text, start, stop)
    if at < 0 and port and port[1] and not port[1].isdigit():
        at = text.rfind("@", stop)
    return text[:start] + text[at + 1 :] if at >= 0 else url


def _scalar_values(text: str) -> str:
    """Put U+FFFD for every lone surrogate, as the standard's USVString does."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@lru_cache(maxsize=16_384)
def _registrable_domain(host: str) -> str | None:
    if ":" in host or _LAST_LABEL_IS_NUMBER.search(host):
        return None
    return _suffixes().privatesuffix(host)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
