r"""Text from elsewhere, made fit for a terminal or a log: the one place that escapes control characters.

A title, a URL or a server's message may hold terminal escapes, line ends that forge a log line, or marks that reverse
the order in which a line is read (Unicode TR36 §2.10, CVE-2021-42574).
What is escaped becomes ASCII: ``\n``, ``\x1b``, ``\u202e``.
Letters of every script, joiners included, stay as they are.
"""

from __future__ import annotations

import re

LIMIT = 1000
"""Characters of a message, at most, unless the caller says otherwise."""

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks, embeddings, overrides, isolates
    "\u2028\u2029"  # line and paragraph separator
    "\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # invisible: zero width, tags
    "\ud800-\udfff"  # lone surrogates, which no encoder takes
    "]"
)
_UNSAFE_JSON = re.compile(
    b"\x7f"  # DEL
    b"|\xc2[\x80-\x9f]"  # C1
    b"|\xd8\x9c|\xe2\x80[\x8b\x8e\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"  # direction, separators, invisible
    b"|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80\x81][\x80-\xbf]"
).sub
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, limit: int = LIMIT) -> str:
    """Escape every character that could steer a terminal or forge a log line.

    Args:
        text: anything.
        limit: characters of the result, at most; what is cut ends in ``…``.
    """
    if len(text) <= limit and text.isprintable():
        return text
    escaped = _UNSAFE.sub(_escape, text[: limit + 1])
    if len(escaped) <= limit:
        return escaped
    return _cut(text, limit)


def inert_json(line: bytes) -> bytes:
    """Escape, as JSON does, what JSON lets stand in a string and yet could steer who looks at the line.

    Args:
        line: JSON in UTF-8; it means the same afterwards.
    """
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSAFE_JSON(lambda found: _json_escape(found[0].decode()), line)


def _json_escape(character: str) -> bytes:
    code = character.encode("utf-16-be").hex()
    return b"".join(b"\\u" + code[at : at + 4].encode() for at in range(0, len(code), 4))


def inert(text: str) -> str:
    """Escape every character that could steer a reader, in a text of several lines."""
    return "\n".join(_UNSAFE.sub(_escape, line) for line in text.split("\n"))


def _cut(text: str, limit: int) -> str:
    """Keep whole escapes only, so that no half of one stands at the end."""
    pieces: list[str] = []
    room = limit - 1
    for character in text[: max(0, room)]:
        piece = _UNSAFE.sub(_escape, character)
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
    return ("".join(pieces) + "…")[: max(0, limit)]


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
