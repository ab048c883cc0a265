"""Seed sources: files, URLs and standard input → a stream of crawl URLs.

All sources are looked at before anything else happens, so that a mistyped name costs nothing.
Then they are read as they are asked for, in chunks: a file of a million lines is never in memory,
and reading never blocks the loop.
A line that is no URL is named with its number, and the rest goes on.

Regular files are read by aiofiles.
Pipes and terminals are not: a thread that waits for a pipe that stays silent cannot be ended,
so the loop itself watches them.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path

import aiofiles
from msgspec import Struct

from crawler.cli.lines import LineReader, SeedLine, is_binary
from crawler.core.url import credentials, redact, seed_url
from crawler.errors import SeedError
from crawler.report.report import SeedReport
from crawler.report.seeds import BAD_SEEDS_KEPT

STDIN = "-"
CHUNK = 65_536
SAMPLE = 4096
SHOWN = 300
LONGEST_NAME = 64
"""Characters of a host's name without a dot, at most, and one more."""

_FILE_SUFFIXES = frozenset(
    {".conf", ".csv", ".dat", ".gz", ".htm", ".html", ".json", ".jsonl", ".list"}
    | {".log", ".lst", ".text", ".toml", ".tsv", ".txt", ".urls", ".xml"}
)


class Source(Struct, frozen=True):
    """Where seeds come from."""

    name: str
    """As it is named to the person."""
    url: str = ""
    """The URL, if the source is one."""
    has_secret: bool = False
    """Whether the URL came with a user name or a password."""
    path: Path | None = None
    descriptor: int = -1
    """An open pipe, terminal or file without a name."""


def find_sources(arguments: Sequence[str]) -> list[Source]:
    """Tell what each argument is, and make sure that it can be read.

    Raises:
        SeedError: one of them is neither a file that can be read nor a URL.
    """
    if arguments.count(STDIN) > 1:
        raise SeedError("standard input (-) can be read only once")
    return [_stdin() if argument == STDIN else _source(argument) for argument in arguments]


def _source(argument: str) -> Source:
    name = redact(argument, SHOWN)
    if _exists(argument, name):
        return _file(Path(argument), name)
    if _looks_like_file(argument):
        raise SeedError(f"no such file{_hint(argument)}", where=name)
    try:
        return Source(name, url=seed_url(argument), has_secret=bool(credentials(argument)))
    except ValueError as error:
        raise SeedError(f"{error} (nor is there a file of that name)") from error


def _exists(argument: str, name: str) -> bool:
    try:
        return bool(argument) and Path(argument).exists()
    except PermissionError as error:
        raise SeedError(f"cannot be read ({error.strerror})", where=name) from error
    except (OSError, ValueError):
        return False  # too long for a file's name, or NUL within it


def _looks_like_file(argument: str) -> bool:
    """Tell a mistyped file name from a host: it begins as a path does, ends as a file does, or has no dot."""
    if "://" in argument:
        return False
    first, slash, _ = argument.partition("/")
    if argument.startswith(("/", ".", "~")) or (not slash and Path(first).suffix.lower() in _FILE_SUFFIXES):
        return True
    return bool(first) and not set(first) & set(".:[") and first.lower() != "localhost"


def _hint(argument: str) -> str:
    is_word = len(argument) < LONGEST_NAME and argument.replace("-", "").isalnum()
    return f"; for a host of that name write http://{argument}/" if is_word else ""


def _file(path: Path, name: str) -> Source:
    if path.is_dir():
        raise SeedError("is a folder, not a file of URLs", where=name)
    try:
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                if is_binary(file.read(SAMPLE)):
                    raise SeedError("is not a text file of URLs", where=name)
            return Source(name, path=path)
        return Source(name, descriptor=os.open(path, os.O_RDONLY))
    except OSError as error:
        raise SeedError(f"cannot be read ({error.strerror})", where=name) from error


def _stdin() -> Source:
    name = "standard input"
    if sys.stdin is None:
        raise SeedError("is closed", where=name)
    descriptor = sys.stdin.fileno()
    if os.isatty(descriptor):
        # a terminal is opened anew: watching it makes it non-blocking, for standard error too if it were shared
        return Source(name, descriptor=os.open(os.ttyname(descriptor), os.O_RDONLY | os.O_NOCTTY))
    return Source(name, descriptor=os.dup(descriptor))


