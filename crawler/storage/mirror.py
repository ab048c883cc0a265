"""Bodies as files: one file a page below ``mirror/``, whole or not there at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from crawler.errors import StorageError

_DRAFTS = ".drafts"


class Mirror:
    """Write bodies below a folder. Blocking; may be used by several threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / _DRAFTS

    def write(self, name: str, body: bytes, unique: int) -> None:
        """Write a file in full under a draft's name, then rename it, so that a kill leaves no half file.

        Args:
            name: relative path, made by :func:`crawler.core.mirror_name.mirror_name`.
            body: the content.
            unique: a number that no other write in progress has.

        Raises:
            StorageError: the disk refuses.
        """
        target = self._folder / name
        draft = self._drafts / str(unique)
        try:
            self._drafts.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(body)
            draft.replace(target)
        except OSError as error:
            raise StorageError(f"cannot be written ({error.strerror})", where=str(target)) from error

    def close(self) -> None:
        """Remove what a kill may have left half written."""
        with suppress(OSError):  # they are in nobody's way
            for draft in os.scandir(self._drafts):
                Path(draft.path).unlink(missing_ok=True)
            self._drafts.rmdir()
