"""A run over time, in as many columns as a picture can show."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from crawler.core.outcomes import Outcome, State
from crawler.report.figures import duration
from crawler.report.measured import Slot

_MOST_COLUMNS = 60


class Span(Struct, frozen=True, kw_only=True):
    """Some slots that are drawn as one column."""

    slots: Sequence[Slot]

    @property
    def at(self) -> float:
        """Seconds from the start of the run."""
        return self.slots[0].at

    @property
    def end(self) -> float:
        """Seconds from the start of the run."""
        return self.slots[-1].at + self.slots[-1].seconds

    @property
    def seconds(self) -> float:
        """Its length, never zero."""
        return max(1e-9, sum(slot.seconds for slot in self.slots))

    @property
    def bytes(self) -> int:
        """Received in it."""
        return sum(slot.bytes for slot in self.slots)

    def ended(self, look: str) -> int:
        """Return how many URLs of a group ended in it."""
        return sum(ended(slot, look) for slot in self.slots)

    def share(self, kind: str) -> float:
        """Return the share of the time that a kind of waiting had."""
        return sum(slot.shares.get(kind, 0.0) * slot.seconds for slot in self.slots) / self.seconds

    @property
    def rate(self) -> float:
        """Pages a second."""
        return sum(map(pages_of, self.slots)) / self.seconds

    @property
    def ceiling(self) -> float | None:
        """Return the mean of the bounds; None where there is none."""
        known = [slot for slot in self.slots if slot.ceiling is not None]
        whole = sum(slot.seconds for slot in known)
        return sum((slot.ceiling or 0.0) * slot.seconds for slot in known) / whole if whole else None

    @property
    def when(self) -> str:
        """From when to when, for a person."""
        return f"{duration(self.at)} to {duration(self.end)}"


def spans_of(course: Sequence[Slot]) -> list[Span]:
    """Join slots to columns of which there are not too many; a last one that is much shorter is none of its own."""
    each = -(-len(course) // _MOST_COLUMNS)
    spans = [Span(slots=course[first : first + each]) for first in range(0, len(course), each)]
    if len(spans) > 1 and spans[-1].seconds < 0.5 * spans[0].seconds:
        spans[-2:] = [Span(slots=[*spans[-2].slots, *spans[-1].slots])]
    return spans


def edges_of(spans: Sequence[Span]) -> list[float]:
    """Return the seconds at which columns begin, and at which the last one ends."""
    return [*(span.at for span in spans), spans[-1].end]


GROUPS = {
    "ok": "fetched",
    "redirect": "redirects",
    "unchanged": "unchanged",
    "refused": "answered with an error",
    "unreached": "no answer",
    "unfit": "not readable",
    "skipped": "not allowed",
}
"""How URLs end, as a picture tells it: class of the colour, and words."""
_LIKE = {"redirect": "redirect", "not_modified": "unchanged"}
_ERRORS = ("http_", "header_", "redirect_", "scheme_", "url_")
_UNFIT = ("too_large", "decode", "coding_", "decompressed", "parse_")
_STATES = {outcome.value: outcome.state for outcome in Outcome}


def group_of(outcome: str) -> str:
    """Return the group under which an outcome is drawn; one that is unknown, of a later version, as not allowed."""
    state = _STATES.get(outcome, State.SKIPPED)
    if state is State.SKIPPED:
        return "skipped"
    if state is State.DONE:
        return _LIKE.get(outcome, "ok")
    return "refused" if outcome.startswith(_ERRORS) else "unfit" if outcome.startswith(_UNFIT) else "unreached"


def ended(slot: Slot, look: str) -> int:
    """Return how many URLs of a group ended in a slot."""
    return sum(number for outcome, number in slot.outcomes.items() if group_of(outcome) == look)


def pages_of(slot: Slot) -> int:
    """Return how many URLs were finished in a slot; what was only refused is no page."""
    return sum(number for outcome, number in slot.outcomes.items() if group_of(outcome) != "skipped")
