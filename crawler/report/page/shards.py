"""The page's shards, where several share the crawl: a row for each, and how unevenly the work lies among them."""

from __future__ import annotations

from markupsafe import Markup

from crawler.report.page.section import section, table
from crawler.report.report import Report
from crawler.report.shards import HEAD, cells, said


def rows(report: Report) -> Markup:
    """List the shards; nothing where the crawl is the work of one."""
    if not report.shards:
        return Markup()
    return section("shards", "Shards", said(report), table(HEAD, cells(report), words=2))
