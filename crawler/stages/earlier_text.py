"""PROCESS: the text that a page had in an earlier round, out of the archive. Reads only."""

from __future__ import annotations

from pathlib import Path

from crawler.core.charset import decode_text, encoding
from crawler.core.decode import decode_body
from crawler.core.headers import Headers, content_codings
from crawler.core.warc_reader import EMPTY_LINE, members


def earlier_text(archive: str, held: tuple[bytes, str, int, int], *, limit: int, max_ratio: int) -> str | None:
    """Return the text of a page as it was; None if it cannot be had.

    Args:
        archive: the folder.
        held: digest of the payload; segment, offset and length of its record.
        limit: bytes of a body after decompression, at most.
        max_ratio: as :func:`decode_body`.
    """
    _, segment, offset, _ = held
    for name in (segment, f"{segment}.open"):  # which of them it is may change while we look
        try:
            with Path(archive, name).open("rb") as file:
                file.seek(offset)
                block = next(members(file, offset=offset)).block
        except (OSError, ValueError, StopIteration):
            continue
        end = EMPTY_LINE.search(block)
        if end is None:
            return None
        headers = Headers(block[: end.end()])
        codings = content_codings(",".join(headers.all("content-encoding")))
        decoded = decode_body(block[end.end() :], codings, limit=limit, max_ratio=max_ratio)
        if decoded.outcome:
            return None
        return decode_text(decoded.body, encoding(decoded.body, headers.get("content-type")))
    return None
