"""What an HTTP status means for a URL, and where a redirect leads (RFC 9110 §15)."""

from __future__ import annotations

from crawler.core.outcomes import Outcome
from crawler.core.records import CrawlURL
from crawler.core.url import BlockedScheme, normalise

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SPECIAL = {
    304: Outcome.NOT_MODIFIED,
    408: Outcome.HTTP_REQUEST_TIMEOUT,
    429: Outcome.HTTP_RATE_LIMITED,
    503: Outcome.HTTP_UNAVAILABLE,
}


def outcome_of(status: int) -> Outcome | None:
    """Return how a URL with this final status ends; None if its body is to be read (2xx)."""
    if 200 <= status < 300:
        return None
    if status in _SPECIAL:
        return _SPECIAL[status]
    if status in REDIRECTS:
        return Outcome.REDIRECT
    if 400 <= status < 500:
        return Outcome.HTTP_CLIENT_ERROR
    if 500 <= status < 600:
        return Outcome.HTTP_SERVER_ERROR
    return Outcome.HTTP_UNEXPECTED


def follow(source: CrawlURL, location: str | None, *, limit: int) -> tuple[Outcome, str, str]:
    """Judge a redirect.

    Args:
        source: the URL that answered with a redirect.
        location: its Location header; relative references are allowed (RFC 9110 §10.2.2).
        limit: redirects in a row, at most.

    Returns:
        The outcome for ``source``, the absolute target (empty unless the outcome is REDIRECT), and a detail.
    """
    if not location:
        return Outcome.REDIRECT_BAD, "", "no Location"
    try:
        target = normalise(location, source.url)
    except BlockedScheme:
        return Outcome.SCHEME_BLOCKED, "", f"to {location[:200]}"
    except ValueError:
        return Outcome.URL_INVALID, "", f"to {location[:200]}"
    if target == source.url or target in source.chain:
        return Outcome.REDIRECT_LOOP, "", f"back to {target}"
    if len(source.chain) >= limit:
        return Outcome.REDIRECT_LIMIT, "", f"after {limit} redirects"
    return Outcome.REDIRECT, target, ""
