"""What a page came to since it was last seen."""

from __future__ import annotations

from enum import StrEnum


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
