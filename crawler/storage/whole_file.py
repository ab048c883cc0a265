"""A small file that others read at any time: they find the old content or the new, and never a part."""

from __future__ import annotations

import os
from pathlib import Path

from crawler.errors import StorageError


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file.

    Its content is written and made durable under another name in the same folder, which ends in ``.new``,
    and then renamed, which is atomic.

    Raises:
        StorageError: it cannot be written; the old one is still there.

    Source: POSIX.1-2017, rename().
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(draft)) from error
