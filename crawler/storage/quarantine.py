"""Samples of pages that broke their parse worker: the body as it came, and beside it what was being done.

Names are made from a hash of the URL, so nothing a stranger wrote decides where a file is written,
and the same page, met again after a kill, is kept once.
A sample counts once its ``.json`` is there, which is written last.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from crawler.errors import StorageError

NAME = "quarantine"
MOST_SAMPLES = 100
_DRAFT = ".new"


class Quarantine:
    """Keep samples below a folder, which is made when the first one comes. Blocking; used from one thread only.

    Args:
        folder: of the samples alone.
        most_bytes: of a body; what is longer is cut.
        most: samples in the folder, those of earlier runs included.
    """

    def __init__(self, folder: Path, *, most_bytes: int, most: int = MOST_SAMPLES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most = most

    def keep(self, url: str, outcome: str, detail: str, body: bytes) -> str:
        """Keep a sample; return the name of its body below the output folder, empty if there is no room for it.

        Raises:
            StorageError: the disk refuses.
        """
        name = sha256(url.encode()).hexdigest()[:32]
        story = {"url": url, "outcome": outcome, "detail": detail, "bytes": len(body)}
        try:
            self._folder.mkdir(exist_ok=True)
            known = {path.name for path in self._folder.glob("*.json")}
            if len(known) >= self._most and f"{name}.json" not in known:
                return ""
            self._write(f"{name}.body", body[: self._most_bytes])
            self._write(f"{name}.json", msgspec.json.format(msgspec.json.encode(story)) + b"\n")
        except OSError as error:
            raise StorageError(f"cannot be written ({error.strerror})", where=str(self._folder / name)) from error
        return f"{self._folder.name}/{name}.body"

    def _write(self, name: str, content: bytes) -> None:
        draft = self._folder / (name + _DRAFT)
        draft.write_bytes(content)
        draft.replace(self._folder / name)
