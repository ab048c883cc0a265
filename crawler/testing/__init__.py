"""Websites on loopback for your own tests: one made of a dict, and servers that misbehave.

``pytest_plugins = ["crawler.testing"]`` in a ``conftest.py`` brings the fixtures :func:`website` and :func:`hostile`;
both serve from a thread of their own, so they are for blocking and for async tests alike.
"""

from __future__ import annotations

from crawler.testing.answers import Answer, Coding, Failure, Faults
from crawler.testing.hostile import Play, Talk, answers, answers_by, head, says
from crawler.testing.plugin import hostile, website
from crawler.testing.site import Request, Site, serve_in_thread

__all__ = [
    "Answer",
    "Coding",
    "Failure",
    "Faults",
    "Play",
    "Request",
    "Site",
    "Talk",
    "answers",
    "answers_by",
    "head",
    "hostile",
    "says",
    "serve_in_thread",
    "website",
]
