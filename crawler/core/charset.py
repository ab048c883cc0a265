"""Which character encoding a body has, and its text (WHATWG Encoding; HTML, "determining the character encoding").

The order: byte order mark, HTTP, what the first 1,024 bytes of the body declare, what its head declares further on
(which a browser hears too, and begins anew), UTF-8 if the bytes are valid UTF-8 and not all ASCII, and windows-1252,
which takes any byte.
Encodings have their WHATWG names, in lower case.
UTF-7 has none, so it is never honoured: text in it could smuggle markup past whoever checked it as ASCII.

Declarations are found by the prescan algorithm, attribute by attribute, for a ``charset`` inside a comment or inside
the attribute of another element declares nothing.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import cache, lru_cache

from crawler.core.encodings import CODECS, NAMES, PATCHES
from crawler.core.headers import parse_mime

_PRESCAN = 1024
_LATE = 16 * 1024
"""Bytes in which a declaration too late for the prescan is looked for ("changing the encoding while parsing")."""
_VALIDATED = 64 * 1024
_LONGEST_REMEMBERED = 256
_BOMS = {"utf-8": b"\xef\xbb\xbf", "utf-16be": b"\xfe\xff", "utf-16le": b"\xff\xfe"}

_WS = r"\t\n\f\r "
_META = re.compile(rf"<meta(?=[{_WS}/])".encode(), re.IGNORECASE).match
_TAG = re.compile(rf"</?[a-z][^{_WS}>]*+".encode(), re.IGNORECASE).match
_ATTRIBUTE = re.compile(
    rf"""
    [{_WS}/]*+
    (?: (?P<end>>)
      | (?P<name>[^{_WS}/>][^{_WS}/>=]*+)
        (?: [{_WS}]*+ = [{_WS}]*+
            (?: "(?P<double>[^"]*+)" | '(?P<single>[^']*+)' | (?P<open>["']) | (?P<bare>[^{_WS}>]*+) )
        )?
    )""".encode(),
    re.VERBOSE,
).match
_PRAGMA_CHARSET = re.compile(rf"charset[{_WS}]*=[{_WS}]*".encode()).search
_PRAGMA_VALUE = re.compile(rf"\"([^\"]*)\"|'([^']*)'|([^\"'{_WS};][^{_WS};]*)".encode()).match
_XML_ENCODING = re.compile(
    rb"<\?xml(?:(?!encoding)[^>])*+encoding[\x00-\x20]*+=[\x00-\x20]*+(?:\"([^\"\x00-\x20]*)\"|'([^'\x00-\x20]*)')[^>]*+>"
).match
_AS_META = {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}
"""What a declaration in ASCII cannot mean, and what is taken instead."""
_UTF_16_XML = {b"<\0?\0x\0": "utf-16le", b"\0<\0?\0x": "utf-16be"}


def encoding(body: bytes, content_type: str | None = None) -> str:
    """Return the WHATWG name, in lower case, of the encoding to decode a body with.

    Args:
        body: the body, content codings removed.
        content_type: the Content-Type field, if there is one.
    """
    for name, bom in _BOMS.items():
        if body.startswith(bom):
            return name
    declared = _of_http(content_type) if content_type else None
    return declared or _prescan(body[:_PRESCAN]) or _late(body) or ("utf-8" if _is_utf_8(body) else "windows-1252")


def decode_text(body: bytes, encoding: str) -> str:
    """Return the text of a body, without byte order mark; what cannot be decoded becomes U+FFFD.

    Args:
        body: the body, content codings removed.
        encoding: a name as :func:`encoding` returns it, or any WHATWG label; an unknown one counts as windows-1252.
    """
    name = _of_label(encoding) or "windows-1252"
    if name == "windows-1252" and body.isascii():
        return body.decode("ascii")  # ten times as fast, and what most undeclared pages are
    bom = _BOMS.get(name)
    if bom is not None and body.startswith(bom):
        body = body[len(bom) :]
    return _decoder(name)(body)


def utf_8(body: bytes, encoding: str) -> bytes:
    """Return the text of a body in UTF-8: what :func:`decode_text` gives, encoded, and most often the body itself."""
    name = _of_label(encoding)
    if body.isascii() and name in ("utf-8", "windows-1252"):
        return body
    if name == "utf-8" and not body.startswith(_BOMS[name]) and _is_whole(body):
        return body
    return decode_text(body, encoding).encode("utf-8", "ignore")


def _is_whole(body: bytes) -> bool:
    try:
        codecs.utf_8_decode(body, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def xml_encoding(body: bytes) -> str:
    """Return the encoding that an XML declaration at the very start names; empty if there is none.

    An unknown name counts as UTF-8, which XML is in unless it says otherwise (XML 1.0 §4.3.3).
    """
    return (_of_xml(body[:_PRESCAN]) or "utf-8") if _XML_ENCODING(body[:_PRESCAN]) else ""


def _of_label(label: str) -> str | None:
    """Return the name of the encoding that a label stands for ("get an encoding")."""
    return NAMES.get(label.strip("\t\n\f\r ").lower()) if label.isascii() else None


def _of_http(content_type: str) -> str | None:
    if len(content_type) > _LONGEST_REMEMBERED:
        return _of_content_type(content_type)
    return _of_usual_content_type(content_type)


def _of_content_type(content_type: str) -> str | None:
    mime = parse_mime(content_type)
    return _of_label(mime.parameters.get("charset", "")) if mime else None


_of_usual_content_type = lru_cache(1024)(_of_content_type)


def _is_utf_8(body: bytes) -> bool:
    if body.isascii():
        return False  # it is so in either, and undeclared text is windows-1252 by the standard
    head = body[:_VALIDATED]
    try:
        # A character that the cut split in two is no error.
        codecs.utf_8_decode(head, "strict", len(body) <= _VALIDATED)
    except UnicodeDecodeError:
        return False
    return True


def _prescan(head: bytes) -> str | None:
    """Return the encoding that the first bytes declare ("prescan a byte stream to determine its encoding")."""
    if head[:6] in _UTF_16_XML:
        return _UTF_16_XML[head[:6]]
    lowered = head.lower()
    found = _of_meta(lowered) if b"charset" in lowered else None
    if found is None and head.startswith(b"<?xml"):
        found = _of_xml(head)
    return _AS_META.get(found or "", found)


def _late(body: bytes) -> str | None:
    """Return the encoding that a meta element of the head declares after the first bytes."""
    if len(body) <= _PRESCAN:
        return None
    head = body[:_LATE].lower()
    if b"charset" not in head:
        return None
    found = _of_meta(head.partition(b"<body")[0])
    return _AS_META.get(found or "", found)


def _of_meta(head: bytes) -> str | None:
    at = head.find(b"<")
    while at >= 0:
        if head.startswith(b"<!--", at):
            at = head.find(b"-->", at + 2)
        elif match := _META(head, at):
            found, at = _declaration(head, match.end())
            if found:
                return found
        elif match := _TAG(head, at):
            at = _attributes(head, match.end())[1]
        elif head.startswith((b"<!", b"</", b"<?"), at):
            at = head.find(b">", at)
        if at < 0:
            return None
        at = head.find(b"<", at + 1)
    return None


def _attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """Read attributes up to the end of their tag, and return its index: -1 if the bytes end first."""
    attributes: dict[bytes, bytes] = {}
    while match := _ATTRIBUTE(head, at):
        at = match.end()
        if match["end"]:
            return attributes, at - 1
        if match["open"]:
            break
        attributes.setdefault(match["name"], match["double"] or match["single"] or match["bare"] or b"")
    return attributes, -1


def _declaration(head: bytes, at: int) -> tuple[str | None, int]:
    """Read the attributes of a meta element: the encoding it declares, and the index of its end."""
    attributes, end = _attributes(head, at)
    if end < 0:
        return None, end
    declared = None
    is_pragma: bool | None = None
    for name, value in attributes.items():
        if name == b"charset":
            declared, is_pragma = _of_label(value.decode("latin-1")), False
        elif name == b"content" and is_pragma is None and (found := _of_pragma(value)):
            declared, is_pragma = found, True
    if is_pragma and attributes.get(b"http-equiv") != b"content-type":
        return None, end
    return declared, end


def _of_pragma(content: bytes) -> str | None:
    """Return the encoding in a content attribute ("extract a character encoding from a meta element")."""
    named = _PRAGMA_CHARSET(content)
    value = _PRAGMA_VALUE(content, named.end()) if named else None
    return _of_label((value[1] or value[2] or value[3] or b"").decode("latin-1")) if value else None


def _of_xml(head: bytes) -> str | None:
    declared = _XML_ENCODING(head)
    return _of_label((declared[1] or declared[2] or b"").decode("latin-1")) if declared else None


@cache
def _decoder(name: str) -> Callable[[bytes], str]:
    """Return the decoder of an encoding; there are as many as encodings."""
    if name == "replacement":
        return lambda body: "\ufffd" if body else ""
    codec = CODECS.get(name, "")
    if codec and name not in PATCHES:
        return lambda body: body.decode(codec, "replace")
    table = _table(name, codec)
    return lambda body: codecs.charmap_decode(body, "replace", table)[0]


def _table(name: str, codec: str) -> str:
    """Return the 256 characters of a single-byte encoding."""
    if name == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    characters = list(bytes(range(256)).decode(codec, "replace"))
    for byte in range(0x80, 0xA0):
        # Where Python sees a hole among the C1 controls, WHATWG has the control.
        characters[byte] = chr(byte) if characters[byte] == "\ufffd" else characters[byte]
    for byte, character in PATCHES[name].items():
        characters[byte] = character
    # A hole is written U+FFFE in a table of the codecs module, and decodes as U+FFFD.
    return "".join(characters).replace("\ufffd", "\ufffe")
