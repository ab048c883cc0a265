"""Pages to work on: HTML like that of a documentation site, made by rule, so every run works on the same bytes.

A page has a navigation that it shares with its neighbours, prose, code, a table, and some hundred links, most of
which lead to the same few dozen places once their fragments are cut off. That is what real documentation looks like.
"""

from __future__ import annotations

from random import Random

_PROSE = (
    "the lamp turns and the sea answers when a keeper reads what was written before dawn each value is returned to "
    "its caller unless the buffer has been closed an error names the argument that was out of range and nothing else "
    "changes between two calls so a loop may rely on it while another thread waits for the lock to be released"
)
_WORDS = tuple(_PROSE.split())
_CHAPTERS = 24
_SECTIONS = 19
_TINY = (
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>Note {0}</title></head><body><h1>Note {0}</h1>"
    "<p>The lamp was lit at dusk and burned till dawn.</p>"
)


def page(number: int) -> bytes:
    """Write the page of a number: 30 to 40 KB of HTML with about a hundred links."""
    random = Random(number)  # noqa: S311  a text that looks like one, not a secret
    parts = [
        f"<!doctype html>\n<html lang=en>\n<head><meta charset=utf-8>\n<title>Chapter {number} - Handbook</title>\n",
        f'<link rel="canonical" href="/page/{number}.html">\n<link rel="stylesheet" href="/static/style.css">\n',
        "</head>\n<body>\n<div class=related role=navigation aria-label=related><ul>\n",
        *(_entry(number, place) for place in range(_CHAPTERS)),
        "</ul></div>\n<main class=body role=main>\n",
        *(_section(number, place, random) for place in range(_SECTIONS)),
        "</main>\n<footer class=footer>&copy; The keepers. <a href='/about.html'>About</a></footer>\n</body></html>\n",
    ]
    return "".join(parts).encode()


def tiny(number: int) -> bytes:
    """Write the smallest useful page of a number: some 300 bytes and three links."""
    links = "".join(f'<p><a href="/tiny/{number + step}.html">Note {number + step}</a></p>' for step in (1, 2, 3))
    return (_TINY.format(number) + links + "</body></html>\n").encode()


def _entry(number: int, place: int) -> str:
    target = number - number % _CHAPTERS + place
    return (
        f'<li class="toctree-l1"><a class="reference internal" href="../page/{target}.html">Chapter {target}</a></li>\n'
    )


def _section(number: int, place: int, random: Random) -> str:
    anchor = f"section-{number}-{place}"
    near = (number + random.randrange(8), random.randrange(_SECTIONS))
    return (
        f'<section id="{anchor}">\n<h2>{_prose(random, 4)}<a class="headerlink" href="#{anchor}">¶</a></h2>\n'
        f"<p>{_prose(random, 70)} "
        f'<a class="reference internal" href="../page/{near[0]}.html#section-{near[0]}-{near[1]}">'
        f'<span class="std std-ref">{_prose(random, 3)}</span></a>, '
        f"{_prose(random, random.randrange(30, 110))}.</p>\n"
        f'<div class="highlight-python notranslate"><pre><span class="k">def</span> <span class="nf">f_{place}</span>'
        '(<span class="n">value</span>):\n    <span class="k">return</span> <span class="n">value</span>\n'
        "</pre></div>\n"
        f'<table class="docutils"><tr><td><a href="/page/{near[0]}.html#f_{place}"><code>f_{place}</code></a></td>'
        f'<td>{_prose(random, 25)}</td></tr><tr><td><a href="/genindex.html#{place}">index</a></td>'
        f"<td>{_prose(random, 25)}</td></tr></table>\n</section>\n"
    )


def _prose(random: Random, words: int) -> str:
    return " ".join(random.choices(_WORDS, k=words))
