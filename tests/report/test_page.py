from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import msgspec
import pytest

from crawler.core.bottleneck import Bottleneck
from crawler.core.outcomes import Outcome, State
from crawler.report.measured import Slot
from crawler.report.page.page import html
from crawler.report.page.spans import GROUPS, group_of, spans_of
from crawler.report.report import HostReport, Report
from tests.report.samples import DRAWN, HOSTILE, PLAIN

VOID = {"meta", "link", "img", "br"}


class Reader(HTMLParser):
    """Reads a page: elements in order, attributes, text; and notes what is not closed where it should be."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self) -> list[tuple[str, str]]:
        return [(name, value or "") for _, given in self.found for name, value in given.items()]


def with_changes(report: Report, **changes: object) -> Report:
    return msgspec.structs.replace(report, **changes)


@pytest.mark.parametrize("report", [PLAIN, DRAWN, HOSTILE], ids=["plain", "drawn", "hostile"])
def test_the_page_is_well_formed_and_asks_for_nothing_from_elsewhere(report: Report) -> None:
    page = Reader(html(report))

    assert page.wrong == []
    assert [
        value for name, value in page.attributes() if name in {"src", "href"} and not value.startswith("data:")
    ] == []
    assert not [name for name, _ in page.attributes() if name.startswith("on") or name == "style"]
    assert not {tag for tag, _ in page.found} & {"script", "img", "iframe", "a", "form", "base", "object"}


def test_the_policy_lets_through_the_style_sheet_of_the_page_and_nothing_else() -> None:
    page = html(DRAWN).decode()

    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)

    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_verdict_stands_at_the_top_and_every_part_has_its_section() -> None:
    page = html(DRAWN).decode()

    assert page.index("91 % of the time no host was due") < page.index("<main>")
    assert re.findall(r'<h2 id="([a-z-]+)">', page) == [
        *("throughput", "held-back", "outcomes", "changed", "history", "problems", "left", "stages", "busy", "latency"),
        *("hosts", "receipt", "skipped"),
    ]


def test_every_picture_has_a_name_for_those_who_cannot_see_it_and_its_figures_in_a_table() -> None:
    page = Reader(html(DRAWN))

    named = [given["aria-label"] for tag, given in page.found if tag == "svg" and given.get("role") == "img"]
    assert len(named) == 4 + 6
    assert all(named)
    assert all(given.get("aria-hidden") for tag, given in page.found if tag == "svg" and given.get("role") != "img"
               and "viewbox" not in given)  # fmt: skip
    assert page.text.count("The figures") == 6


def test_text_of_others_is_shown_as_it_is_and_what_would_steer_the_reader_is_escaped() -> None:
    page = html(HOSTILE)

    assert (
        "<script>window.hacked = 1</script>\"'><img src=x onerror=hacked=2>\\x1b[2J\\u202e&lt;www" in Reader(page).text
    )
    assert b"\x1b" not in page


def test_every_kind_of_waiting_and_every_outcome_has_a_colour() -> None:
    page = html(DRAWN).decode()

    for kind in Bottleneck:
        assert re.search(rf"\.{kind.name.lower().replace('_', '-')}\b[^{{}}]*{{ fill:", page), kind
    for look in GROUPS:
        assert re.search(rf"\.{look}\b[^{{}}]*{{ fill:", page), look


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_is_drawn_among_those_of_its_state(outcome: Outcome) -> None:
    states = {"ok": State.DONE, "redirect": State.DONE, "unchanged": State.DONE, "skipped": State.SKIPPED}

    assert states.get(group_of(outcome.value), State.FAILED) is outcome.state


def test_a_host_that_was_hurried_is_named() -> None:
    hurried = HostReport(host="http://a.example", pages=5, delay_kept=1.0, smallest_gap=0.5)

    page = html(with_changes(DRAWN, hosts=(hurried,))).decode()

    assert "1 host was hurried" in page
    assert '<span class="bad">no</span>' in page


def test_a_sum_that_does_not_add_up_is_not_hidden() -> None:
    assert "please report it" in html(with_changes(DRAWN, conserved=False)).decode()


def test_columns_are_few_and_a_last_one_that_is_short_joins_the_one_before() -> None:
    course = [Slot(at=2.0 * number, seconds=2.0, outcomes={"ok": 4}) for number in range(120)]
    course.append(Slot(at=240.0, seconds=0.1, outcomes={"ok": 9}))

    spans = spans_of(course)

    assert len(spans) <= 60
    assert sum(span.ended("ok") for span in spans) == 120 * 4 + 9
    assert spans[0].rate == 2.0
    assert spans[-1].rate < 4.0
    assert spans[-1].end == pytest.approx(240.1)


def test_a_report_of_nothing_is_a_page_without_pictures() -> None:
    page = Reader(html(PLAIN))

    assert "Complete: every known URL is finished" in page.text
    assert [given for tag, given in page.found if tag == "svg"] == []
