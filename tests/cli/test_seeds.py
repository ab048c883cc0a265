from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crawler.cli.seeds import Seeds, Source, find_sources
from crawler.errors import SeedError


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> None:
    Path(name).write_text(text)


async def urls(*arguments: str, said: list[str] | None = None) -> list[str]:
    seeds = Seeds(find_sources(arguments), (said if said is not None else []).append)
    await seeds.prepare()
    return [url async for url in seeds]


async def test_files_and_urls_are_read_in_the_order_given() -> None:
    write("one.txt", "a.example\nhttps://b.example/x\n")
    write("two", "http://c.example")

    assert await urls("one.txt", "http://d.example/", "two") == [
        "https://a.example/",
        "https://b.example/x",
        "http://d.example/",
        "http://c.example/",
    ]


async def test_an_existing_file_wins_over_a_host_of_that_name() -> None:
    write("example.org", "a.example\n")

    assert await urls("example.org") == ["https://a.example/"]


async def test_a_bad_line_is_named_with_its_number_and_a_suggestion_and_the_rest_goes_on() -> None:
    write("seed.txt", "a.example\n\nhtp://b.example\nc.example\n")
    said: list[str] = []

    assert await urls("seed.txt", said=said) == ["https://a.example/", "https://c.example/"]
    assert said == ["seed.txt:3: 'htp://b.example' is not a URL; did you mean http://b.example?"]


async def test_of_many_bad_lines_the_first_twenty_are_named_and_the_others_counted() -> None:
    write("seed.txt", "good.example\n" + "b a d\n" * 1234)
    said: list[str] = []
    seeds = Seeds(find_sources(["seed.txt"]), said.append)

    assert [url async for url in seeds] == ["https://good.example/"]

    assert len(said) == 21
    assert said[19].startswith("seed.txt:21: ")
    assert said[20] == "1,214 more lines are no URLs"
    report = seeds.report()
    assert (report.read, report.accepted, report.bad_count, len(report.bad)) == (1235, 1, 1234, 20)


async def test_a_source_without_any_url_is_an_error() -> None:
    write("bad.txt", "b a d\nw o r s e\n")
    write("empty.txt", "# nothing yet\n")

    with pytest.raises(SeedError, match=r"^bad\.txt: none of its 2 lines is a URL$"):
        await urls("bad.txt")
    with pytest.raises(SeedError, match=r"^empty\.txt: no URL in it$"):
        await urls("empty.txt")


async def test_a_user_name_is_left_out_and_said_once_and_never_repeated() -> None:
    write("seed.txt", "http://me:secret@a.example/\nhttp://me:secret@b.example/\n")
    said: list[str] = []

    assert await urls("seed.txt", "http://you:hidden@c.example/", said=said) == [
        "http://a.example/",
        "http://b.example/",
        "http://c.example/",
    ]
    assert len(said) == 1
    assert "left out" in said[0]
    assert not any(word in said[0] for word in ("me:", "secret", "hidden"))


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("seed.txt", "seed.txt: no such file"),
        ("./seeds", "./seeds: no such file"),
        ("/nowhere/seeds", "/nowhere/seeds: no such file"),
        ("lists/today", "lists/today: no such file"),
        ("seeds", "seeds: no such file; for a host of that name write http://seeds/"),
        (".", ".: is a folder, not a file of URLs"),
        ("htp://a.example", "'htp://a.example' is not a URL; did you mean http://a.example? (nor is there a file"),
        ("ftp://a.example/", "scheme 'ftp' of 'ftp://a.example/' is neither http nor https"),
        ("", "empty, where a URL was expected"),
        ("x\0y", "x\\x00y: no such file"),
        ("y" * 5000, "yyy"),
    ],
)
def test_an_argument_that_is_neither_file_nor_url_is_refused(argument: str, sentence: str) -> None:
    with pytest.raises(SeedError) as caught:
        find_sources(["good.example", argument])

    assert str(caught.value).startswith(sentence)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "argument", ["localhost", "localhost:8000", "127.0.0.1/x", "[::1]:80", "a.example", "box:8080"]
)
def test_a_host_needs_no_scheme(argument: str) -> None:
    (source,) = find_sources([argument])

    assert source.url.startswith("http")


def test_a_file_that_is_no_text_is_refused() -> None:
    Path("seed.txt.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0")

    with pytest.raises(SeedError, match="is not a text file of URLs"):
        find_sources(["seed.txt.gz"])


def test_standard_input_is_read_only_once() -> None:
    with pytest.raises(SeedError, match="only once"):
        find_sources(["-", "-"])


async def test_a_long_file_is_read_as_it_is_asked_for() -> None:
    write("long.txt", "".join(f"http://h{number}.example/\n" for number in range(20_000)))
    seeds = Seeds(find_sources(["long.txt"]), print)

    taken = aiter(seeds)
    first = [await anext(taken) for _ in range(3)]

    assert first == ["http://h0.example/", "http://h1.example/", "http://h2.example/"]
    assert seeds.report().read <= 4
    await seeds.aclose()


@pytest.fixture
async def pipe() -> AsyncIterator[tuple[Source, int]]:
    read, write = os.pipe()
    yield Source("standard input", descriptor=read), write
    os.close(write)


async def test_a_pipe_is_read_as_lines_arrive_and_does_not_hold_the_loop(pipe: tuple[Source, int]) -> None:
    source, write = pipe
    seeds = Seeds([source], print)
    waiting = asyncio.create_task(seeds.prepare())
    await asyncio.sleep(0)
    assert not waiting.done()

    os.write(write, b"a.example\nb.exam")
    await waiting
    taken = aiter(seeds)

    assert await anext(taken) == "https://a.example/"
    await seeds.aclose()


async def test_leaving_a_silent_pipe_leaves_nothing_behind(pipe: tuple[Source, int]) -> None:
    source, _ = pipe
    seeds = Seeds([source], print)
    waiting = asyncio.create_task(seeds.prepare())
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await seeds.aclose()
    await asyncio.sleep(0)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(source.descriptor)


async def test_a_named_pipe_is_a_seed_file_too() -> None:
    read, write = os.pipe()
    os.write(write, b"a.example\n")
    os.close(write)

    assert await urls(f"/dev/fd/{read}") == ["https://a.example/"]
    os.close(read)
