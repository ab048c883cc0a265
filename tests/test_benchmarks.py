from __future__ import annotations

import asyncio
import math
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.config import Config
from crawler.report.measured import StageReport
from crawler.report.report import Ending, Report
from scripts.benchmarks import documents, frontier, ledger, politeness, profile, stages, throughput, tree, tuning
from scripts.benchmarks.machine import machine, resident
from scripts.benchmarks.peers import contenders
from scripts.benchmarks.pictures import Bar, bars
from scripts.benchmarks.rehearsal import OUTLINKS, Rehearsal
from scripts.benchmarks.tables import figure, table, write_place
from scripts.benchmarks.web import Pages, Plan, Server, address, bind, links, served
from tests.cli.command import ROOT, environment

SIZES = st.integers(1, 3_000)


# the made-up web


@given(SIZES, st.integers(2, 100))
def test_every_page_of_a_made_up_site_can_be_reached_from_the_first(pages: int, anchors: int) -> None:
    reached, todo = {0}, [0]
    while todo:
        named = {int(link.partition(".")[0]) for link in links(todo.pop(), pages, anchors)}
        todo += named - reached
        reached |= named

    assert reached == set(range(pages))


@given(st.integers(0, 2_999))
def test_a_page_has_as_many_anchors_as_planned_and_leads_to_far_fewer_pages(number: int) -> None:
    written = links(number, 3_000, 100)

    assert len(written) == 100
    assert 10 <= len({link.partition("#")[0] for link in written}) <= 40


def test_pages_are_as_large_as_planned_and_the_same_each_time() -> None:
    body = Pages(throughput.SITE).body(0, "/7.html")

    assert body is not None
    assert 30_000 <= len(body) <= 40_000
    assert body == Pages(throughput.SITE).body(0, "/7.html")


@pytest.mark.parametrize("path", ["/robots.txt", "/3.html", "/x.html", "/", "/-1.html"])
def test_what_is_not_planned_is_not_there(path: str) -> None:
    assert Pages(Plan(hosts=(3,))).body(0, path) is None


@given(st.lists(st.integers(0, 200_000), min_size=2, max_size=2, unique=True))
def test_hosts_have_addresses_of_their_own_on_loopback(hosts: list[int]) -> None:
    first, second = map(address, hosts)

    assert first != second
    assert re.fullmatch(r"127\.\d+\.\d+\.\d+", first)
    assert all(0 <= int(part) <= 255 for part in first.split("."))


def test_a_crawl_that_chooses_its_concurrency_is_compared_with_the_best_fixed_one(tmp_path: Path) -> None:
    workload = tuning.Workload(name="small", plan=Plan(hosts=(10,) * 3))

    chosen = tuning.measure(tmp_path / "runs", workload, 1, grid=(4, 64))

    assert set(chosen.fixed) == {4, 64}
    assert chosen.ratio == chosen.by_itself / max(chosen.fixed.values())
    assert "| small |" in documents.tables(documents.Measured(chosen=[chosen]))["tuning"]


def test_a_polite_crawl_of_the_made_up_web_is_seen_by_its_server_as_it_was(tmp_path: Path) -> None:
    case = politeness.Case(name="small", hosts=(3, 2), latency=0.01, delay=0.05, concurrency=8)

    done = politeness.delayed(tmp_path / "run", case)

    assert done.requests == 7  # robots.txt of both hosts, and five pages
    assert done.bound == pytest.approx(0.15)
    assert done.hurried == 0
    assert done.smallest_gap >= 0.05 - 1e-4
    assert done.makespan > done.span >= done.bound


async def test_a_request_counts_from_its_arrival_and_not_from_when_the_server_came_round_to_it() -> None:
    listeners, port = bind(1)
    server, loop = Server(Plan(hosts=(1,))), asyncio.get_running_loop()
    with socket.create_connection((address(0), port)) as client:
        client.sendall(b"GET /0.html HTTP/1.1\r\n\r\n")
        sent = time.time()

        client.setblocking(False)
        listening = loop.create_task(server.listen(listeners))
        await loop.sock_recv(client, 1)
    listening.cancel()
    listeners[0].close()

    ((arrived,),) = server.seen().requests
    assert arrived <= sent


