"""Records and archives for the tests of the archive."""

from __future__ import annotations

import io
import itertools
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from types import FrameType

from crawler.core import warc
from crawler.storage.archive import Archive

Lengths = dict[str, tuple[int, bool]]
"""What a database would know: segment → committed length, closed."""

AT = 1795448401.5
FIRST = "crawl-20261123154001-00001.warc.gz"
SECOND = "crawl-20261123154001-00002.warc.gz"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


def member(number: int) -> bytes:
    """One record, too random to be packed."""
    body = sha256(b"%d" % number).digest() * 4
    request, response = warc.exchange(
        f"http://a/{number}",
        b"GET / HTTP/1.1\r\n\r\n",
        HEAD,
        body,
        digest=sha256(body).digest(),
        address="127.0.0.1",
        date=AT,
        truncated="",
        ids=(f"{number:08}-0000-4000-8000-000000000001", f"{number:08}-0000-4000-8000-000000000002"),
    )
    del request
    return response


A, B, C, D = (member(number) for number in range(4))


def two_lines(segment: str) -> Iterable[str]:
    return [f"z {segment}", f"a {segment}"]


@contextmanager
def archive(folder: Path, committed: Lengths, *, segment_size: int = 10**6) -> Iterator[Archive]:
    made = Archive(folder, segment_size=segment_size, software="crawler/0", now=lambda: AT, index=two_lines)
    with closing(made):
        made.recover(committed)
        yield made


def commit(made: Archive, committed: Lengths) -> None:
    lengths = made.lengths()
    made.sync()
    committed.update(lengths)
    made.committed()


def blocks(path: Path) -> list[bytes]:
    """Read a segment strictly, and return the blocks after its warcinfo record."""
    with path.open("rb") as file:
        first, *others = warc.members(file)
    assert first.header("WARC-Type") == "warcinfo"
    assert first.header("WARC-Filename") == path.name.removesuffix(".open")
    return [found.block for found in others]


def block(packed: bytes) -> bytes:
    return next(warc.members(io.BytesIO(packed))).block


def written(folder: Path, *batches: list[bytes], segment_size: int = 10**6) -> Lengths:
    """Leave an archive as a crawl leaves it that was killed after its last commit."""
    committed: Lengths = {}
    with archive(folder, committed, segment_size=segment_size) as made:
        for batch in batches:
            made.append(batch)
            commit(made, committed)
    return committed


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow past a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Killed(BaseException):
    """The process ends here."""


FATAL = {"mkdir", "open", "writev", "write", "writelines", "flush", "fsync", "ftruncate", "rename", "unlink", "close"}


@contextmanager
def killed_at(call: int) -> Iterator[None]:
    """Raise Killed instead of the n-th system call that touches the disk, counted from 1."""
    calls = itertools.count(1)

    def watch(_frame: FrameType, event: str, function: object) -> None:
        if event == "c_call" and getattr(function, "__name__", "") in FATAL and next(calls) == call:
            raise Killed

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(None)
