"""What a check of an output folder finds, in sentences, and the comparison of two sorted streams it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

_SHOWN = 20

T = TypeVar("T")


class Findings:
    """Mismatches, of which the first are kept; all are counted. What is no mismatch but worth saying is a note."""

    def __init__(self) -> None:
        self.count = 0
        self.notes: list[str] = []
        self._shown: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Take down a mismatch."""
        self.count += 1
        if self.count <= _SHOWN:
            self._shown.append(f"{where}: {what}")

    def note(self, where: str, what: str) -> None:
        """Take down what is as it may be."""
        self.notes.append(f"{where}: {what}")

    def verdict(self, before: int, well: str) -> str:
        """Sum up what was found since the count was ``before``."""
        found = self.count - before
        return f"{found:,} {'mismatch' if found == 1 else 'mismatches'}" if found else well

    @property
    def lines(self) -> list[str]:
        """The mismatches, one sentence each."""
        more = self.count - len(self._shown)
        return [*self._shown, f"and {more:,} more"] if more else list(self._shown)


class Stream(Generic[T]):
    """A sorted stream of which the next element can be looked at before it is taken."""

    def __init__(self, rows: Iterable[T]) -> None:
        self._rows = iter(rows)
        self.head: T | None = next(self._rows, None)

    def take(self) -> T:
        """Return the next element, which must be there, and move on."""
        taken = self.head
        assert taken is not None, "taken past the end"  # noqa: S101  a mistake of ours
        self.head = next(self._rows, None)
        return taken


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 record``, ``2,000 records``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("x") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
