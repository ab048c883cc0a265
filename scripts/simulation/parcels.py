"""What a batch of outlinks weighs on its way to another shard, by the records that are really sent."""

from __future__ import annotations

import random

import msgspec

from crawler.core.exchange import MOST_URLS, Parcel, batch

_WORDS = ("docs", "news", "2026", "topic", "archive", "people", "release-notes", "a", "index.html", "reference")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


class ParcelSize(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on the wire, before any compression of the transport's."""

    urls: int
    """Of the batch that was weighed."""
    url: float
    """Of a URL itself, on average."""
    sent: float
    """Of a URL with all that goes with it: its parcel, and the page it was found on."""


def parcel_size(seed: int = 1) -> ParcelSize:
    """Weigh a full batch of parcels, each with one URL, as most are among many virtual shards."""
    rng = random.Random(seed)  # noqa: S311  no secret
    parcels = [
        Parcel(number, rng.randrange(4096), _url(rng), (), (("link", rng.randint(1, 9), _url(rng)),))
        for number in range(MOST_URLS)
    ]
    sent = batch(parcels)
    urls = [url for parcel in sent for _, _, url in parcel.links]
    return ParcelSize(
        urls=len(urls),
        url=sum(map(len, urls)) / len(urls),
        sent=len(msgspec.msgpack.encode(sent)) / len(urls),
    )


def _url(rng: random.Random) -> str:
    """Make up a URL of a usual length, some seventy characters."""
    name = "".join(rng.choices(_LETTERS, k=rng.randint(5, 18))).strip("-") or "x"
    path = "/".join((*rng.choices(_WORDS, k=rng.randint(1, 4)), "".join(rng.choices(_LETTERS, k=rng.randint(4, 24)))))
    return f"https://www.{name}.example/{path}"
