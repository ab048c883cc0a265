"""Users' own work over each page, in the worker processes."""

from __future__ import annotations

import functools
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from crawler import Config, ConfigError, Crawler, Document, Outcome, Page, Report, UsageError, crawl, extractors
from crawler.config import Parse
from crawler.testing.site import Site
from tests.cli.command import crawler as command
from tests.conftest import EAGER
from tests.test_contract import ran


@dataclass(frozen=True)
class Heading:
    """A value that JSON cannot say as it is."""

    text: str
    place: complex


def headings(document: Document) -> list[str]:
    return [node.text() for node in document.tree.css("h1")]


def seen(document: Document) -> tuple[Any, ...]:
    return (document.url, document.status, document.headers.get("X-Kind"), document.mime, document.body, document.text)


def shouted(document: Document, mark: str) -> str:
    return document.title.upper() + mark


def heading(document: Document) -> Heading:
    return Heading(document.title, 1j)


def misbehaves(document: Document) -> object:
    match urlsplit(document.url).path:
        case "/raises":
            raise LookupError("no price on this page")
        case "/exits":
            raise SystemExit(3)
        case "/crashes":
            os.kill(os.getpid(), signal.SIGKILL)
        case "/hangs":
            while True:
                pass
        case "/eats":
            return bytearray(8 << 30)
        case "/odd":
            return threading.Lock()
        case "/large":
            return b"x" * (17 << 20)
    return "fine"


async def crawled(start: str, extract: Any, config: Config = EAGER) -> tuple[dict[str, Page], Report]:
    async with Crawler(config, out=None, extract=extract) as crawler:
        pages = {urlsplit(page.url).path: page async for page in crawler.run(start)}
        return pages, crawler.report()


async def test_a_function_is_run_over_each_page(site: Site) -> None:
    start = site.page("/", body="<h1>One</h1><h1>Two</h1>", links=("/gone",))

    pages, report = await crawled(start, headings)

    assert pages["/"].extracted == ["One", "Two"]
    assert (pages["/gone"].outcome, pages["/gone"].extracted) == (Outcome.HTTP_CLIENT_ERROR, None)
    (stage,) = [stage for stage in report.stages if stage.name == "extract"]
    assert (stage.place, stage.calls) == ("process", 1)
    assert stage.running > 0


async def test_it_is_given_what_came_decoded(site: Site) -> None:
    headers = {"Content-Type": "text/plain; charset=iso-8859-1", "X-Kind": "plain"}
    url = site.put("/", 200, b"caf\xe9", headers, coding="gzip")

    pages, _ = await crawled(url, seen)

    assert pages["/"].extracted == (url, 200, "plain", "text/plain", b"caf\xe9", "café")


async def test_a_function_may_be_bound_to_what_it_needs(site: Site) -> None:
    pages, _ = await crawled(site.page("/", title="hear"), functools.partial(shouted, mark="!"))

    assert pages["/"].extracted == "HEAR!"


async def test_a_function_that_fails_costs_one_page_and_not_its_outlinks(site: Site) -> None:
    bad = ("/raises", "/exits", "/crashes", "/hangs", "/eats", "/odd", "/large")
    for path in bad:
        site.page(path, links=(f"/after{path}",))
        site.page(f"/after{path}")
    start = site.page("/", links=bad)
    settings = Parse(workers=2, timeout=1.0, memory=1 << 30)

    pages, report = await crawled(start, misbehaves, msgspec.structs.replace(EAGER, parse=settings))

    assert {path for path, page in pages.items() if page.outcome is Outcome.EXTRACT_FAILED} == set(bad)
    assert {path for path, page in pages.items() if page.extracted == "fine"} == {
        "/",
        *(f"/after{path}" for path in bad),
    }
    assert pages["/raises"].detail == "LookupError: no price on this page"
    assert "SIGKILL" in pages["/crashes"].detail
    assert "1 s" in pages["/hangs"].detail
    assert "memory" in pages["/eats"].detail
    assert "pickle" in pages["/odd"].detail
    assert "17,825" in pages["/large"].detail
    assert (report.failed, report.conserved) == (len(bad), True)


async def test_what_json_cannot_say_is_shown_in_the_page_log(site: Site, tmp_path: Path) -> None:
    async with Crawler(EAGER, out=tmp_path, extract=heading) as crawler:
        pages = [page async for page in crawler.run(site.page("/", title="well"))]

    assert pages[0].extracted == Heading("well", 1j)
    line = msgspec.json.decode((tmp_path / "pages.jsonl").read_bytes())
    assert line["extracted"] == {"text": "well", "place": "1j"}


def test_a_function_that_cannot_be_given_to_a_process_is_refused_at_once() -> None:
    def nested(document: Document) -> str:
        return document.title

    async def later(document: Document) -> str:
        return document.title

    for extract in (nested, lambda document: document.title):
        with pytest.raises(UsageError, match=r"nested function.*top level of a module or script.*functools\.partial"):
            Crawler(EAGER, out=None, extract=extract)
    with pytest.raises(UsageError, match=r"cannot be given to a worker process.*functools\.partial"):
        Crawler(EAGER, out=None, extract=functools.partial(shouted, mark=threading.Lock()))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is async"):
        Crawler(EAGER, out=None, extract=later)
    with pytest.raises(UsageError, match="is not a function"):
        Crawler(EAGER, out=None, extract="title")  # type: ignore[arg-type]


