"""The fingerprint of a URL: 64 bits that stand for it in the seen set and in the frontier.

BLAKE2b (RFC 7693) with a key that belongs to the crawl, so nobody can craft two URLs with one fingerprint and
thereby hide a page.
By chance, among ten million URLs, two share one with a probability of 3 in a million.
The number is signed, because SQLite's integers are.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from struct import Struct

_signed = Struct("<q").unpack


def fingerprint(url: str, key: bytes) -> int:
    """Return the signed 64-bit fingerprint of a crawl URL.

    Args:
        url: any text; crawl URLs are ASCII.
        key: 1 to 64 bytes, random, made once per crawl and kept with it.
    """
    state = _keyed(key).copy()
    try:
        state.update(url.encode())
    except UnicodeEncodeError:
        state.update(url.encode("utf-8", "surrogatepass"))
    number: int = _signed(state.digest())[0]
    return number


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> blake2b:
    """Prepare the state after the key, of which a copy costs half of what a new one costs."""
    return blake2b(digest_size=8, key=key)
