"""The main text of a page: what it says, without what every page of its site has around it.

Not what a reader would be shown, only what two versions of one page are compared by; so what is left out is what
the elements themselves call boilerplate (HTML Standard §4.3, WAI-ARIA landmarks), and no guess is made.
"""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

_AROUND = (
    "script,style,noscript,template,nav,header,footer,aside,form,"
    "[role=navigation],[role=banner],[role=contentinfo],[role=complementary],[role=search],[hidden]"
)
_MAIN = "main,[role=main]"


def main_text(html: str) -> str:
    """Return the title and the main text of a page, white space collapsed.

    Where a page marks no main part, it is its body; what is marked as navigation, header, footer, form or aside is
    left out in both.

    Raises:
        MemoryError: the tree does not fit into memory.
    """
    try:
        tree = LexborHTMLParser(html)
    except SelectolaxError as error:
        raise MemoryError(str(error)) from error
    title = tree.css_first("title")
    parts = [title.text() if title else ""]
    for node in tree.css(_AROUND):
        node.decompose()
    root = tree.css_first(_MAIN) or tree.body
    parts.append(root.text(separator=" ") if root else "")
    return " ".join(" ".join(parts).split())
