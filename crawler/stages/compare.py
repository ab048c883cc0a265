"""LOOP: what became of a page since it was last seen, and when it is due again. Pure; the rules are in the core."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from crawler.config import Recrawl
from crawler.core.changes import Change, change_of, outcome_of
from crawler.core.outcomes import Outcome
from crawler.core.records import Fetched, Kind, Parsed
from crawler.core.schedule import Standing, standing


class Compared(Struct, frozen=True):
    """How a URL ended, seen against how it was."""

    outcome: Outcome
    parsed: Parsed | None
    change: Change | None
    standing: Standing


class Compare:
    """Compare finished pages with how they were.

    Args:
        rules: when a page is looked at again.
    """

    def __init__(self, rules: Recrawl) -> None:
        self._rules = rules

    def __call__(self, fetched: Fetched, parsed: Parsed | None, outcome: Outcome) -> Compared:
        """Tell how a URL ended, given the outcome of its fetch and parse alone."""
        earlier, rules = fetched.source.earlier, self._rules
        outcome = outcome_of(earlier, outcome, fetched.status, patience=rules.patience)
        if parsed is not None and outcome is Outcome.NOT_MODIFIED and earlier.payload is not None:
            # What the server did not send again still is what this page consists of.
            etag, modified = parsed.etag or earlier.etag, parsed.modified or earlier.modified
            parsed = replace(parsed, digest=earlier.digest, etag=etag, modified=modified)
        change = change_of(
            earlier,
            outcome,
            digest=parsed.digest if parsed else b"",
            location=fetched.location,
            same_text=parsed is not None and parsed.same_text,
        )
        at = fetched.sent_at or fetched.began_at
        due = standing(earlier, outcome, change, fetched.status, at, rules)
        if (parsed is not None and parsed.listing) or fetched.source.kind is Kind.SITEMAP:
            due = replace(due, due=min(due.due, at))  # what lists new pages is asked every time
        return Compared(outcome, parsed, change, due)
