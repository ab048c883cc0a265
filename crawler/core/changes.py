"""What a page came to since it was last seen."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from crawler.core.outcomes import Outcome, State


class Change(StrEnum):
    """What has become of a page, against how it was when it was last there. The names are stable: files hold them."""

    NEW = "new"
    """It was not there before."""
    CHANGED = "changed"
    """It says something else."""
    BOILERPLATE = "boilerplate"
    """Its bytes differ, but not its main text."""
    UNCHANGED = "unchanged"
    """The server answered 304, or sent the same bytes."""
    MOVED = "moved"
    """The server points elsewhere now."""
    GONE = "gone"
    """The server answers 404 or 410 now."""


class Earlier(Struct, frozen=True):
    """How a URL stood when it was last finished, and how its page was when it was last there."""

    interval: float = 0.0
    """Seconds from one look at it to the next; 0.0 if that was not decided yet."""
    misses: int = 0
    """Answers 404 and 410 in a row."""
    status: int = 0
    """Of its page, as are all that follow; 0 if it never was there."""
    fetched_at: float = 0.0
    digest: bytes = b""
    etag: str = ""
    modified: str = ""
    """Last-Modified as it was received."""
    location: str = ""
    """Where a redirect pointed."""
    payload: tuple[str, int, int] | None = None
    """Segment, offset and length of the record that holds the payload; None if the archive does not."""

    @property
    def there(self) -> bool:
        """Whether there has been a page, or a redirect."""
        return self.status > 0


NOWHERE = Earlier()
"""Of a URL that has never been finished."""
_LOST = frozenset({404, 410})


def outcome_of(earlier: Earlier, outcome: Outcome, status: int, *, patience: int) -> Outcome:
    """Tell whether what cannot be found is gone: there was a page, or it has been missed often enough."""
    if outcome is not Outcome.HTTP_CLIENT_ERROR or status not in _LOST:
        return outcome
    return Outcome.GONE if earlier.there or earlier.misses + 1 >= patience else outcome


def change_of(earlier: Earlier, outcome: Outcome, *, digest: bytes, location: str, same_text: bool) -> Change | None:
    """Compare a page with how it was; None where there is nothing to compare: it failed, or still is not there.

    Args:
        earlier: how it was.
        outcome: how it ended now.
        digest: of its payload now.
        location: where it points now, if it is a redirect.
        same_text: whether its main text is what it was.
    """
    was_there = earlier.there and not earlier.misses
    if outcome.state is not State.DONE:
        return Change.GONE if outcome is Outcome.GONE and was_there else None
    if outcome is Outcome.NOT_MODIFIED:
        return Change.UNCHANGED
    if not was_there:
        return Change.NEW
    if outcome is Outcome.REDIRECT:
        return Change.UNCHANGED if location == earlier.location else Change.MOVED
    if digest == earlier.digest and not earlier.location:
        return Change.UNCHANGED
    return Change.BOILERPLATE if same_text else Change.CHANGED