def test_a_server_forgets_what_it_has_told() -> None:
    with served(Plan(hosts=(1,))) as web:
        assert web.seen().requests == [[]]
        assert web.seeds[0].startswith("http://127.")


# politeness


def test_the_bound_is_set_by_the_largest_host() -> None:
    assert politeness.bound((20, 60, 4), 0.5) == 30.0
    assert politeness.bound((), 0.5) == 0.0


def test_gaps_are_those_within_a_host() -> None:
    assert politeness.gaps([[5.0, 4.0], [4.5], []]) == [1.0]
    assert politeness.span([[5.0, 4.0], [7.5], []]) == 3.5
    assert politeness.span([[]]) == 0.0


# the frontier


def test_half_of_the_outlinks_of_a_rehearsal_are_known(tmp_path: Path) -> None:
    for scattered in (False, True):
        rehearsal = Rehearsal(tmp_path / str(scattered), Config(), hosts=10, scattered=scattered)
        before = len(rehearsal.frontier)
        rehearsal.pages(50)

        assert before == 10
        assert len(rehearsal.frontier) == before + 50 * OUTLINKS // 2
        assert rehearsal.web.known == len(rehearsal.frontier)
        rehearsal.close()


def test_a_rehearsal_grows_to_the_size_asked_for_with_nothing_refused(tmp_path: Path) -> None:
    rehearsal = Rehearsal(tmp_path, Config(), hosts=7, scattered=False)

    rehearsal.grow(1_000)

    assert 1_000 <= len(rehearsal.frontier) <= 1_000 + OUTLINKS
    assert set(rehearsal.frontier.counts()) == {(0, "")}
    rehearsal.close()


def test_each_size_is_measured_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    found = frontier.growth(tmp_path, [500, 1_000], 2, Config(), scattered=True)

    assert [one.known for one in found] == [500, 1_000]
    assert all(one.page > one.choosing > 0 for one in found)
    assert not list(tmp_path.iterdir())


def test_adding_counts_outlinks_in_whole_batches(tmp_path: Path) -> None:
    done = frontier.adding(tmp_path / "adding", 1_000, Config(), hosts=3)

    assert done.outlinks == 1_280
    assert done.cpu > 0
    assert done.wall > 0


def test_a_frontier_comes_back_in_a_new_process_as_large_as_it_was(tmp_path: Path) -> None:
    back = frontier.comeback(frontier.stored(tmp_path / "stored", 2_000, Config()))

    assert 2_000 <= back.known <= 2_000 + OUTLINKS
    assert back.seen > 8


def test_turns_are_taken_with_any_number_of_hosts() -> None:
    assert frontier.choosing(50).turn > 0


# throughput


def test_places_add_up_to_what_a_page_cost() -> None:
    stage = StageReport(name="commit", place="thread", cpu=2.0)
    report = Report(
        ending=Ending.COMPLETE,
        started_at=0.0,
        ended_at=9.0,
        seconds=9.0,
        pages=1_000,
        stages=(stage,),
        cpu_main=5.0,
        cpu_workers=4.0,
    )

    found = throughput.places(report, cpu=10.0)

    assert found == {"loop": 3.0, "parse": 4.0, "commit": 2.0, "start and end": 1.0}


def test_rows_are_medians_and_ratios_are_to_the_first_contender() -> None:
    ours, theirs, *_ = everyone = [*contenders("python-with-scrapy")[:1], *contenders("python-with-scrapy")[-2:]]
    runs = [
        throughput.Run(name=name, pages=pages, wall=wall, cpu=wall, code=0, others=0.0)
        for name, pages, wall in (
            (ours.name, 100, 1.0),
            (ours.name, 100, 2.0),
            (ours.name, 100, 9.0),
            (theirs.name, 100, 20.0),
            (everyone[2].name, 0, 1.0),
        )
    ]

    first, second = throughput.rows(runs, everyone)

    assert (first.rate, first.times, first.runs) == (50.0, 1.0, 3)
    assert (second.name, second.rate, second.times, second.cpu) == (theirs.name, 5.0, 10.0, 200.0)


