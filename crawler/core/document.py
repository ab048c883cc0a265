"""What an ``extract`` function is given: a page's decoded body, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from selectolax.lexbor import LexborHTMLParser

from crawler.core.charset import decode_text, encoding
from crawler.core.headers import Headers


@dataclass(frozen=True, eq=False)
class Document:
    """A page that answered with a 2xx status, as an ``extract`` function sees it, within a worker process."""

    url: str
    """Absolute and normalised."""
    status: int
    """HTTP status, 200 to 299."""
    headers: Headers
    """Of the answer: ``document.headers.get("content-type")``."""
    mime: str
    """Media type that the header states, such as ``text/html``; empty if it states none."""
    body: bytes
    """After content decoding; ``parse.max_decoded`` bounds it."""
    is_html: bool
    """Whether it was read as HTML; only then are the next three filled."""
    title: str = ""
    language: str = ""
    canonical: str = ""
    """Absolute URL, or empty."""

    @cached_property
    def charset(self) -> str:
        """Name of the character encoding: of the mark, the header or the page itself; else a guess."""
        return encoding(self.body, self.headers.get("content-type"))

    @cached_property
    def text(self) -> str:
        """The body as text; markup is left as it is."""
        return decode_text(self.body, self.charset)

    @cached_property
    def tree(self) -> LexborHTMLParser:
        """The text parsed as HTML by selectolax: ``document.tree.css("h1")``. Yours to change."""
        return LexborHTMLParser(self.text)
