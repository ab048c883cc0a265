"""How a URL can end: the closed list.

An outcome belongs to one of three states, so that ``known = done + failed + skipped + queued`` always holds.
The names are stable: they stand in ``pages.jsonl``, in ``report.json`` and in the database.
"""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum
from typing import Self


class State(IntEnum):
    """Where a known URL stands; the numbers are those in the database."""

    QUEUED = 0
    DONE = 1
    FAILED = 2
    SKIPPED = 3


class Retry(Enum):
    """How often a failure of a kind is worth another attempt."""

    NEVER = 1
    ONCE = 2
    USUAL = 3
    """As often as ``fetch.attempts`` allows."""
    PATIENT = 4
    """Five attempts more than usual: the server asks to be left alone for a while, not for ever."""


class Outcome(StrEnum):
    """How a URL ended. Each member carries its state, whether to try again, and one line of meaning."""

    state: State
    retry: Retry
    meaning: str

    def __new__(cls, value: str, state: State, retry: Retry, meaning: str) -> Self:
        """Make a member that is its name and carries the rest as attributes."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.state = state
        member.retry = retry
        member.meaning = meaning
        return member

    # Done: the server answered as hoped, and the answer is in the archive
    OK = "ok", State.DONE, Retry.NEVER, "fetched, parsed and archived"
    REDIRECT = "redirect", State.DONE, Retry.NEVER, "the server pointed elsewhere; the target is a URL of its own"
    NOT_MODIFIED = "not_modified", State.DONE, Retry.NEVER, "unchanged since the last crawl (304)"

    # Failed by the answer that came.
    HTTP_CLIENT_ERROR = "http_client_error", State.FAILED, Retry.NEVER, "the server answered 4xx"
    HTTP_REQUEST_TIMEOUT = (
        "http_request_timeout",
        State.FAILED,
        Retry.USUAL,
        "the server answered 408 to the last attempt",
    )
    HTTP_RATE_LIMITED = "http_rate_limited", State.FAILED, Retry.PATIENT, "the server answered 429 to the last attempt"
    HTTP_SERVER_ERROR = "http_server_error", State.FAILED, Retry.USUAL, "the server answered 5xx to the last attempt"
    HTTP_UNAVAILABLE = "http_unavailable", State.FAILED, Retry.PATIENT, "the server answered 503 to the last attempt"
    HTTP_UNEXPECTED = "http_unexpected", State.FAILED, Retry.NEVER, "the server answered a status that says nothing"
    HTTP_MALFORMED = "http_malformed", State.FAILED, Retry.ONCE, "the answer is not valid HTTP"
    HEADER_TOO_LARGE = "header_too_large", State.FAILED, Retry.NEVER, "header lines too long or too many"

    GONE = "gone", State.FAILED, Retry.NEVER, "404 or 410 where there was a page, or too often to ask again"

    # Failed by a redirect.
    REDIRECT_LOOP = "redirect_loop", State.FAILED, Retry.NEVER, "a redirect leads back to its own chain"
    REDIRECT_LIMIT = "redirect_limit", State.FAILED, Retry.NEVER, "too many redirects in a row"
    REDIRECT_BAD = "redirect_bad", State.FAILED, Retry.NEVER, "a redirect without a usable Location"

    SCHEME_BLOCKED = "scheme_blocked", State.FAILED, Retry.NEVER, "a redirect to neither http nor https"
    URL_INVALID = "url_invalid", State.FAILED, Retry.NEVER, "a redirect to what is no valid URL"

    # Failed without a whole answer.
    DNS_NXDOMAIN = "dns_nxdomain", State.FAILED, Retry.ONCE, "the host name does not exist"
    DNS_TIMEOUT = "dns_timeout", State.FAILED, Retry.USUAL, "the name server did not answer"
    DNS_FAILED = "dns_failed", State.FAILED, Retry.USUAL, "the host name could not be resolved"
    CONNECT_REFUSED = "connect_refused", State.FAILED, Retry.USUAL, "nothing listens at the address"
    CONNECT_TIMEOUT = "connect_timeout", State.FAILED, Retry.USUAL, "no connection within the time allowed"
    CONNECT_UNREACHABLE = "connect_unreachable", State.FAILED, Retry.USUAL, "no route to the address"
    CONNECT_FAILED = "connect_failed", State.FAILED, Retry.USUAL, "no connection, for another reason"
    PROXY_FAILED = "proxy_failed", State.FAILED, Retry.USUAL, "the proxy cannot be reached, or refuses the request"
    ADDRESS_BLOCKED = "address_blocked", State.FAILED, Retry.NEVER, "the address is private or reserved"
    TLS_EXPIRED = "tls_expired", State.FAILED, Retry.NEVER, "the certificate has expired"
    TLS_UNTRUSTED = "tls_untrusted", State.FAILED, Retry.NEVER, "the certificate is not signed by a trusted authority"
    TLS_HOSTNAME = "tls_hostname", State.FAILED, Retry.NEVER, "the certificate is for another host"
    TLS_PROTOCOL = "tls_protocol", State.FAILED, Retry.NEVER, "no TLS version or cipher in common, or no TLS at all"
    TLS_TIMEOUT = "tls_timeout", State.FAILED, Retry.USUAL, "the TLS handshake did not end in time"
    HEAD_TIMEOUT = "head_timeout", State.FAILED, Retry.USUAL, "no complete header within the time allowed"
    SLOW_BODY = "slow_body", State.FAILED, Retry.USUAL, "the body came slower than the lowest rate allowed"
    TOTAL_TIMEOUT = "total_timeout", State.FAILED, Retry.USUAL, "the fetch took longer than allowed in all"
    CONN_RESET = "conn_reset", State.FAILED, Retry.USUAL, "the connection was reset"
    DISCONNECTED = "disconnected", State.FAILED, Retry.USUAL, "the server hung up before answering"
    BODY_INCOMPLETE = "body_incomplete", State.FAILED, Retry.USUAL, "the body ended before its announced length"
    FETCH_FAILED = "fetch_failed", State.FAILED, Retry.USUAL, "the fetch failed in a way that has no name here"

    # Failed by the body.
    TOO_LARGE = "too_large", State.FAILED, Retry.NEVER, "the body is larger than allowed; what came is kept, cut"
    DECODE_TRUNCATED = "decode_truncated", State.FAILED, Retry.NEVER, "the compressed body ends too early"
    DECODE_FAILED = "decode_failed", State.FAILED, Retry.NEVER, "the compressed body is damaged"
    CODING_REFUSED = "coding_refused", State.FAILED, Retry.NEVER, "an unknown content coding, or too many of them"
    DECOMPRESSED_TOO_LARGE = "decompressed_too_large", State.FAILED, Retry.NEVER, "the body unpacks to too much"
    XML_BOMB = "xml_bomb", State.FAILED, Retry.NEVER, "a sitemap or feed that declares entities; it is not read"
    PARSE_CRASH = "parse_crash", State.FAILED, Retry.NEVER, "the page killed its parse worker"
    PARSE_TIMEOUT = "parse_timeout", State.FAILED, Retry.NEVER, "the page took its parse worker too long"
    EXTRACT_FAILED = "extract_failed", State.FAILED, Retry.NEVER, "archived and parsed, but the extract function failed"
    PARSE_MEMORY = "parse_memory", State.FAILED, Retry.NEVER, "the page took its parse worker too much memory"

    # Failed for want of leave.
    ROBOTS_UNREACHABLE = "robots_unreachable", State.FAILED, Retry.NEVER, "robots.txt cannot be had (RFC 9309: 5xx)"

    # Skipped by a rule, without a request.
    OUT_OF_SCOPE = "out_of_scope", State.SKIPPED, Retry.NEVER, "outside the scope of the seeds"
    EXCLUDED = "excluded", State.SKIPPED, Retry.NEVER, "matches an exclude pattern"
    NOT_INCLUDED = "not_included", State.SKIPPED, Retry.NEVER, "matches no include pattern"
    TOO_DEEP = "too_deep", State.SKIPPED, Retry.NEVER, "further from the seeds than max_depth"
    URL_TOO_LONG = "url_too_long", State.SKIPPED, Retry.NEVER, "longer than max_url_length"
    ROBOTS_DENIED = "robots_denied", State.SKIPPED, Retry.NEVER, "disallowed by the host's robots.txt"
    TRAP_DEEP_PATH = "trap_deep_path", State.SKIPPED, Retry.NEVER, "more path segments than a site has"
    TRAP_REPEATED_SEGMENT = "trap_repeated_segment", State.SKIPPED, Retry.NEVER, "a path segment repeats too often"
    TRAP_LONG_QUERY = "trap_long_query", State.SKIPPED, Retry.NEVER, "more query parameters than a site has"
    TRAP_HOST_BUDGET = "trap_host_budget", State.SKIPPED, Retry.NEVER, "the host's budget of pages is used up"
    MOVED = "moved", State.SKIPPED, Retry.NEVER, "belongs to another shard of the crawl by now, which counts it"
