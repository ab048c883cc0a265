"""What a crawl may do as a whole, shared out among its shards so that the sum is kept.

Requests in flight and disk are shared out once. Pages and bytes are given out bit by bit, as shards use them up:
how much there is to crawl where is known to nobody beforehand.
"""

from __future__ import annotations

import msgspec

from crawler.config import Config

LEAST_BYTES = 1 << 20
"""Bytes given out at a time, at least: a shard that asks for each page would wait for each page."""


def portions(total: int, shards: int) -> tuple[int, ...]:
    """Divide a number as evenly as whole numbers can be; the first ones get what is left over."""
    each, over = divmod(total, shards)
    return tuple(each + (shard < over) for shard in range(shards))


def share_out(config: Config, shards: int) -> tuple[Config, ...]:
    """Return the settings of each shard: of what is allowed in all, each has its part, though one request at least.

    A setting of 0 means something else than a number, and stays.
    The limits on pages, bytes and time of the whole crawl stay too: whoever runs the shards keeps them.
    """
    fetch, polite, limits = config.fetch, config.politeness, config.limits
    replace = msgspec.structs.replace
    return tuple(
        replace(
            config,
            fetch=replace(fetch, concurrency=max(1, requests) if fetch.concurrency else 0),
            politeness=replace(polite, per_address=max(1, places) if polite.per_address else 0),
            limits=replace(limits, max_disk=max(1, disk) if limits.max_disk else 0),
        )
        for requests, places, disk in zip(
            portions(fetch.concurrency, shards),
            portions(polite.per_address, shards),
            portions(limits.max_disk, shards),
            strict=True,
        )
    )


class Allowance:
    """Pages, or bytes, of which a crawl may take so many, and no more.

    Each shard is told a bound, counted from the beginning of the run, that it must not cross by itself.
    To tell it twice does no harm. The bounds never add up to more than the total.

    Args:
        total: what the crawl may take.
        shards: among how many.
        least: what is given at a time, at least.
    """

    def __init__(self, total: int, shards: int, *, least: int = 1) -> None:
        self.total = total
        self.bounds = list(portions(total // 2, shards))
        """How far each shard may go now."""
        self._least = least

    @property
    def free(self) -> int:
        """What has been given to nobody."""
        return self.total - sum(self.bounds)

    def more(self, shard: int) -> int:
        """Let a shard that has reached its bound go further, if anything is free; return its bound.

        Less and less is given at a time, so that at the end not much is with shards that cannot use it.
        """
        part = max(self._least, self.free // (2 * len(self.bounds)))
        self.bounds[shard] += min(self.free, part)
        return self.bounds[shard]

    def less(self, shard: int, bound: int) -> None:
        """Take back from a shard what lies beyond a bound, to which it has agreed."""
        self.bounds[shard] = min(self.bounds[shard], bound)
