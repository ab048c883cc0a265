from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.outcomes import Outcome, State
from crawler.report.measured import Percentiles, VerdictReport
from crawler.report.problems import ADVICE, advice
from crawler.report.report import ChangesReport, Ending, HostLeft, HostReport, Problem, Report, Totals
from crawler.report.text import text
from tests.report.samples import FULL, PLAIN

HOSTILE = "https://x.example/\x1b[2J\r\n\u202egnp"
POLITE = VerdictReport(
    kind="politeness",
    sentence="Bottleneck: politeness of docs.example.org (2.0 s delay): 91 % of the time no host was due",
    evidence="0.1 hosts were ready on average.",
    counterfactual="More concurrency will not help.",
)


def with_changes(report: Report, **changes: object) -> Report:
    return msgspec.structs.replace(report, **changes)


def test_the_first_line_says_how_it_ended_and_the_second_one_that_all_is_accounted_for() -> None:
    first, second, *_ = text(FULL).splitlines()

    assert first == "Stopped at a limit: max_pages 1,210"
    assert second == "  known 1,234 = done 1,200 + failed 10 + skipped 20 + queued 4"


def test_a_sum_that_does_not_add_up_is_not_hidden() -> None:
    told = text(with_changes(FULL, conserved=False, known=1235))

    assert "known 1,235 ≠ done 1,200" in told
    assert "defect" in told


def test_every_part_of_a_full_report_is_told() -> None:
    told = text(FULL)

    for part in (
        "in crawl-out",
        "12 seeds read, 1 of them known already, 2 not usable",
        "2m 03s",
        "1,210       9.8/s  (1,200 done, 10 failed)",
        "45.2 MiB    376.3 KiB/s",
        "p50 84 ms, p95 210 ms, p99 1.20 s, longest 4.10 s",
        "12.3 s main, 20.1 s workers; memory 120.0 MiB at most",
        "opened 4, workers replaced 1",
        "fetch  loop     1,210   1m 40s   1m 38s  2.00 s   99 %",
        "https://docs.example.org  1,210      10  45.2 MiB      obeyed  2.00 s  2.00 s  2.00 s     3",
        "http://other.example          0       0       0 B        none  1.00 s       -       -     0",
        "15  out_of_scope           outside the scope of the seeds",
        "7 x 404 http_client_error: the server answered 4xx",
        "for example  https://docs.example.org/lost",
        "3 x tls_expired: the certificate has expired",
        "in detail    since 2020-01-01",
    ):
        assert part in told


def test_what_changed_is_told_from_the_second_round_on() -> None:
    changes = ChangesReport(round=2, since=1_795_400_000.0, new=3, changed=12, unchanged=1_000, gone=1)

    told = text(with_changes(FULL, changes=changes))

    assert "What changed" not in text(FULL)
    assert "What changed since 2026-11-23 02:13 UTC\n      3  new\n     12  changed\n" in told
    assert "  1,000  unchanged\n" in told


def test_what_is_left_is_told_by_host() -> None:
    left = tuple(HostLeft(host=f"http://h{number}", queued=90 - number) for number in range(12))

    told = text(with_changes(FULL, left=left, left_hosts=14))

    assert "Left for the next run, on 14 hosts\n  host       queued\n  http://h0      90\n" in told
    assert "http://h9      81\n  and 4 more hosts\n" in told


def test_columns_are_aligned() -> None:
    lines = text(FULL).splitlines()
    table = lines[lines.index("Where the time went (all pages together)") + 1 :][:3]

    assert len({line.index("calls" if "calls" in line else "1,210") + 5 for line in table}) == 1
    assert len({len(line) for line in table}) == 1


def test_no_line_but_a_url_or_a_host_is_wider_than_a_terminal() -> None:
    wide = [line for line in text(FULL).splitlines() if len(line) > 100]

    assert wide == []


def test_a_crawl_that_can_go_on_ends_with_the_command_that_does() -> None:
    told = text(FULL, again="python -m crawler seed.txt", verify="python -m crawler verify crawl-out")

    assert told.endswith("Go on with the 4 URLs still queued:\n  python -m crawler seed.txt\n")


def test_a_complete_crawl_ends_with_the_command_that_checks_it() -> None:
    told = text(PLAIN, again="python -m crawler seed.txt", verify="python -m crawler verify crawl-out")

    assert told.endswith("Check what was written:\n  python -m crawler verify crawl-out\n")


def test_a_crawl_that_nobody_answered_tells_no_latency() -> None:
    assert "latency" in text(FULL)
    assert "latency  " not in text(msgspec.structs.replace(FULL, latency=Percentiles()))


