"""``report.json``: the report as a program reads it."""

from __future__ import annotations

import msgspec

from crawler.report.report import Report


def encode(report: Report) -> bytes:
    """Write a report as JSON that a person can read too, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode(content: bytes) -> Report:
    """Read a report back.

    Raises:
        msgspec.ValidationError: the content is JSON, but no report of ours.
        msgspec.DecodeError: it is not JSON.
    """
    return msgspec.json.decode(content, type=Report)
