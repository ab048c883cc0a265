"""An object store, seen as a few blocking calls: S3, Google, Azure, or a folder, by obstore (the extra ``cluster``).

Credentials come from the environment, as the tools of that store find them; they are never part of a URL, a message
or a report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from crawler.errors import ConfigError, StoreUnreachable, UsageError

SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "file")
_PART = 8 << 20
_NOT_SHOWN = re.compile(r"(?::?\s*<.*|\?[^\s\"')]*)")
"""Documents of servers, and queries, which may be signed."""
_TRIES = 3
_PATIENCE = timedelta(seconds=30)
"""For one request with all its tries; a snapshot that fails is taken again later."""


class ObjectStore:
    """A place in an object store. Blocking; may be used from one thread at a time.

    Args:
        url: such as ``s3://bucket/prefix``, or ``file:///mnt/share/prefix``.
        endpoint: of an S3-compatible store; empty for the store's own.

    Raises:
        ConfigError: the URL is none of an object store.
        UsageError: the extra is not installed.
    """

    def __init__(self, url: str, endpoint: str = "") -> None:
        self.url = _checked(url)
        try:
            from obstore import store  # noqa: PLC0415  -- an extra, and 30 ms
        except ImportError as error:
            raise UsageError("snapshots need the extra named cluster: pip install 'crawler[cluster]'") from error
        try:
            self._store: Any = _opened(store, self.url, endpoint)
        except Exception as error:  # whatever the settings of the store's own make of it
            raise ConfigError(f"snapshot.to: {_said(error)}", where=self.url) from error

    def keys(self, prefix: str = "") -> list[str]:
        """Return the names of all objects below a prefix, which ends with a slash or is empty, in order.

        Raises:
            StoreUnreachable: the store does not answer, or refuses.
        """
        import obstore  # noqa: PLC0415

        with self._telling(prefix):
            return sorted(one["path"] for page in obstore.list(self._store, prefix or None) for one in page)

    def create(self, key: str, content: bytes) -> bool:
        """Write an object that is not there yet, in one piece; return whether it is this content that is there now.

        Raises:
            StoreUnreachable: it may have been written or not.
        """
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415

        with self._telling(key):
            try:
                obstore.put(self._store, key, content, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                # an answer may have been lost, and the write done twice: then it is ours
                return bytes(obstore.get(self._store, key).bytes()) == content
        return True

    def write(self, key: str, chunks: Iterator[bytes], length: int) -> None:
        """Write an object of so many bytes, in parts if it is large; what an exception of ``chunks`` leaves is none.

        Raises:
            StoreUnreachable: it was not written.
        """
        import obstore  # noqa: PLC0415

        with self._telling(key):
            if length <= _PART:
                obstore.put(self._store, key, b"".join(chunks), use_multipart=False)  # one request, not three
            else:
                obstore.put(self._store, key, chunks, chunk_size=_PART, max_concurrency=2)

    def read(self, key: str) -> Iterator[bytes]:
        """Read an object, a few MiB at a time.

        Raises:
            StoreUnreachable: the store does not answer, or refuses.
            FileNotFoundError: there is no such object.
        """
        import obstore  # noqa: PLC0415

        with self._telling(key, missing=True):
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=_PART):
                yield bytes(chunk)

    def content(self, key: str, *, most: int) -> bytes:
        """Read a small object.

        Raises:
            StoreUnreachable: the store does not answer, or refuses.
            FileNotFoundError: there is no such object.
            ValueError: it is larger than ``most`` bytes.
        """
        found = bytearray()
        for chunk in self.read(key):
            found += chunk
            if len(found) > most:
                raise ValueError(f"has more than {most} bytes")
        return bytes(found)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone already do not matter.

        Raises:
            StoreUnreachable: some may be there still.
        """
        import obstore  # noqa: PLC0415

        for key in keys:
            with suppress(FileNotFoundError), self._telling(key, missing=True):
                obstore.delete(self._store, key)

    @contextmanager
    def _telling(self, key: str, *, missing: bool = False) -> Iterator[None]:
        """Say what a store says as an error of ours; ``missing`` if that there is no such object is no trouble."""
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            yield
        except (BaseError, OSError) as error:
            if missing and isinstance(error, FileNotFoundError):
                raise
            raise StoreUnreachable(_said(error), where=f"{self.url}/{key}") from None  # its text may hold more


def _checked(url: str) -> str:
    """Return the URL without slashes at its end; refuse what is none, without repeating what may be a secret."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"snapshot.to: must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("snapshot.to: holds more than a place; credentials belong into the environment")
    if not (parts.netloc or parts.path.strip("/")):
        raise ConfigError(f"snapshot.to: {url!r} names no place")
    return url.rstrip("/")


def _opened(store: Any, url: str, endpoint: str) -> Any:
    if url.startswith("file:"):
        return store.LocalStore(urlsplit(url).path, automatic_cleanup=False, mkdir=True)
    options: dict[str, Any] = {
        "client_options": {"timeout": _PATIENCE, "connect_timeout": timedelta(seconds=5)},
        "retry_config": {"max_retries": _TRIES, "retry_timeout": _PATIENCE},
    }
    if endpoint:
        options["endpoint"] = endpoint
        options["client_options"]["allow_http"] = endpoint.startswith("http:")
    return store.from_url(url, **options)


def _said(error: Exception) -> str:
    """Shorten what a store says to one line without what may be secret."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return _NOT_SHOWN.sub("", lines[0] if lines else type(error).__name__)[:300]
