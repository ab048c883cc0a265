"""What stands in the place of the archive and of the logs where a crawl writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class NoPageLog:
    """A page log that keeps nothing."""

    length = 0

    def append(self, lines: Iterable[object]) -> None:
        """Take lines."""

    def sync(self) -> None:
        """Wait for nothing."""

    def close(self) -> None:
        """Let go of nothing."""


class NoArchive:
    """An archive to which nothing is ever appended."""

    def lengths(self) -> Mapping[str, tuple[int, bool]]:
        """Return that no file has changed."""
        return {}

    def sync(self) -> None:
        """Wait for nothing."""

    def committed(self) -> None:
        """Take note of nothing."""

    def close_segment(self) -> None:
        """Close nothing."""

    def close(self) -> None:
        """Let go of nothing."""
