"""The website of our own tests is the one that we offer for other people's."""

from __future__ import annotations

from crawler.testing.site import HTML, PATIENCE, ROBOTS, Request, Site, serve_in_thread

__all__ = ["HTML", "PATIENCE", "ROBOTS", "Request", "Site", "serve_in_thread"]
