"""Scenarios of content: markup that is built to hurt a parser, and text that is not what it says."""

from __future__ import annotations

import gzip
from typing import Any

from crawler.core.outcomes import Outcome
from crawler.testing.hostile import ANY_NUMBER, Scenario, Stage, answers

SETTINGS = {
    "fetch": {"max_body": 12 * 1024**2, "head_timeout": 10.0, "total_timeout": 30.0, "lowest_rate_after": 10.0},
    "parse": {"workers": 2, "timeout": 2.0, "max_links": 10_000, "max_decoded": 32 * 1024**2},
}
_HURTS = (Outcome.OK, Outcome.PARSE_TIMEOUT, Outcome.PARSE_MEMORY)
_HEAD = b"<!doctype html><title>big</title>"
_TITLE = "<!doctype html><title>\u041f\u0440\u0438\u0432\u0435\u0442</title>"


def capped(run: Any, stage: Stage) -> None:
    page = run.page(stage)
    assert page["links_capped"]
    assert page["links"] == 10_000


def titled(title: str, charset: str) -> Any:
    def check(run: Any, stage: Stage) -> None:
        page = run.page(stage)
        assert (page["title"], page["charset"]) == (title, charset), page

    return check


def clean(run: Any, stage: Stage) -> None:
    lines = [line for line in (run.folder / "pages.jsonl").read_bytes().split(b"\n") if stage.url.encode() in line]
    assert len(lines) == 1
    assert b"red" in lines[0]
    assert min(lines[0]) >= ord(" ")


def unsteered(run: Any, stage: Stage) -> None:
    assert run.page(stage)["title"] == "red \u202egpj.exe\u2066 \x9b31m"
    (line,) = (one for one in (run.folder / "pages.jsonl").read_bytes().split(b"\n") if stage.url.encode() in one)
    assert b"\\u202egpj.exe\\u2066 \\u009b31m" in line
    assert line.isascii()


def no_links(run: Any, stage: Stage) -> None:
    assert [url for url in run.outcomes if url.startswith(stage.origin)] == [stage.url]


def outside(url: str) -> Any:
    def check(run: Any, _stage: Stage) -> None:
        assert run.outcomes[url] == "out_of_scope"

    return check


def no_foreign_links(run: Any, stage: Stage) -> None:
    assert {url.partition(":")[0] for url in run.outcomes} == {"http"}
    assert run.page(stage)["links"] <= 1


def _base(base: str) -> bytes:
    return f'<!doctype html><base href="{base}"><a href="x">x</a>'.encode()


def _big(number: int, name: str, does: str, body: bytes, outcome: Any = _HURTS, check: Any = None) -> Scenario:
    return Scenario(number, name, does, outcome, 1, answers(body), check=check)


def _text(name: str, does: str, body: bytes, content_type: str, check: Any) -> Scenario:
    return Scenario(73, name, does, Outcome.OK, 1, answers(body, Content_Type=content_type), check=check)


