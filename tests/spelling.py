"""The many ways to write one URL.

Every spelling here means the same URL by the URL Standard: it is made from the canonical form,
so the truth is known by construction and no URL parser is asked.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

_UNESCAPED = {"%20": " ", "%C3%A9": "é", "%E2%82%AC": "€", "%22": '"', "%3C": "<"}
"""Escapes that the parser itself would write; others, such as %7E, must stay as they are."""
_DETOURS = ("/./", "/up/../", "/%2e/", "/up/%2E%2e/", "/up/.%2E/", "/a/b/../../")
_FRAGMENTS = ("#", "#top", "#a/b?c=d", "#%zz")
_SPACES = (" ", "\n", "\t", " \n\t ")


@dataclass(frozen=True, slots=True)
class Spot:
    """A URL in its parts."""

    address: str
    """An IPv4 address, dotted."""
    port: int
    path: str
    """Path and query in canonical form."""

    @property
    def url(self) -> str:
        """The canonical spelling."""
        return f"http://{self.address}:{self.port}{self.path}"


def spell(rng: random.Random, base: str, target: Spot, *, same_host: bool, header: bool = False) -> str:
    """Write a target as a document might.

    Args:
        rng: the source of variety.
        base: path of the document's base URL.
        target: what is meant.
        same_host: whether a reference without a host will do.
        header: write for a Location header: printable ASCII alone.
    """
    path = _detour(rng, target.path)
    if same_host and rng.random() < 0.7:
        text = rng.choice((path, relative(base, target.path), relative(base, target.path)))
    else:
        text = _authority(rng, target, header=header) + path
    if not header:
        text = _unescape(rng, text)
    if rng.random() < 0.15:
        text = _backslashes(text)
    if rng.random() < 0.3:
        text += rng.choice(_FRAGMENTS)
    return text if header else _spaced(rng, text)


def relative(base: str, target: str) -> str:
    """Write a path as seen from the folder of another: ``/a/b`` and ``/a/c/d?e`` give ``c/d?e``."""
    path, question, query = target.partition("?")
    here, there = _folder(base), _folder(path)
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    steps = [".."] * (len(here) - shared) + there[shared:] + [path.rpartition("/")[2]]
    reference = "/".join(steps)
    if not reference or reference.startswith("/"):
        reference = "./" + reference
    return reference + question + query


def _folder(path: str) -> list[str]:
    return path.partition("?")[0].split("/")[1:-1]


def _authority(rng: random.Random, target: Spot, *, header: bool) -> str:
    scheme = rng.choice(("http://", "http://", "HTTP://", "hTTp://", "//", "http:///", "http:/\\"))
    ways = _HOSTS[:-1] if header else _HOSTS
    host = target.address if rng.random() < 0.5 else rng.choice(ways)(target.address)
    port = rng.choice((f":{target.port}", f":{target.port}", f":0{target.port}"))
    return scheme + host + port


def _parts(address: str) -> list[int]:
    return [int(part) for part in address.split(".")]


def _number(address: str) -> int:
    return int.from_bytes(bytes(_parts(address)))


def _short(address: str) -> str:
    return f"{_parts(address)[0]}.{_number(address) & 0xFFFFFF}"


_HOSTS: tuple[Callable[[str], str], ...] = (
    lambda address: str(_number(address)),
    lambda address: f"0X{_number(address):08X}",
    _short,
    lambda address: ".".join(f"0{part:o}" for part in _parts(address)),
    lambda address: f"{address}.",
    lambda address: "".join(f"%{ord(char):02x}" if char != "." else char for char in address),
    lambda address: "".join(chr(ord(char) + 0xFEE0) if char != "." else char for char in address),
)
"""Number, hexadecimal, two parts, octal, trailing dot, percent-encoded; last, as it is not ASCII, full-width."""


def _detour(rng: random.Random, path: str) -> str:
    if rng.random() < 0.6:
        return path
    path, question, query = path.partition("?")
    at = rng.choice([found.start() for found in re.finditer("/", path)])
    return path[:at] + rng.choice(_DETOURS) + path[at + 1 :] + question + query


def _unescape(rng: random.Random, text: str) -> str:
    for escape, char in _UNESCAPED.items():
        if rng.random() < 0.5:
            text = text.replace(escape, char)
    return text


def _backslashes(text: str) -> str:
    path, question, query = text.partition("?")
    return path.replace("/", "\\") + question + query


def _spaced(rng: random.Random, text: str) -> str:
    if rng.random() < 0.15:
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(("\t", "\n")) + text[at:]
    if rng.random() < 0.15:
        text = rng.choice(_SPACES) + text + rng.choice(_SPACES)
    return text
