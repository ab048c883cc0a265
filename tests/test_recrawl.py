"""A site that changes between crawls of one folder: what is asked, what is kept, and what is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crawler import Config, Report, UsageError, crawl
from crawler.config import Recrawl
from crawler.storage.verify import verify
from tests.conftest import EAGER
from tests.site import Site
from tests.test_crawl import changed, records

LONG_AGO = "Mon, 01 Jan 2024 00:00:00 GMT"
AT_ONCE = changed(recrawl={"first": 0.0, "shortest": 0.0})
"""Every page is due again as soon as it was fetched."""


def furnish(site: Site) -> str:
    """Make a site whose pages can be told by validators of both kinds, or by none; return where it begins."""
    start = site.page("/", links=("/tag", "/date", "/plain", "/around", "/moving", "/dying", "/old", "/lost"))
    site.page("/tag", headers={"ETag": '"one"'}, links=("/below",))
    site.page("/date", headers={"Last-Modified": LONG_AGO})
    site.page("/plain", body="the same for ever")
    site.page("/below", body="found on a page that will not be sent again")
    site.page("/around", body="<nav>1 visitor</nav><main>A text that stays.</main>")
    site.page("/moving")
    site.page("/dying")
    site.redirect("/old", "/plain")
    return start


def log(out: Path, name: str = "pages.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / name).read_bytes().splitlines()]


def changes(out: Path) -> dict[str, str]:
    """The change log: path of the URL → what became of it; a URL that stands twice is an error."""
    lines = log(out, "changes.jsonl")
    assert len({(line["url"], line["round"]) for line in lines}) == len(lines)
    return {line["url"].split("/", 3)[3]: line["change"] for line in lines}


def told(report: Report) -> dict[str, int]:
    """What the report counts, without what it did not see."""
    kinds = ("new", "changed", "boilerplate", "unchanged", "moved", "gone")
    return {kind: count for kind in kinds if (count := getattr(report.changes, kind))}


async def again(start: str, out: Path, config: Config = EAGER) -> Report:
    return await crawl([start], config=config, out=out, recrawl="all")


async def test_three_crawls_of_a_changing_site_tell_its_truth(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    first = await crawl([start], config=EAGER, out=tmp_path)

    site.page("/plain", body="different all the same")
    site.page("/around", body="<nav>2 visitors</nav><main>A text that stays.</main>")
    site.redirect("/moving", "/tag")
    del site.answers["/dying"]
    site.page("/date", headers={"Last-Modified": LONG_AGO}, links=("/unseen",))  # it says that nothing changed
    site.page("/below", links=("/young",))
    site.page("/young")
    second = await again(start, tmp_path)
    third = await again(start, tmp_path)

    assert first.changes.since is None
    assert told(second) == {"new": 1, "changed": 2, "boilerplate": 1, "unchanged": 4, "moved": 1, "gone": 1}
    assert told(third) == {"unchanged": 9}
    assert (second.changes.round, third.changes.round) == (2, 3)
    assert changes(tmp_path) == {
        "plain": "changed",
        "below": "changed",
        "around": "boilerplate",
        "moving": "moved",
        "dying": "gone",
        "young": "new",
    }
    assert third.conserved
    assert verify(tmp_path).lines[-1].endswith("one for each change")
    assert verify(tmp_path).ok


async def test_a_change_is_told_with_what_was_there_before(site: Site, tmp_path: Path) -> None:
    start = site.page("/", body="one")
    await crawl([start], config=EAGER, out=tmp_path)
    before = log(tmp_path)[0]
    site.page("/", body="two")

    await again(start, tmp_path)

    (change,), now = log(tmp_path, "changes.jsonl"), log(tmp_path)[1]
    assert (change["earlier_digest"], change["digest"]) == (before["digest"], now["digest"])
    assert change["earlier_at"][:19] == before["fetched_at"][:19]
    assert (change["round"], change["earlier_status"], change["status"]) == (2, 200, 200)


async def test_what_has_a_validator_is_asked_for_on_condition_and_answered_by_304(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)
    site.forget()

    await again(start, tmp_path)

    asked = {request.path: request for request in site.log}
    assert asked["/tag"].headers["if-none-match"] == '"one"'
    assert asked["/date"].headers["if-modified-since"] == LONG_AGO
    assert [path for path, request in asked.items() if request.status == 304] == ["/tag", "/date"]
    assert not any(name.startswith("if-") for name in asked["/plain"].headers)


async def test_the_archive_refers_to_what_it_has_instead_of_holding_it_twice(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)

    await again(start, tmp_path)
    await again(start, tmp_path)

    kinds = Counter((member.header("WARC-Target-URI"), member.header("WARC-Type")) for member in records(tmp_path))
    assert (kinds[site.url("/tag"), "response"], kinds[site.url("/tag"), "revisit"]) == (1, 2)
    assert (kinds[site.url("/plain"), "response"], kinds[site.url("/plain"), "revisit"]) == (1, 2)
    profiles = {
        member.header("WARC-Target-URI"): member.header("WARC-Profile").rpartition("/")[2]
        for member in records(tmp_path)
        if member.header("WARC-Type") == "revisit"
    }
    assert profiles[site.url("/tag")] == "server-not-modified"
    assert profiles[site.url("/plain")] == "identical-payload-digest"


async def test_a_request_is_archived_as_it_was_sent(site: Site, tmp_path: Path) -> None:
    start = site.page("/", headers={"ETag": '"one"', "Last-Modified": LONG_AGO})
    await crawl([start], config=EAGER, out=tmp_path)

    await again(start, tmp_path)

    *_, request = (member.block for member in records(tmp_path) if member.header("WARC-Type") == "request")
    assert b'\r\nIf-None-Match: "one"\r\nIf-Modified-Since: ' + LONG_AGO.encode() + b"\r\n" in request


async def test_what_a_page_links_to_is_crawled_again_though_the_page_is_not_sent(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)
    site.page("/below", body="news")
    site.forget()

    await again(start, tmp_path)

    assert site.log[[request.path for request in site.log].index("/tag")].status == 304
    assert changes(tmp_path) == {"below": "changed"}


async def test_every_page_has_one_line_and_one_record_in_each_round(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)

    await again(start, tmp_path)

    lines = Counter((line["url"], line["round"]) for line in log(tmp_path))
    assert set(lines.values()) == {1}
    assert len(lines) == 2 * len({url for url, _ in lines})


async def test_a_page_that_is_gone_is_asked_for_a_few_times_more_and_then_no_longer(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/dying", "/never", "/ended"))
    site.page("/dying")
    site.page("/ended")
    await crawl([start], config=EAGER, out=tmp_path)
    del site.answers["/dying"]
    site.put("/ended", 410, b"", {})
    site.forget()

    reports = [await again(start, tmp_path) for _ in range(4)]

    times = Counter(site.requests)
    assert (times["/dying"], times["/never"], times["/ended"], times["/"]) == (3, 2, 1, 4)
    assert [report.changes.gone for report in reports] == [2, 0, 0, 0]
    assert reports[-1].totals.by_outcome == {"ok": 1, "gone": 3}


async def test_a_page_that_comes_back_is_new(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/shy",))
    site.page("/shy")
    await crawl([start], config=EAGER, out=tmp_path)
    page = site.answers.pop("/shy")
    await again(start, tmp_path)
    site.answers["/shy"] = page

    report = await again(start, tmp_path)

    assert told(report) == {"new": 1, "unchanged": 1}


async def test_a_page_that_fails_for_a_while_is_compared_with_how_it_was_before(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/frail",))
    site.page("/frail", headers={"ETag": '"one"'})
    await crawl([start], config=EAGER, out=tmp_path)
    page = site.answers["/frail"]
    site.put("/frail", 500, b"", {})
    await again(start, tmp_path)
    site.answers["/frail"] = page
    site.forget()

    report = await again(start, tmp_path)

    assert told(report) == {"unchanged": 2}
    assert [request.status for request in site.log if request.path == "/frail"] == [304]


async def test_since_last_asks_only_for_what_is_due(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)
    site.forget()

    at_once = await crawl([start], config=EAGER, out=tmp_path, recrawl="due")

    assert site.log == []
    assert (at_once.pages, at_once.changes.round, at_once.conserved) == (0, 2, True)


async def test_a_page_that_changes_is_looked_at_more_often_than_one_that_does_not(site: Site, tmp_path: Path) -> None:
    start = site.page("/", links=("/restless", "/calm"))
    site.page("/restless", body="1")
    site.page("/calm")
    rules = changed(recrawl={"first": 100.0, "shortest": 70.0, "longest": 130.0})
    await crawl([start], config=rules, out=tmp_path)

    seen = []
    for number in range(3):
        site.page("/restless", body=f"{number} again")
        await again(start, tmp_path, rules)
        seen.append(intervals(tmp_path))

    assert [one["/restless"] for one in seen] == pytest.approx([80.0, 70.0, 70.0])
    assert [one["/calm"] for one in seen] == pytest.approx([130.0, 130.0, 130.0])


def intervals(out: Path) -> dict[str, float]:
    from tests.storage.attempts import query  # noqa: PLC0415

    return {"/" + url.split("/", 3)[3]: interval for url, interval in query(out, "SELECT url, interval FROM url")}


async def test_a_round_that_a_limit_ended_is_gone_on_with_before_the_next_begins(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)
    site.forget()

    part = await again(start, tmp_path, changed(limits={"max_pages": 4}, fetch={"concurrency": 1}))
    rest = await again(start, tmp_path)

    assert (part.changes.round, rest.changes.round) == (2, 2)
    assert set(Counter(site.requests).values()) == {1}
    assert told(rest) == {"unchanged": 9}
    assert verify(tmp_path).ok


async def test_without_an_archive_changes_are_told_all_the_same(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    bare = changed(store={"archive": "none"})
    await crawl([start], config=bare, out=tmp_path)
    site.page("/around", body="<nav>2 visitors</nav><main>A text that stays.</main>")
    site.page("/tag", headers={"ETag": '"two"'})

    report = await again(start, tmp_path, bare)

    assert told(report) == {"changed": 2, "unchanged": 7}
    assert verify(tmp_path).ok


async def test_the_first_crawl_of_a_folder_is_no_recrawl(site: Site, tmp_path: Path) -> None:
    start = furnish(site)

    report = await again(start, tmp_path)

    assert report.changes.round == 1
    assert changes(tmp_path) == {}


async def test_ways_to_begin_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fresh and recrawl contradict each other"):
        await crawl([], out=tmp_path, fresh=True, recrawl="due")


async def test_a_page_is_due_again_when_its_time_has_come(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=AT_ONCE, out=tmp_path)
    site.forget()

    report = await crawl([start], config=AT_ONCE, out=tmp_path, recrawl="due")

    assert told(report) == {"unchanged": 9}
    assert Recrawl().first < 86_400  # or a nightly crawl would find its pages due only every other night


def lost(out: Path) -> Path:
    """The folder to which the earlier state was moved."""
    (aside,) = out.glob("lost-*")
    return aside


async def test_a_lost_state_is_rebuilt_from_the_newest_payload_of_each_page(site: Site, tmp_path: Path) -> None:
    start = furnish(site)
    await crawl([start], config=EAGER, out=tmp_path)
    site.page("/plain", body="newer")
    await again(start, tmp_path)
    (tmp_path / "crawl.db").write_bytes(b"no database" * 1_000)
    site.forget()

    report = await crawl([start], config=EAGER, out=tmp_path, rebuild=True)

    now = {line["url"]: line for line in log(tmp_path)}
    before = {line["url"]: line for line in log(lost(tmp_path))}
    assert (report.done, report.failed, site.requests) == (9, 1, [])
    assert {url: line["digest"] for url, line in now.items()} == {url: line["digest"] for url, line in before.items()}
    assert now[site.url("/tag")]["status"] == 200
