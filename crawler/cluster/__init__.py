"""One crawl, shared by several shards, each of which is the crawl of a single machine: the same coroutine.

``member`` is a shard, ``courier`` carries what it has for others, ``driver`` keeps them together, ``seeds`` deals out
the seeds, ``link`` is what they say to each other, ``crawl`` is the whole as it is used from outside; ``on_ray`` is the
thin layer that puts shards on Ray's actors, and alone knows Ray.
"""

from __future__ import annotations

import os
import secrets
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from crawler.errors import UsageError

if TYPE_CHECKING:
    from crawler.cluster.crawl import SharedCrawler


def shared_crawler(where: str, **settings: Any) -> SharedCrawler:
    """Make a crawler whose shards run on Ray.

    Args:
        where: ``local``, ``auto`` or ``ray://HOST:PORT``, see :class:`crawler.cluster.on_ray.OnRay`.
        **settings: as :class:`crawler.cluster.crawl.SharedCrawler` takes them.

    Raises:
        UsageError: Ray is not installed, or there is no such place.
    """
    settle(where)
    try:
        on_ray = import_module("crawler.cluster.on_ray")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise UsageError("a cluster needs Ray, which is not installed: pip install 'crawler[cluster]'") from error
    crawl = import_module("crawler.cluster.crawl")
    crawler: SharedCrawler = crawl.SharedCrawler(place=on_ray.OnRay(where), **settings)
    return crawler


def settle(where: str) -> None:
    """Write into the environment what Ray reads when it is imported; what is there already stays.

    No usage reports. A Ray of our own answers on loopback alone, and to nobody without its token: whoever may speak
    to Ray may have it run anything. If the program has imported Ray before, it goes by what it read then.
    """
    ours = {"RAY_USAGE_STATS_ENABLED": "0"}
    if where == "local" and "ray" not in sys.modules:
        # of this name, but on every system: without it, Ray takes the machine's outward address for itself
        ours |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        ours |= {"RAY_worker_niceness": "0"}  # a shard is not what works in the background here
        ours |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in ours.items():
        os.environ.setdefault(name, value)