def test_the_crawler_is_the_first_contender_and_scrapy_needs_an_interpreter() -> None:
    assert [one.name for one in contenders(None)[:2]] == ["crawler", "crawler, lean"]
    assert not any("Scrapy" in one.name for one in contenders(None))
    assert [one.name for one in contenders("python")[-2:]] == ["Scrapy, lean", "Scrapy"]


@pytest.mark.parametrize("client", [0, 1])
def test_the_crawler_as_a_contender_fetches_the_whole_site(tmp_path: Path, client: int) -> None:
    seeds, ours = tmp_path / "seeds.txt", contenders(None)[client : client + 1]
    with served(Plan(hosts=(40,), anchors=12)) as web:
        seeds.write_text(web.seeds[0] + "\n")
        (run,) = throughput.measure(tmp_path / "runs", seeds, ours, 1, 60.0, lambda _: None)

        assert web.seen().answered == 40

    assert (run.pages, run.code) == (40, 0)
    assert sum(run.places.values()) == pytest.approx(1e3 * run.cpu / 40, rel=0.2)


# commands and their cost

_FORKS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    until = time.process_time() + float(sys.argv[1])
    while time.process_time() < until:
        pass
"""


def test_the_cpu_of_a_process_that_outlives_its_command_is_counted(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from scripts.benchmarks.tree import become_subreaper, run;"
        "become_subreaper();"
        "cost = run([sys.executable, '-c', sys.argv[1], '0.3'], cwd=Path(sys.argv[2]), env={}, limit=30.0);"
        "print(cost.cpu, cost.code)"
    )
    words = subprocess.check_output(
        [sys.executable, "-c", program, _FORKS, str(tmp_path)], env=environment(), text=True
    )

    cpu, code = words.split()
    assert float(cpu) >= 0.3
    assert code == "0"


def test_what_was_there_before_a_command_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as ours:
        cost = tree.run(["true"], cwd=tmp_path, env=dict(os.environ), limit=30.0)

        assert cost.code == 0
        assert ours.poll() is None
        ours.kill()


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()

    cost = tree.run(["sleep", "60"], cwd=tmp_path, env=dict(os.environ), limit=0.1)

    assert cost.code == -9
    assert time.monotonic() - began < 50


# stages and profile


def test_parse_and_commit_are_measured_page_by_page(tmp_path: Path) -> None:
    costs = stages.measure(tmp_path, 3)

    assert [cost.name for cost in costs] == ["parse", *(f"commit, {batch} pages at once" for batch in stages.BATCHES)]
    assert all(cost.cpu > 0 and cost.wall > 0 for cost in costs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "belongs_to"),
    [
        ("/x/crawler/core/url.py", "crawler/core/url.py"),
        ("/x/crawler/engine.py", "crawler/engine.py"),
        ("/x/crawler/scripts/benchmarks/profile.py", ""),
        ("/lib/python3.11/site-packages/aiohttp/client.py", "aiohttp"),
        ("/lib/python3.11/asyncio/runners.py", "uvloop"),
        ("/lib/python3.11/asyncio/tasks.py", "asyncio"),
        ("/lib/python3.11/json/decoder.py", ""),
    ],
)
def test_code_belongs_to_a_room_of_ours_or_to_a_library(file: str, belongs_to: str) -> None:
    assert profile.part_of(file) == belongs_to


# tables, places, pictures


def test_figures_are_written_with_the_digits_that_count() -> None:
    assert [figure(value) for value in (0.1234, 12.34, 123.4, 12_345.6)] == ["0.12", "12.3", "123", "12,346"]


def test_a_table_aligns_its_figures_to_the_right() -> None:
    assert table(("a", "b"), [("x", 1.5)]) == "| a | b |\n| --- | ---: |\n| x | 1.50 |\n"


def test_only_the_place_of_that_name_is_rewritten(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "one\n<!-- figures: a -->\nold\n<!-- end of a -->\n<!-- figures: b -->\n<!-- end of b -->\nend\n"
    )

    for _ in range(2):
        write_place(document, "a", "new \\1\n")

    assert document.read_text() == (
        "one\n<!-- figures: a -->\nnew \\1\n<!-- end of a -->\n<!-- figures: b -->\n<!-- end of b -->\nend\n"
    )
    with pytest.raises(ValueError, match="0 places for the figures of 'c'"):
        write_place(document, "c", "")


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_bars_are_well_formed_and_as_long_as_their_figures(lengths: list[float]) -> None:
    drawn = bars("a < b", "µs & more", [Bar(f"<{place}>", {"x": length}) for place, length in enumerate(lengths)])

    drawing = ET.fromstring(drawn)  # noqa: S314  our own
    widths = [float(one.attrib["width"]) for one in drawing.iter("{http://www.w3.org/2000/svg}rect")]
    scale = max(widths) / max(lengths) if max(lengths) else 0.0
    assert all(math.isclose(width, length * scale, abs_tol=0.2) for width, length in zip(widths, lengths, strict=True))
    assert "prefers-color-scheme: dark" in drawn


def test_the_document_has_a_place_for_every_table_and_shows_every_picture() -> None:
    text = documents.DOCUMENT.read_text(encoding="utf-8")
    found = _measured()

    assert set(re.findall(r"<!-- figures: (.+) -->", text)) == set(documents.tables(found))
    assert set(re.findall(r"pictures/(.+)\.svg", text)) == set(documents.pictures(found))


def test_figures_survive_their_json() -> None:
    found = _measured()

    assert msgspec.json.decode(msgspec.json.encode(found), type=documents.Measured) == found


def test_kept_figures_can_be_told_again(tmp_path: Path) -> None:
    figures = documents.Figures(machine=machine(), measured=_measured())
    (tmp_path / "kept.json").write_bytes(msgspec.json.encode(figures))

    told = subprocess.check_output(
        [sys.executable, str(ROOT / "scripts/bench.py"), "tables", str(tmp_path / "kept.json")],
        env=environment(),
        text=True,
    )

    assert figures.machine.sentence() in told
    assert all(text in told for text in documents.tables(figures.measured).values())


def test_the_machine_can_be_told_in_a_sentence() -> None:
    facts = machine()

    assert facts.cores >= 1
    assert facts.date in facts.sentence()
    assert resident() > 1_000_000


def test_the_script_explains_itself() -> None:
    assert os.access(ROOT / "scripts/bench", os.X_OK)
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/bench.py"), "--help"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("frontier", "politeness", "throughput", "stages", "profile", "ledger", "tables"):
        assert name in done.stdout


def _measured() -> documents.Measured:
    """Make figures of every kind."""
    run = throughput.Run(name="crawler", pages=1, wall=1.0, cpu=1.0, code=0, others=0.0, places={"loop": 1.0})
    grown = frontier.Growth(known=1, scattered=False, choosing=1.0, adding=1.0, page=2.0)
    back = frontier.Return(known=1, seconds=1.0, per_url=1.0, seen=1.0, resident=1.0)
    delayed = politeness.Delayed(
        name="x",
        bound=1.0,
        makespan=1.0,
        ratio=1.0,
        requests=1,
        span=1.0,
        smallest_gap=1.0,
        delay=1.0,
        hurried=0,
        others=0.0,
    )
    chosen = tuning.Chosen(name="x", fixed={64: 1.0}, by_itself=1.0, settled=64, changes=0, ratio=1.0, others=0.0)
    return documents.Measured(
        chosen=[chosen],
        adding=[frontier.Adding(outlinks=1, hosts=1, cpu=1.0, wall=1.0)],
        growth=[grown],
        choosing=[frontier.Choosing(hosts=1, turn=1.0)],
        comebacks=[back],
        seen_sets=[(1, 13.0)],
        delayed=[delayed],
        eager=[politeness.Eager(name="x", by_latency=1.0, by_cpu=1.0, rate=1.0, ratio=1.0, others=0.0)],
        runs=[run],
        rows=throughput.rows([run], contenders(None)[:1]),
        costs=[stages.Cost(name="parse", cpu=1.0, wall=1.0)],
        shares=[profile.Share(thread="loop", part="uvloop", cpu=1.0, share=1.0)],
        measuring=[ledger.Share(name="counting", cpu=1.0, share=0.001)],
    )
