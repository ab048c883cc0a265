"""The body of a finished page, read again from the archive. Blocking; needs nothing but the files."""

from __future__ import annotations

from pathlib import Path

from crawler.core.records import Held, Place
from crawler.core.warc_reader import EMPTY_LINE, members
from crawler.errors import NoBody
from crawler.storage.archive import segment_path


def read_held(folder: Path, place: Place) -> Held:
    """Return the answer whose record stands at a place.

    Args:
        folder: the archive's.
        place: of a ``response`` record.

    Raises:
        NoBody: the record cannot be read.
    """
    try:
        block = _block(folder, place)
    except (OSError, ValueError, StopIteration) as error:
        raise NoBody(f"its record cannot be read ({error})", where=str(folder / place.segment)) from error
    end = EMPTY_LINE.search(block)
    if end is None:
        raise NoBody("its record has no end of the header", where=str(folder / place.segment))
    return Held(block[: end.end()], block[end.end() :])


def _block(folder: Path, place: Place) -> bytes:
    for name in (None, place.segment):  # a segment may be given its final name between the look and the opening
        path = segment_path(folder, place.segment) if name is None else folder / name
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                return next(members(file, offset=place.offset)).block
        except FileNotFoundError:
            if name is not None:
                raise
    raise AssertionError("unreachable")
