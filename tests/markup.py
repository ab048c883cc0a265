"""HTML as careless hands write it, for the random web."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Sequence

_NEEDS_QUOTES = re.compile(r"""[\s"'`=<>]""")
_WORDS = ("page", "of", "words", "and", "links", "that", "nobody", "tidied", "since", "it", "was", "written")


def anchor(rng: random.Random, href: str) -> str:
    """Write a link: quoted in one way or another or not at all, with character references here and there."""
    way = rng.choice(("double", "double", "single", "bare"))
    text = href.replace("&", "&amp;") if rng.random() < 0.7 else href
    if rng.random() < 0.1:
        text = text.replace("/", "&#x2F;", 1)
    if way == "bare" and text and not _NEEDS_QUOTES.search(text) and not text.endswith("/"):
        return f"<a href={text}>here</a>"
    if way == "single":
        return f"<A class=x HREF = '{text.replace(chr(39), '&#39;')}'>here</A>"
    return f'<a title="a &gt; b" href="{text.replace(chr(34), "&quot;")}">here</a>'


def document(rng: random.Random, title: str, anchors: Sequence[str], named: Sequence[str], *, base: str = "") -> str:
    """Write a page with links, and with URLs named where no link is: in a comment, a script, and plain text."""
    head = f"<title>{title}</title>" + (f'<base href="{html.escape(base)}">' if base else "")
    lures = "".join(
        f'<!-- <a href="{url}">old</a> --><script>var s = \'<a href="{url}">x</a>\';</script><p>{url}</p>'
        for url in named
    )
    words = (" ".join(rng.choices(_WORDS, k=rng.randint(0, 60))) for _ in range(len(anchors) + 1))
    blocks = [f"<p>{text} {link}" for text, link in zip(words, [*anchors, ""], strict=True)]
    return f"<!DOCTYPE html><html><head>{head}</head><body>{lures}\n" + "\n".join(blocks) + "\n</body></html>\n"
