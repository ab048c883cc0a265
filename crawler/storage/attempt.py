"""One attempt at one URL, as the journal is to store it."""

from __future__ import annotations

from msgspec import Struct

from crawler.core.changes import Change
from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL, Fetched, Parsed
from crawler.core.schedule import UNDECIDED, Standing


class Attempt(Struct, frozen=True):
    """One attempt at one URL, and what is to become of it."""

    fetched: Fetched
    parsed: Parsed | None
    outcome: Outcome
    detail: str
    again: CrawlURL | None = None
    """The URL as it is to be tried again; None if this was the last attempt."""
    hold_until: float = 0.0
    """Unix seconds until which the whole host is left alone."""
    mirror: str = ""
    change: Change | None = None
    """What became of the page since it was last seen."""
    standing: Standing = UNDECIDED
    """When the URL is due again."""
