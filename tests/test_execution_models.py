"""What the script prints follows from what it measures. How long anything takes is nobody's promise."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from crawler.core.charset import decode_text
from crawler.core.html import LinkReader
from scripts.models import table
from scripts.models.figures import (
    ALONE,
    CRAWLER,
    HYBRID,
    INLINE,
    PROCESSES,
    QUEUE,
    SERIAL,
    THREADS,
    WITH_THREADS,
    Costs,
    Figures,
    Hop,
    Machine,
    Measured,
    Once,
    Row,
    Size,
)
from scripts.models.lessons import batches, lessons, rules_of_thumb
from scripts.models.measure import tree_cpu
from scripts.models.pages import page, tiny
from scripts.models.picture import picture
from tests.cli.command import ROOT, environment

SIZE = Size(urls=640, latency_ms=50, pages=100, tinies=100, workers=2, concurrency=64, repeat=3)
MACHINE = Machine("2026-01-31", 2, "a <CPU> & more", "Linux 6", "CPython 3.11", 0.5)
MODELS = {SERIAL, THREADS, PROCESSES, QUEUE, ALONE, WITH_THREADS, HYBRID}


def row(model: str, wall: float, cpu: float, own: float = 0.1, *, held_up: float = 0.0, others: float = 0.0) -> Row:
    return Row(model, (Once(0.1, wall, cpu, own, held_up, others),))


def fetched(*rows: Row) -> Measured:
    return Measured("A", "fetch", 640, 64, 0.05, rows)


def parsed(*rows: Row) -> Measured:
    return Measured("B", "parse", 100, 2, 0.0, rows)


def hop(most: int, here: float, there: float = 20.0, size: int = 35_000) -> Hop:
    return Hop(size, most, here, there, 1000.0)


def costs(page: float = 400.0, tiny: float = 10.0) -> Costs:
    tinies = hop(1, 90.0, 30.0, 300), hop(32, 5.0, 5.0, 300)
    return Costs((hop(1, 200.0), hop(16, 30.0), hop(32, 20.0)), tinies, page, tiny)


def test_work_that_waits_is_won_by_waiting_for_many_at_once() -> None:
    said = lessons(fetched(row(SERIAL, 32.0, 0.4), row(THREADS, 0.8, 0.5), row(PROCESSES, 16.0, 0.6)), SIZE, 2)

    assert said[0] == "Done serially, 99% of the time is waiting: this is work that waits."
    assert said[1] == (
        "Fastest: threads, 40 times as fast as serial (800 ms against 32.00 s). "
        "It waits for up to 64 pages at once, which takes 500 ms at the least; "
        "processes that block (2) wait for no more than they are, and come to 2.0 times."
    )


def test_work_that_computes_is_won_by_processes_and_threads_take_turns() -> None:
    said = lessons(parsed(row(SERIAL, 2.0, 2.0), row(THREADS, 2.0, 2.1), row(PROCESSES, 1.1, 2.2)), SIZE, 2)

    assert said[0] == "Done serially, only 0% of the time is waiting: this is work that computes."
    assert said[1].startswith("Fastest: processes, 1.82 times as fast as serial")
    assert said[1].endswith("It computes in processes (2), each with a GIL of its own.")
    assert said[2] == "2 threads are 1.00 times as fast as one: they take turns at one GIL."


def test_threads_that_do_gain_are_not_said_to_take_turns_only() -> None:
    said = lessons(parsed(row(SERIAL, 2.0, 2.0), row(THREADS, 1.25, 2.1)), SIZE, 2)

    assert said[2].startswith("2 threads are 1.60 times as fast as one: what lets go of the GIL")


def test_nothing_is_said_to_be_faster_than_serial_where_nothing_is() -> None:
    said = lessons(parsed(row(SERIAL, 1.0, 1.0), row(PROCESSES, 1.5, 2.5)), SIZE, 2)

    assert said[1].startswith("Nothing is faster than serial (1.00 s).")
    assert "Pages cost more to send" in said[1]


def test_a_core_that_others_have_is_not_mistaken_for_waiting() -> None:
    said = lessons(parsed(row(SERIAL, 4.0, 1.0, held_up=3.0), row(PROCESSES, 3.0, 1.2)), SIZE, 2)

    assert "work that computes" in said[0]


@pytest.mark.parametrize(("others", "warned"), [(0.1, False), (4.0, True)])
def test_it_is_said_when_other_programs_had_the_cores(others: float, warned: bool) -> None:  # noqa: FBT001  a case
    said = lessons(parsed(row(SERIAL, 4.0, 4.0), row(PROCESSES, 4.0, 4.0, others=others)), SIZE, 2)

    assert (said[-1].startswith("Other programs took up to 50% of the cores")) == warned


def test_models_within_a_tenth_are_called_level() -> None:
    rows = row(SERIAL, 9.0, 0.1), row(THREADS, 1.0, 0.1), row(ALONE, 1.09, 0.1), row(HYBRID, 1.2, 0.1)

    said = lessons(fetched(*rows), SIZE, 2)

    assert "level with it within 10 %: asyncio alone. " in said[1]


@pytest.mark.parametrize(
    ("alone", "hybrid", "sentence"),
    [
        (2.0, 1.0, "The hybrid beats one loop that does everything, 2.0 times as fast"),
        (1.0, 1.5, "One loop that does everything beats the hybrid, 1.50 times as fast"),
        (1.0, 1.05, "One loop that does everything and the hybrid are level in time, and one loop is cheaper"),
    ],
)
def test_the_loop_and_the_hybrid_are_compared_by_their_figures(alone: float, hybrid: float, sentence: str) -> None:
    said = lessons(parsed(row(ALONE, alone, 1.0, own=1.0), row(HYBRID, hybrid, 1.3, own=0.4)), SIZE, 2)

    assert said == [
        f"{sentence}; the hybrid takes 1.30 times the CPU in all, and 0.40 times in the loop's own process."
    ]


def test_the_price_of_the_crawler_is_told_against_the_bare_hybrid() -> None:
    said = lessons(parsed(row(HYBRID, 1.0, 1.0), row(CRAWLER, 1.5, 2.5)), SIZE, 2)

    assert said[-1].startswith("The crawler takes 1.50 times the bare hybrid's time and 2.5 times its CPU")


@pytest.mark.parametrize(
    ("inline", "end"),
    [
        (1.8, "here its worker processes cost more than they gain, but for what a bad page can do."),
        (1.9, "it keeps its worker processes."),
        (3.0, "it keeps its worker processes."),
    ],
)
def test_the_crawler_is_compared_with_itself_without_worker_processes(inline: float, end: str) -> None:
    said = lessons(fetched(row(CRAWLER, 2.0, 1.0), row(INLINE, inline, 0.5)), SIZE, 2)

    assert said[-1].startswith("Reading its pages on its own loop, the crawler takes ")
    assert said[-1].endswith(end)


@given(walls=st.lists(st.floats(0.001, 100), min_size=7, max_size=7), busy=st.floats(0.01, 2))
def test_the_winner_that_is_named_took_the_least_time(walls: list[float], busy: float) -> None:
    rows = [row(model, wall, wall * busy) for model, wall in zip(sorted(MODELS), walls, strict=True)]
    fastest = {each.model for each in rows if each.wall == min(walls)}

    said = " ".join(lessons(fetched(*rows), SIZE, 2))

    named = re.search(r"Fastest: (.+?), |Nothing is faster than (serial)", said)
    assert named
    assert (named[1] or named[2]) in fastest


@pytest.mark.parametrize(
    ("reading", "advice"),
    [
        (39.0, "read it on the loop."),
        (41.0, "read it on the loop, unless the workers are what is waited for."),
        (221.0, "send it, if there is a core to send it to."),
    ],
)
def test_a_page_is_sent_where_reading_costs_more_than_sending(reading: float, advice: str) -> None:
    said = rules_of_thumb(costs(page=reading))

    facts = f"A page of 35 KB takes {reading:.0f} µs to read, and 40 (full batches) to 220 µs (one by one) to send"
    assert said[1] == f"{facts}: {advice}"


def test_tiny_pages_are_judged_by_what_tiny_pages_cost_to_send() -> None:
    said = rules_of_thumb(costs(tiny=30.0))

    assert said[2].startswith("A page of 300 bytes takes 30 µs to read, and 10 (full batches) to 120 µs")
    assert said[2].endswith("unless the workers are what is waited for.")


def test_the_gain_of_batches_is_that_of_the_largest_over_none() -> None:
    assert "costs the sender 200 µs of CPU; in batches of up to 32, 20 µs: 10 times less" in batches(costs())


def test_waiting_is_what_the_cores_could_have_computed_and_did_not() -> None:
    assert row(SERIAL, 2.0, 1.0).waiting(2) == 0.75
    assert row(SERIAL, 1.0, 2.1).waiting(2) == 0.0


def test_a_row_tells_medians_of_the_runs_in_which_others_took_least() -> None:
    runs = tuple(
        Once(0.1, wall, wall / 2, 0.1, 0.0, others)
        for wall, others in ((9.0, 0.1), (1.0, 5.0), (2.0, 0.2), (3.0, 0.3), (1.5, 7.0))
    )

    assert (Row(SERIAL, runs).wall, Row(SERIAL, runs).cpu) == (3.0, 1.5)
    assert Row(SERIAL, runs).others(2) == pytest.approx(0.05)


def test_the_cpu_time_of_the_tree_has_that_of_children_dead_and_alive() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    before = tree_cpu()
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        child.stdout.readline()
        alive, without = tree_cpu() - before, tree_cpu([child.pid]) - before
        child.communicate("\n")

    assert alive - without >= 0.25
    assert tree_cpu() - before >= 0.3


def test_pages_are_the_same_every_time_and_like_documentation() -> None:
    body = page(7)
    document = LinkReader().read(decode_text(body, "utf-8"), "http://example.org/page/7.html")

    assert body == page(7) != page(8)
    assert 30_000 < len(body) < 40_000
    assert 90 <= body.count(b"<a ") <= 120
    assert 20 <= len(document.links) <= 40
    assert 250 < len(tiny(7)) < 350


def test_the_picture_is_one_svg_that_needs_nothing_and_shows_every_row() -> None:
    works = fetched(row(SERIAL, 32.0, 0.4), row(THREADS, 0.8, 0.5)), parsed(row(HYBRID, 1.0, 1.9))
    drawn = picture(Figures(MACHINE, SIZE, works, costs()))

    root = ET.fromstring(drawn)  # noqa: S314  it is ours
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"serial", "threads", "hybrid", "32.00 s", "800 ms"} <= set(texts)
    assert "prefers-color-scheme:dark" in drawn
    assert not re.search(r"<script|href|@import|url\(|\son\w+=", drawn)


def test_bars_are_as_long_as_the_times_they_stand_for() -> None:
    drawn = picture(Figures(MACHINE, SIZE, (fetched(row(SERIAL, 4.0, 1.0), row(THREADS, 1.0, 1.0)),), costs()))

    root = ET.fromstring(drawn)  # noqa: S314  it is ours
    bars = [float(bar.attrib["width"]) for bar in root.iter() if bar.attrib.get("class") == "time"]
    assert bars[0] == pytest.approx(4 * bars[1])


def test_the_script_measures_every_model_prints_it_and_leaves_a_file_and_a_picture(tmp_path: Path) -> None:
    stored, drawn = tmp_path / "figures.json", tmp_path / "picture.svg"

    done = run("--quick", "--json", str(stored), "--picture", str(drawn))

    assert (done.returncode, done.stderr) == (0, "")
    figures = msgspec.json.decode(stored.read_bytes(), type=Figures)
    crawlers = {CRAWLER, INLINE}
    expected = {
        "A": MODELS,
        "B": MODELS,
        "C": MODELS | {CRAWLER},
        "T": MODELS | crawlers,
        "O": {ALONE, HYBRID} | crawlers,
    }
    assert [measured.key for measured in figures.works] == list(expected)
    for measured in figures.works:
        models = {each.model for each in measured.rows}
        assert models == expected[measured.key]
        assert all(once.wall > 0 and once.cpu > 0 and once.own > 0 for each in measured.rows for once in each.runs)
        assert f"{measured.key} · {measured.title}" in done.stdout
    assert [each.most for each in figures.costs.hops] == [1, 16, 32]
    assert drawn.read_text(encoding="utf-8") == picture(figures)


def test_figures_that_were_stored_are_shown_again_and_put_into_a_page(tmp_path: Path) -> None:
    stored, markdown = tmp_path / "figures.json", tmp_path / "page.md"
    figures = Figures(MACHINE, SIZE, (parsed(row(SERIAL, 2.0, 2.0), row(PROCESSES, 1.1, 2.2)),), costs())
    stored.write_bytes(msgspec.json.encode(figures))
    markdown.write_text("before\n```text\nold\n```\nafter\n", encoding="utf-8")

    done = run("--show", str(stored), "--page", str(markdown))

    shown = Console(width=table.WIDTH, highlight=False)
    with shown.capture() as printed:
        shown.print(table.work(figures.works[0], SIZE, MACHINE.cores))
    assert printed.get() in done.stdout
    text = markdown.read_text(encoding="utf-8")
    assert text.startswith("before\n```text\nWaiting belongs to")
    assert text.endswith("\n```\nafter\n")
    assert "this is work that computes" in text
    assert "old" not in text


def test_a_page_without_a_place_for_the_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="no text block"):
        table.put_into("# Nothing here\n", "figures")


@pytest.mark.parametrize("arguments", [["--urls", "0"], ["--pages", "100000"], ["--latency-ms", "-1"]])
def test_work_without_bounds_is_refused(arguments: list[str]) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert "is not within" in done.stderr


def test_a_run_that_may_take_no_time_ends_in_good_order() -> None:
    done = run("--urls", "100", "--latency-ms", "5000", "--max-time", "3")

    assert done.returncode == 1
    assert done.stderr.strip() == "execution_models: not done in 3 s"


def test_sentences_of_the_docs_page_are_those_of_its_figures() -> None:
    text = (ROOT / "docs" / "execution-models.md").read_text(encoding="utf-8")
    figures = msgspec.json.decode((ROOT / "docs" / "pictures" / "execution-models.json").read_bytes(), type=Figures)

    assert picture(figures) == (ROOT / "docs" / "pictures" / "execution-models.svg").read_text(encoding="utf-8")
    flat = " ".join(text.split())
    for measured in figures.works:
        for sentence in lessons(measured, figures.size, measured.cores or figures.machine.cores):
            assert sentence in flat
    assert batches(figures.costs) in flat
    assert figures.machine.date in text


def test_a_work_without_a_serial_row_says_only_what_it_can() -> None:
    assert lessons(replace(parsed(), rows=(row(HYBRID, 1.0, 1.0),)), SIZE, 2) == []


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "execution_models.py"), *arguments],
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