def test_a_crawl_of_nothing_is_told_without_empty_sections() -> None:
    told = text(PLAIN)

    assert "Hosts" not in told
    assert "Problems" not in told
    assert "latency" not in told
    assert "\n\n\n" not in told
    assert told.endswith("\n")


def test_only_the_hosts_with_the_most_pages_are_shown_and_the_rest_counted() -> None:
    hosts = tuple(HostReport(host=f"http://h{number}", pages=99 - number) for number in range(50))

    told = text(with_changes(PLAIN, hosts=hosts, hosts_total=1234))

    assert "the 10 with the most pages of 1,234" in told
    assert "http://h9 " in told
    assert "http://h10" not in told


def test_problems_beyond_the_first_are_counted() -> None:
    problems = tuple(
        Problem(outcome="http_server_error", status=500 + n, count=2, example="http://a/") for n in range(15)
    )

    told = text(with_changes(PLAIN, problems=problems))

    assert "and 6 more for 3 other causes; report.json has them all" in told


@pytest.mark.parametrize("ending", list(Ending))
def test_every_ending_has_its_words(ending: Ending) -> None:
    assert text(with_changes(PLAIN, ending=ending, reason="for a reason")).splitlines()[0]


def test_an_outcome_of_a_newer_version_is_told_by_its_name() -> None:
    told = text(with_changes(PLAIN, problems=(Problem(outcome="moon_phase", status=0, count=1, example="http://a/"),)))

    assert "  1 x moon_phase\n" in told


def test_nothing_from_the_network_reaches_the_terminal_unescaped() -> None:
    told = text(
        with_changes(
            PLAIN,
            reason=HOSTILE,
            ending=Ending.INTERRUPTED,
            folder=HOSTILE,
            hosts=(HostReport(host=HOSTILE, robots=HOSTILE),),
            problems=(Problem(outcome=HOSTILE, status=0, count=1, example=HOSTILE, detail=HOSTILE),),
            connections={HOSTILE: 1},
        )
    )

    assert not set("\x1b\r\u202e") & set(told)
    assert "\\x1b[2J\\r\\n\\u202egnp" in told


@given(st.text(max_size=200))
def test_a_line_of_the_report_is_never_forged(words: str) -> None:
    plain = Problem(outcome="http_server_error", status=500, count=1, example="x", detail="x")
    forged = Problem(outcome="http_server_error", status=500, count=1, example=words, detail=words or "x")

    lines = [text(with_changes(PLAIN, problems=(problem,))).count("\n") for problem in (plain, forged)]

    assert lines[0] == lines[1]


def test_every_failure_comes_with_advice() -> None:
    assert set(ADVICE) == {outcome for outcome in Outcome if outcome.state is State.FAILED}


@pytest.mark.parametrize("line", ADVICE.values())
def test_advice_fits_a_line(line: str) -> None:
    assert len(line) <= 90


def test_advice_looks_at_the_status_first() -> None:
    gone = Problem(outcome="http_client_error", status=404, count=1, example="http://a/")
    closed = Problem(outcome="http_client_error", status=403, count=1, example="http://a/")

    assert "dead links" in advice(gone)
    assert "--contact" in advice(closed)


def test_skipped_reasons_are_told_with_the_most_frequent_first() -> None:
    totals = Totals(skipped=3, by_outcome={"too_deep": 1, "excluded": 2, "ok": 9})

    told = text(with_changes(PLAIN, totals=totals))

    assert told.index("excluded") < told.index("too_deep")
    assert "ok  " not in told


def test_the_bottleneck_stands_at_the_top_with_its_evidence_and_what_would_change_it() -> None:
    told = text(with_changes(FULL, verdict=POLITE)).splitlines()

    assert told[4:9] == [
        "",
        "Bottleneck: politeness of docs.example.org (2.0 s delay): 91 % of the time no",
        "  host was due",
        "  0.1 hosts were ready on average.",
        "  More concurrency will not help.",
    ]


def test_a_crawl_too_short_to_tell_says_no_more_than_that() -> None:
    told = text(with_changes(FULL, verdict=VerdictReport(sentence="Bottleneck: too short to tell", evidence="3 pages")))

    assert "\nBottleneck: too short to tell\n\n" in told


def test_a_report_without_a_verdict_has_no_line_for_it() -> None:
    assert "Bottleneck" not in text(FULL)


def test_the_name_of_a_host_in_the_verdict_cannot_steer_the_terminal() -> None:
    told = text(with_changes(FULL, verdict=VerdictReport(kind="politeness", sentence=f"Bottleneck: {HOSTILE}")))

    assert "\x1b" not in told
    assert "\u202e" not in told