_ZEROS = gzip.compress(bytes(64 << 20), mtime=0)
_RUSSIAN = "\u041f\u0440\u0438\u0432\u0435\u0442"
_LEAD = _HEAD + b"<a href=x>x</a>"
SCENARIOS = (
    _big(67, "deep nesting", "nests 100,000 elements", _HEAD + b"<div>" * 100_000),
    _big(
        67,
        "deep formatting",
        "nests 20,000 formatting elements",
        _HEAD + b"<b><i><a href=http://far.example/>" * 7_000 + b"<p>" * 7_000,
    ),
    _big(
        68,
        "100,000 links",
        "links to 100,000 pages",
        _HEAD + b"".join(b"<a href=http://far.example/%d>" % n for n in range(100_000)),
        check=capped,
        outcome=Outcome.OK,
    ),
    _big(69, "huge attribute", "writes an attribute of 10 MB", _HEAD + b'<a href="' + b"x" * 10_000_000 + b'">'),
    _big(
        70,
        "200,000 attributes",
        "writes 200,000 attributes on one element",
        _HEAD + b"<p " + b" ".join(b"a%d=1" % n for n in range(200_000)) + b">",
    ),
    _big(71, "open brackets", "writes 10 MB of opening brackets", b"<" * 10_000_000),
    _big(71, "open comment", "opens a comment that never ends", _HEAD + b"<!--" + b"-" * 5_000_000),
    _big(72, "NULs", "writes 10 MB of NULs", _HEAD + bytes(10_000_000)),
    _big(72, "entities", "writes a million entities", _HEAD + b"&amp;" * 1_000_000),
    _text(
        "unknown charset",
        "names a charset that does not exist",
        _TITLE.encode(),
        "text/html; charset=klingon",
        titled(_RUSSIAN, "utf-8"),
    ),
    _text(
        "UTF-16 with a BOM",
        "writes UTF-16 with a byte order mark",
        b"\xff\xfe" + _TITLE.encode("utf-16-le"),
        "text/html",
        titled(_RUSSIAN, "utf-16le"),
    ),
    _text(
        "UTF-16 by header",
        "writes UTF-16, and says so in the header",
        _TITLE.encode("utf-16-be"),
        "text/html; charset=utf-16be",
        titled(_RUSSIAN, "utf-16be"),
    ),
    _text(
        "header over meta",
        "says one charset in the header, and another in a meta element",
        b"<meta charset=utf-8>" + _TITLE.encode("windows-1251"),
        "text/html; charset=windows-1251",
        titled(_RUSSIAN, "windows-1251"),
    ),
    _text(
        "UTF-7",
        "names UTF-7, which is never honoured",
        b"<!doctype html><title>+ADw-script</title>",
        "text/html; charset=utf-7",
        titled("+ADw-script", "windows-1252"),
    ),
    _text(
        "charset twice",
        "names two charsets in one header",
        _TITLE.encode(),
        "text/html; charset=utf-8; charset=utf-16",
        titled(_RUSSIAN, "utf-8"),
    ),
    Scenario(76, "binary as HTML", "calls noise text/html", Outcome.OK, 1, answers(bytes(range(256)) * 4_000)),
    Scenario(
        76,
        "HTML as an image",
        "calls a page image/png, and it is believed",
        Outcome.OK,
        1,
        answers(_HEAD, Content_Type="image/png"),
    ),
    _big(67, "deep templates", "nests 50,000 templates", _HEAD + b"<template>" * 50_000),
    _big(67, "tables in tables", "nests 20,000 tables, to be fostered", _HEAD + b"<table><b>" * 20_000),
    _big(69, "address of dots", "links to 300,000 folders above", _HEAD + b'<a href="' + b"../" * 300_000 + b'x">'),
    _big(69, "title of 5 MB", "writes a title of 5 MB", b"<title>" + b"t" * 5_000_000 + b"</title>", Outcome.OK),
    _big(71, "many bases", "writes 100,000 base elements", _HEAD + b'<base href="/b/">' * 100_000, Outcome.OK),
    Scenario(
        76,
        "zip",
        "sends 64 MiB of zeros as a file, packed",
        Outcome.OK,
        1,
        answers(_ZEROS, Content_Type="application/gzip"),
    ),
    Scenario(
        76, "JSON", "links within JSON", Outcome.OK, 1, answers(_LEAD, Content_Type="application/json"), check=no_links
    ),
    Scenario(
        76,
        "many parameters",
        "gives its media type 15,000 parameters",
        Outcome.OK,
        1,
        answers(_HEAD, Content_Type="text/html;" + "a=b;" * 15_000),
    ),
    *(
        Scenario(
            89,
            f"base {base}",
            f"says that its links begin at {base}",
            Outcome.OK,
            1,
            answers(_base(base)),
            asked=ANY_NUMBER,
            check=check,
        )
        for base, check in (
            ("http://169.254.169.254/latest/", outside("http://169.254.169.254/latest/x")),
            ("javascript:alert(1)", no_foreign_links),
            ("data:text/html,x", no_foreign_links),
        )
    ),
    _text(
        "Korean escapes",
        "names a charset that hides ASCII, which is replaced",
        _LEAD,
        "text/html; charset=iso-2022-kr",
        titled("", "replacement"),
    ),
    _text("UTF-16 that is none", "calls ASCII UTF-16", _LEAD, "text/html; charset=utf-16", titled("", "utf-16le")),
    _text(
        "no Unicode",
        "writes references to what is no character",
        b"<title>&#xD800;&#x110000;&#0;!</title>",
        "text/html; charset=utf-8",
        titled("\ufffd\ufffd\ufffd!", "utf-8"),
    ),
    Scenario(76, "empty page", "sends nothing", Outcome.OK, 1, answers(b"")),
    Scenario(
        78,
        "terminal escapes",
        "writes terminal escapes and newlines into the title",
        Outcome.OK,
        1,
        answers(b"<!doctype html><title>\x1b[31mred\x1b[0m\x07\r\nnext\x7f</title>"),
        check=clean,
    ),
    Scenario(
        78,
        "reversed title",
        "reverses the reading order within the title",
        Outcome.OK,
        1,
        answers("<!doctype html><title>red \u202egpj.exe\u2066 \x9b31m</title>".encode()),
        check=unsteered,
    ),
    Scenario(
        78,
        "escapes in the status line",
        "writes terminal escapes into the reason phrase",
        Outcome.HTTP_CLIENT_ERROR,
        1,
        answers(b"", "404 \x1b[31mred\x9b1m"),
        check=clean,
    ),
)
