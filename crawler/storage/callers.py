"""What the caller's own parts raise, told as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crawler.errors import CrawlerError, UsageError


@contextmanager
def theirs(part: str) -> Iterator[None]:
    """Turn an exception of the caller's part into one of ours, which names the part and ends the crawl.

    Raises:
        UsageError: the part raised.
    """
    try:
        yield
    except CrawlerError:
        raise
    except Exception as error:
        raise UsageError(f"your {part} raised {type(error).__name__}: {error}") from error
