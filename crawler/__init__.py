"""A web crawler that loses nothing, is polite, and says what held it back.

These are the public names; each is imported when it is first asked for, so ``import crawler`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from crawler.api import Crawler, crawl
    from crawler.config import Config
    from crawler.core.document import Document
    from crawler.core.outcomes import Outcome, State
    from crawler.core.records import CrawlURL, Kind, Page
    from crawler.errors import (
        ConfigError,
        CrawlerError,
        FolderBusy,
        FolderDamaged,
        FolderUnusable,
        NoBody,
        SeedError,
        StorageError,
        UsageError,
        WorkersLost,
    )
    from crawler.pages import Pages
    from crawler.report.report import Ending, Progress, Report
    from crawler.seams import Answer, PageFetcher, PageStore, URLScope

_HOME = {
    **dict.fromkeys(("Crawler", "crawl"), "crawler.api"),
    "Pages": "crawler.pages",
    **dict.fromkeys(("Outcome", "State"), "crawler.core.outcomes"),
    **dict.fromkeys(("CrawlURL", "Kind", "Page"), "crawler.core.records"),
    **dict.fromkeys(("Answer", "PageFetcher", "PageStore", "URLScope"), "crawler.seams"),
    "Document": "crawler.core.document",
    **dict.fromkeys(("Ending", "Progress", "Report"), "crawler.report.report"),
    **dict.fromkeys(("ConfigError", "CrawlerError", "FolderBusy", "FolderDamaged", "FolderUnusable"), "crawler.errors"),
    **dict.fromkeys(("NoBody", "SeedError", "StorageError", "UsageError", "WorkersLost"), "crawler.errors"),
    "Config": "crawler.config",
}

__all__ = [
    "Answer",
    "Config",
    "ConfigError",
    "CrawlURL",
    "Crawler",
    "CrawlerError",
    "Document",
    "Ending",
    "FolderBusy",
    "FolderDamaged",
    "FolderUnusable",
    "Kind",
    "NoBody",
    "Outcome",
    "Page",
    "PageFetcher",
    "PageStore",
    "Pages",
    "Progress",
    "Report",
    "SeedError",
    "State",
    "StorageError",
    "URLScope",
    "UsageError",
    "WorkersLost",
    "__version__",
    "crawl",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
