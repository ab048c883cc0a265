"""Certificates made for the moment: a good one, and every bad kind."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import trustme

_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)


@cache
def _authorities() -> tuple[trustme.CA, trustme.CA]:
    return trustme.CA(), trustme.CA()


def ca_file(folder: Path) -> str:
    """Write the authority that the crawl is to trust; return its file name."""
    path = folder / "authority.pem"
    _authorities()[0].cert_pem.write_to_path(path)
    return str(path)


def server_context(kind: str) -> ssl.SSLContext:
    """Return what a server shows: ``good``, ``expired``, ``untrusted`` or ``elsewhere``."""
    trusted, unknown = _authorities()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    begin, end = _LONG_AGO if kind == "expired" else (None, None)
    authority = unknown if kind == "untrusted" else trusted
    name = "elsewhere.example" if kind == "elsewhere" else "127.0.0.1"
    authority.issue_cert(name, not_before=begin, not_after=end).configure_cert(context)
    return context