SCRIPT = """
import asyncio
from dataclasses import dataclass
from crawler import Config, Crawler, Document
from crawler.config import Fetch, Politeness

CONFIG = Config(politeness=Politeness(delay=0.0), fetch=Fetch(allow_private="always"))
PREFIX = "the title is "

@dataclass
class Found:
    title: str

def extract(document: Document) -> Found:
    return Found(PREFIX + document.title)

async def main():
    async with Crawler(CONFIG, out=None, extract=extract) as crawler:
        async for page in crawler.run("{start}"):
            print(page.extracted, isinstance(page.extracted, Found))

asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["script", "-c"])
def test_a_function_of_a_script_without_a_guard_is_taken_there_by_value(way: str, tmp_path: Path) -> None:
    site = Site()
    with site.serve_in_thread():
        program = SCRIPT.replace("{start}", site.page("/", title="well"))
        (tmp_path / "script.py").write_text(program)
        told = ran(*(("-c", program) if way == "-c" else (str(tmp_path / "script.py"),)), cwd=tmp_path)

    assert told == "Found(title='the title is well') True"


async def test_a_module_that_a_worker_cannot_import_is_told_before_the_first_page(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passing.py").write_text("def extract(document):\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import passing  # type: ignore[import-not-found]  # noqa: PLC0415

    (tmp_path / "passing.py").unlink()
    with pytest.raises(Exception, match=r"cannot get ready.*passing"):
        await crawl(site.page("/"), config=EAGER, out=None, extract=passing.extract)

    assert site.log == []


PAGE = """
<meta name="description" content="All about it"><meta property="og:title" content="It">
<meta name="twitter:card" content="summary">
<script type="application/ld+json">[{"@type": "Thing"}, {"@type": "Other"}]</script>
<script type="application/ld+json">{broken</script>
<nav><a href="/x">elsewhere</a></nav>
<main><article><h2>Head</h2><p>Some <b>bold</b> words of the main part.</p></article></main>
"""


def document(markup: str, mime: str = "text/html") -> Document:
    from crawler.core.headers import Headers  # noqa: PLC0415

    head = Headers(f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n\r\n".encode())
    return Document("http://a/", 200, head, mime, markup.encode(), mime == "text/html")


def test_ready_made_extractors_give_text_markdown_and_metadata() -> None:
    page = document(PAGE)

    assert "Some bold words" in (extractors.text(page) or "")
    assert "elsewhere" in (extractors.text(page) or "")
    assert "elsewhere" not in (extractors.main_text(page) or "")
    assert "Some **bold** words" in (extractors.markdown(page) or "")
    assert extractors.metadata(page) == {
        "description": "All about it",
        "open_graph": {"title": "It"},
        "twitter": {"card": "summary"},
        "json_ld": [{"@type": "Thing"}, {"@type": "Other"}],
    }


@pytest.mark.parametrize("name", extractors.READY_MADE)
def test_they_return_nothing_of_what_is_no_html(name: str) -> None:
    assert extractors.READY_MADE[name](document("{}", "application/json")) is None


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extractors._NEED, "markdown", "no_such_package")

    with pytest.raises(ConfigError, match=r"parse\.markdown needs the package no-such-package: pip install"):
        Crawler(Config(parse=Parse(markdown=True)), out=None)


def test_the_command_line_extracts_into_the_page_log(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def title(document):\n    return document.title\n")
    site = Site()
    with site.serve_in_thread():
        start = site.page("/", title="well", body=PAGE)
        ended = command(
            start, "--text", "--markdown", "--metadata", "--extract", "mine:title", "--delay", "0", cwd=tmp_path
        )

    assert ended.code == 0, ended.err
    (line,) = [
        one
        for one in map(msgspec.json.decode, (tmp_path / "crawl-out" / "pages.jsonl").read_bytes().splitlines())
        if one["url"] == start
    ]
    assert set(line["extracted"]) == {"text", "markdown", "metadata", "extract"}
    assert line["extracted"]["extract"] == "well"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("title", "not of the form module:function"),
        ("no_such_module:title", "cannot be imported (ModuleNotFoundError"),
        ("json:no_such_function", "has no function no_such_function"),
        ("json:__name__", "is not a function"),
    ],
)
def test_a_function_that_is_not_there_is_a_mistake_in_the_command(name: str, told: str, tmp_path: Path) -> None:
    ended = command("http://127.0.0.1:1/", "--extract", name, cwd=tmp_path)

    assert (ended.code, told in ended.err, "Traceback" in ended.err) == (2, True, False)
    assert not (tmp_path / "crawl-out").exists()


async def test_two_ways_to_name_a_function_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="given twice"):
        await crawl((), config=Config(parse=Parse(extract="json:loads")), out=None, extract=headings)