class Seeds:
    """The URLs of all sources, one after another, and a count of what was read. It can be gone through once."""

    def __init__(self, sources: Sequence[Source], warn: Callable[[str], None]) -> None:
        self._sources = sources
        self._warn = warn
        self._read = 0
        self._accepted = 0
        self._bad: list[str] = []
        self._bad_count = 0
        self._told_of_secrets = False
        self._urls = self._all()
        self._first: list[str] = []

    async def prepare(self) -> None:
        """Read up to the first usable seed, before anything is created.

        Raises:
            SeedError: there is none, or a source cannot be read.
        """
        try:
            self._first.append(await anext(self._urls))
        except StopAsyncIteration:
            names = ", ".join(source.name for source in self._sources)
            found = f"none of its {self._bad_count:,} lines is a URL" if self._bad_count else "no URL in it"
            raise SeedError(found, where=names) from None

    async def __aiter__(self) -> AsyncIterator[str]:
        while self._first:
            yield self._first.pop()
        async for url in self._urls:
            yield url

    def report(self) -> SeedReport:
        """Tell what has been read so far."""
        return SeedReport(read=self._read, accepted=self._accepted, bad=tuple(self._bad), bad_count=self._bad_count)

    async def aclose(self) -> None:
        """Stop reading."""
        await self._urls.aclose()

    async def _all(self) -> AsyncGenerator[str, None]:
        for source in self._sources:
            if source.url:
                self._read += 1
                self._accept(source.name, has_secret=source.has_secret)
                yield source.url
                continue
            if source.path is None and os.isatty(source.descriptor):
                self._warn("reading URLs from the terminal, one a line; Ctrl-D ends the list")
            reader = LineReader()
            async for chunk in _chunks(source):
                for line in reader.feed(chunk, last=not chunk):
                    if url := self._take(source, line):
                        yield url
        if self._bad_count > BAD_SEEDS_KEPT:
            self._warn(f"{self._bad_count - BAD_SEEDS_KEPT:,} more lines are no URLs")

    def _take(self, source: Source, line: SeedLine) -> str:
        self._read += 1
        try:
            if line.flaw:
                raise ValueError(line.flaw)  # noqa: TRY301  -- one place says what is wrong with a line
            url = seed_url(line.text)
        except ValueError as error:
            self._refuse(f"{source.name}:{line.number}: {error}")
            return ""
        self._accept(f"{source.name}:{line.number}", has_secret="@" in line.text and bool(credentials(line.text)))
        return url

    def _accept(self, where: str, *, has_secret: bool) -> None:
        self._accepted += 1
        if has_secret and not self._told_of_secrets:
            self._told_of_secrets = True
            self._warn(
                f"{where}: its user name and password are left out; fetch.headers in a --config file can send them"
            )

    def _refuse(self, sentence: str) -> None:
        self._bad_count += 1
        if len(self._bad) < BAD_SEEDS_KEPT:
            self._bad.append(sentence)
            self._warn(sentence)


async def _chunks(source: Source) -> AsyncIterator[bytes]:
    """Read a source to its end; the last chunk is empty.

    Raises:
        SeedError: reading fails half-way.
    """
    watched = source.path is None and _can_be_watched(source.descriptor)
    chunks = _watch(source.descriptor) if watched else _read(source.path or source.descriptor)
    try:
        async for chunk in chunks:
            yield chunk
    except OSError as error:
        raise SeedError(f"cannot be read ({error.strerror})", where=source.name) from error
    yield b""


async def _read(file: Path | int) -> AsyncIterator[bytes]:
    async with aiofiles.open(file, "rb") as opened:
        while chunk := await opened.read(CHUNK):
            yield chunk


async def _watch(descriptor: int) -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        while chunk := await reader.read(CHUNK):
            yield chunk
    finally:
        transport.close()  # the pipe with it


def _can_be_watched(descriptor: int) -> bool:
    """Tell whether reading may have to wait; a file or ``/dev/null`` at standard input never does."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
