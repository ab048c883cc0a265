"""Scenarios of sitemaps and feeds: bombs, circles, far too many entries, and entries that lead elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import ANY_NUMBER, Play, Scenario, Stage, Talk, answers_by

SETTINGS = {
    "politeness": {"robots": "obey"},
    "scope": {"sitemaps": True},
    "fetch": {"max_body": 8 * 1024**2, "head_timeout": 20.0, "total_timeout": 50.0, "lowest_rate_after": 20.0},
    "parse": {"timeout": 20.0, "workers": 2, "max_links": 60},
    "traps": {"pages_per_host": 40},
}
_MAP = "/map.xml"
_XML = "application/xml"
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_ENTITIES = '<!DOCTYPE urlset [<!ENTITY l0 "ha">{}]><urlset><url><loc>http://a.example/{}</loc></url></urlset>'


def listed_by_robots(body: bytes | str, mime: str = _XML) -> Play:
    """Name a sitemap in robots.txt, and answer it; ``{}`` in its text is where the server is."""

    async def reply(talk: Talk) -> None:
        origin = talk.stage.origin
        if talk.path == "/robots.txt":
            await talk.answer(f"Sitemap: {origin}{_MAP}\n".encode(), Content_Type="text/plain")
        elif talk.path == _MAP:
            await talk.answer(
                body if isinstance(body, bytes) else body.replace("{}", origin).encode(), Content_Type=mime
            )
        else:
            await talk.answer()

    return answers_by(reply)


def ends(outcome: Outcome, *, pages: int = 1) -> Callable[[Any, Stage], None]:
    """Check how the sitemap ended, and how many pages of the host were fetched well, the first one included."""

    def check(run: Any, stage: Stage) -> None:
        assert run.outcomes[stage.origin + _MAP] == outcome, run.pages[stage.origin + _MAP]
        of_host = [url for url, ended in run.outcomes.items() if ended == "ok" and url.startswith(stage.origin + "/")]
        assert len([url for url in of_host if url != stage.origin + _MAP]) == pages

    return check


def elsewhere(run: Any, stage: Stage) -> None:
    ends(Outcome.OK, pages=2)(run, stage)
    assert run.outcomes["http://elsewhere.example/"] == "out_of_scope"
    assert not any(url.startswith(("file:", "javascript:", "ftp:")) for url in run.outcomes)


def capped(run: Any, stage: Stage) -> None:
    line = run.pages[stage.origin + _MAP]
    assert (line["outcome"], line["links"], line["links_capped"]) == ("ok", 50_000, True)
    assert sum(url.startswith(stage.origin) and ended == "ok" for url, ended in run.outcomes.items()) == 40
    assert "trap_host_budget" in run.outcomes.values()


def urlset(*urls: str) -> str:
    return f"<urlset>{''.join(f'<url><loc>{url}</loc></url>' for url in urls)}</urlset>"


def _listed(number: int, name: str, does: str, play: Play, check: Any) -> Scenario:
    return Scenario(number, name, does, Outcome.OK, 1, play, asked=ANY_NUMBER, check=check)


_BOMB = ends(Outcome.XML_BOMB)
_FEED = '<?xml version="1.0" encoding="{name}"?><rss><item><title>\u4e2d\u6587</title><link>{}/b</link></item></rss>'
SCENARIOS = (
    _listed(
        74,
        "billion laughs",
        "names a sitemap of entities that grow tenfold nine times",
        listed_by_robots(_ENTITIES.format(_LAUGHS, "&l9;")),
        _BOMB,
    ),
    _listed(
        74,
        "quadratic entities",
        "names a sitemap that says one long entity again and again",
        listed_by_robots(_ENTITIES.replace("ha", "ha" * 50_000).format("", "&l0;" * 1000)),
        _BOMB,
    ),
    _listed(
        74,
        "external entity",
        "names a sitemap that includes a file of ours",
        listed_by_robots(_ENTITIES.format('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;")),
        _BOMB,
    ),
    _listed(
        74,
        "parameter entity",
        "names a sitemap that includes a file of its own",
        listed_by_robots(_ENTITIES.format('<!ENTITY % p SYSTEM "{}/p.dtd"> %p;', "")),
        _BOMB,
    ),
    _listed(
        75,
        "sitemap in a circle",
        "names an index of sitemaps that lists itself",
        listed_by_robots(f"<sitemapindex><sitemap><loc>{{}}{_MAP}</loc></sitemap></sitemapindex>"),
        ends(Outcome.OK),
    ),
    _listed(
        75,
        "50,001 URLs",
        "names a sitemap of 50,001 URLs",
        listed_by_robots(urlset(*(f"{{}}/{n}" for n in range(50_001)))),
        capped,
    ),
    _listed(
        75,
        "sitemap as a bomb",
        "names a sitemap of 64 MiB in 64 KiB",
        listed_by_robots(
            gzip.compress(urlset("http://a.example/").encode() + bytes(64 << 20), mtime=0), "application/gzip"
        ),
        ends(Outcome.DECOMPRESSED_TOO_LARGE),
    ),
    _listed(
        75,
        "cut sitemap",
        "names a sitemap that breaks off",
        listed_by_robots(urlset("{}/b", "{}/c")[:-30]),
        ends(Outcome.OK, pages=2),
    ),
    _listed(
        75,
        "sitemap of elsewhere",
        "names a sitemap that lists other hosts, files and scripts",
        listed_by_robots(
            urlset("{}/b", "http://elsewhere.example/", "file:///etc/passwd", "javascript:alert(1)", "ftp://x.example/")
        ),
        elsewhere,
    ),
    _listed(
        75,
        "sitemap of text",
        "names a sitemap of plain text",
        listed_by_robots("{}/b\n{}/c\n", "text/plain"),
        ends(Outcome.OK, pages=3),
    ),
    *(
        _listed(
            75,
            f"feed in {name}",
            f"names a feed in {name}",
            listed_by_robots(
                _FEED.replace("{name}", name).encode(codec, "replace").replace(b"{}/b", b"/b"), "application/rss+xml"
            ),
            ends(Outcome.OK, pages=2),
        )
        for name, codec in (("GB2312", "gb2312"), ("Shift_JIS", "shift_jis"), ("UTF-7", "ascii"), ("klingon", "utf-8"))
    ),
    _listed(
        75,
        "sitemap nested deeply",
        "names a sitemap of 300,000 elements within each other",
        listed_by_robots("<urlset>" + "<a>" * 300_000),
        ends(Outcome.OK),
    ),
    _listed(
        75,
        "sitemap of attributes",
        "names a sitemap whose root has 100,000 attributes",
        listed_by_robots("<urlset " + " ".join(f"a{n}='x'" for n in range(100_000)) + "/>"),
        ends(Outcome.OK),
    ),
    _listed(
        75,
        "page as a sitemap",
        "names a page as its sitemap",
        listed_by_robots('<!doctype html><title>no map</title><a href="/b">b</a>', "text/html"),
        ends(Outcome.OK, pages=2),
    ),
)
