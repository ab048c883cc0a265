"""What a person can do about each kind of problem.

A crawl of a million pages may fail a hundred thousand times for five reasons;
what helps is the five reasons, how often each, one URL to try by hand, and the next step.
"""

from __future__ import annotations

from crawler.core.outcomes import Outcome
from crawler.report.report import Problem

GONE = frozenset({404, 410})
REFUSED = frozenset({401, 403})

_LESS = "a larger --delay or a smaller --per-host may help"
_SITE = "the site itself is at fault; open the example in a browser to see whether it still is"
_LOOK = "see whether the host answers at all: open the example in a browser"
_TOTAL = "if it is worth the wait, raise fetch.total_timeout in a --config file"

ADVICE: dict[Outcome, str] = {
    Outcome.HTTP_CLIENT_ERROR: "the site says that the request is wrong; open the example in a browser",
    Outcome.GONE: "nothing, if its owner took it away; it is asked for a few times more, and then no longer",
    Outcome.HTTP_REQUEST_TIMEOUT: _LESS,
    Outcome.HTTP_RATE_LIMITED: _LESS,
    Outcome.HTTP_SERVER_ERROR: f"the site is in trouble; {_LESS}",
    Outcome.HTTP_UNAVAILABLE: f"the site asks for a pause; {_LESS}",
    Outcome.HTTP_UNEXPECTED: _SITE,
    Outcome.HTTP_MALFORMED: "is it a web server, and is http:// or https:// right for this port?",
    Outcome.HEADER_TOO_LARGE: _SITE,
    Outcome.REDIRECT_LOOP: "such pages often want cookies or a login; access.origins in a --config file can give them",
    Outcome.REDIRECT_LIMIT: "if the site means it, raise fetch.redirects in a --config file",
    Outcome.REDIRECT_BAD: _SITE,
    Outcome.SCHEME_BLOCKED: "nothing to do: the page leads to what is no web page",
    Outcome.URL_INVALID: "nothing to do: the page leads nowhere",
    Outcome.DNS_NXDOMAIN: "check the spelling of the host; it may also have ceased to be",
    Outcome.DNS_TIMEOUT: "check this machine's name servers; with fewer at once (--concurrency) they may keep up",
    Outcome.DNS_FAILED: "check this machine's name servers and its network",
    Outcome.CONNECT_REFUSED: "check the host and its port; the server may be down, or may have barred this machine",
    Outcome.CONNECT_TIMEOUT: _LOOK,
    Outcome.CONNECT_UNREACHABLE: "check this machine's network; a host with IPv6 alone needs IPv6 here too",
    Outcome.CONNECT_FAILED: _LOOK,
    Outcome.PROXY_FAILED: "check access.proxy in the --config file, its user and password, and the proxy itself",
    Outcome.ADDRESS_BLOCKED: "if the host is yours, name it as a seed, or allow it with --allow-private always",
    Outcome.TLS_EXPIRED: "the site's owner must renew its certificate; check this machine's clock too",
    Outcome.TLS_UNTRUSTED: "if the authority is your own, name its certificate with --ca-file",
    Outcome.TLS_HOSTNAME: "the certificate names other hosts; crawl the site under one of those names",
    Outcome.TLS_PROTOCOL: "is http:// or https:// right for this port? Very old servers cannot be crawled",
    Outcome.TLS_TIMEOUT: _LOOK,
    Outcome.HEAD_TIMEOUT: f"{_LESS}; so may a larger fetch.head_timeout",
    Outcome.SLOW_BODY: "if it is worth the wait, lower fetch.lowest_rate in a --config file",
    Outcome.TOTAL_TIMEOUT: _TOTAL,
    Outcome.CONN_RESET: f"the server, or one on the way, hung up; {_LESS}",
    Outcome.DISCONNECTED: f"the server hung up; {_LESS}",
    Outcome.BODY_INCOMPLETE: _SITE,
    Outcome.FETCH_FAILED: "run again with -v to see what happened",
    Outcome.TOO_LARGE: "if you want it whole, raise fetch.max_body in a --config file",
    Outcome.DECODE_TRUNCATED: _SITE,
    Outcome.DECODE_FAILED: _SITE,
    Outcome.CODING_REFUSED: _SITE,
    Outcome.DECOMPRESSED_TOO_LARGE: "a --config file can raise parse.max_decoded and parse.max_ratio",
    Outcome.EXTRACT_FAILED: "the detail says how your function failed; it is in the archive all the same",
    Outcome.XML_BOMB: "tell the owner of the site; no sitemap or feed needs a DOCTYPE with entities",
    Outcome.PARSE_CRASH: "it is in the archive all the same; please report it, with its sample in quarantine/",
    Outcome.PARSE_TIMEOUT: "it is in the archive all the same; parse.timeout in a --config file gives more time",
    Outcome.PARSE_MEMORY: "it is in the archive all the same; parse.memory in a --config file gives more",
    Outcome.ROBOTS_UNREACHABLE: "without an answer for robots.txt nothing may be fetched; try later, with --fresh",
}

_BY_NAME = {outcome.value: line for outcome, line in ADVICE.items()}


def advice(problem: Problem) -> str:
    """Say in one line what a person can do about a problem, or nothing where there is nothing to do."""
    if problem.status in GONE:
        return "dead links; pages.jsonl names under `via` the page that each was found on"
    if problem.status in REFUSED:
        return (
            "the site wants a login (access.origins in a --config file), or does not want this crawler;"
            " its owner can tell, so give a --contact"
        )
    return _BY_NAME.get(problem.outcome, "")
