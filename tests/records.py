"""What stands in the archive of a test crawl, read by a few lines that share nothing with the writer."""

from __future__ import annotations

import gzip
from pathlib import Path


def blocks(folder: Path, *kinds: str) -> dict[str, bytes]:
    """Return the blocks of all records of some kinds by URL: bytes of a request or an answer, exactly as archived."""
    found = {}
    for segment in sorted((folder / "archive").glob("*.warc.gz*")):
        rest = gzip.decompress(segment.read_bytes())
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            size = int(fields["content-length"])
            if fields["warc-type"] in kinds:
                found[fields["warc-target-uri"]] = rest[:size]
            rest = rest[size:].removeprefix(b"\r\n\r\n")
    return found


def response_head(folder: Path, url: str) -> bytes:
    """Return status line and header of an answer as archived, up to and with the empty line."""
    head, end, _ = blocks(folder, "response", "revisit")[url].partition(b"\r\n\r\n")
    return head + end
