"""The table of all scenarios, as ``docs/scenarios.md`` has it: ``python -m tests.scenarios.table`` writes it anew."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from crawler.testing.hostile import Scenario
from tests.scenarios import (
    coding,
    content,
    framing,
    naming,
    oddities,
    politeness,
    redirects,
    sitemaps,
    transport,
    traps,
)

CHAPTERS: dict[str, ModuleType] = {
    "Transport": transport,
    "Names": naming,
    "HTTP framing": framing,
    "HTTP that is read in two ways": oddities,
    "Content coding": coding,
    "Redirects": redirects,
    "Content": content,
    "URLs and traps": traps,
    "Sitemaps and feeds": sitemaps,
    "Politeness": politeness,
}
NOT_PLAYED = {
    "A certificate revoked by its authority": "nobody asks, as browsers do not",
    "Black holes of path MTU, lost and reordered packets": "loopback loses nothing; it would end in a time-out",
    "Two living addresses, IPv6 and IPv4": "a machine may have no IPv6; a dead one beside a living IPv4 is played",
    "10,000 hosts behind one wildcard name": "300 are, see below: what is to be seen is how many are asked at once",
    "A gigabyte of a packed sitemap": "64 MiB are, which is beyond the limit too",
    "A wrong Content-Length in the answer to HEAD": "HEAD is never sent",
    "The event loop, closed by the program around a crawl": "Python then has nobody to tell; a cancel is, see below",
}
ELSEWHERE = (
    (25, "many host names of one machine", "test_addresses.py", "hundreds_of_names_of_one_machine_share_its_places"),
    (25, "many hosts that send large bodies at once", "test_memory.py", "large_bodies_that_come_at_once_take_turns"),
    (
        50,
        "bombs, and the memory they take",
        "test_memory.py",
        "a_bomb_takes_no_more_memory_than_it_may_unpack_to_twice",
    ),
    (
        58,
        "a name that a seed names, turned inwards",
        "net/test_session.py",
        "a_name_that_a_seed_names_cannot_be_turned",
    ),
    (62, "TLS given up on the way", "net/test_session.py", "secret_headers_are_not_sent_in_the_clear_where_tls_was"),
    (68, "a million links", "test_supervisor.py", "of_a_million_links_some_are_taken_and_the_page_is_flagged"),
    (69, "an attribute of 50 MB, and its like", "test_supervisor.py", "hazardous_documents_cost_a_page_each_at_most"),
    (
        101,
        "a host that slows down under load",
        "test_slowing_host.py",
        "a_host_that_slows_down_is_asked_for_less_at_a_time",
    ),
    (102, "a full disk", "test_machine.py", "a_full_disk_stops_the_crawl_and_room_lets_it_go_on"),
    (103, "no file descriptors", "test_few_files.py", "a_crawl_short_of_file_descriptors_is_slower_and_loses_nothing"),
    (
        104,
        "a folder that cannot be written",
        "test_machine.py",
        "a_folder_that_cannot_be_written_is_told_before_the_first",
    ),
    (105, "writes cut short", "storage/test_append_file.py", "short_writes_lose_and_double_nothing"),
    (105, "EIO at any call", "test_sweep.py", "a_fault_at_a_given_call_loses_and_doubles_nothing"),
    (106, "a limit on file sizes", "test_machine.py", "a_limit_on_file_sizes_is_a_full_disk"),
    (107, "workers that are killed", "test_supervisor.py", "workers_that_are_killed_from_outside_cost_no_healthy_page"),
    (
        108,
        "workers that crash, swell, hang or return rubbish",
        "test_executors.py",
        "a_task_that_ruins_its_worker_costs",
    ),
    (113, "a journal that fails", "storage/test_journal_failures.py", "a_write_that_fails_ends_the_journal_and_loses"),
    (114, "one signal, and a second", "cli/test_command.py", "one_signal_drains_and_the_same_command_goes_on"),
    (115, "a reader that goes away", "cli/test_command.py", "a_reader_that_leaves_early_does_not_change_the_code"),
    (117, "kill -9, torn archives", "test_killing.py", "a_crawl_that_is_killed_again_and_again_loses_and_doubles"),
    (120, "a damaged database", "test_machine.py", "a_damaged_database_is_refused_and_nothing_begins_anew"),
    (120, "a lost database", "test_rebuild.py", "a_lost_state_is_rebuilt_and_what_is_archived_is_not_asked"),
    (122, "two crawls in one folder", "cli/test_command.py", "a_second_crawl_in_the_same_folder_is_kept_out"),
    (125, "a crawl that is cancelled", "test_contract.py", "a_crawl_may_be_cancelled_at_any_moment"),
    (126, "a bare environment, as cron's", "cli/test_command.py", "a_bare_environment_as_crons_is_enough"),
    (127, "a script without a guard", "test_executors.py", "a_script_without_a_main_guard_is_not_run_again"),
    (128, "bad lines of a seed file", "cli/test_seeds.py", "a_bad_line_is_named_with_its_number_and_a_suggestion"),
)
"""Number, what is played, the file under ``tests/``, and how the name of the test begins, without ``test_``."""
DOC = Path(__file__).parents[2] / "docs" / "scenarios.md"
_INTRODUCTION = """# Hostile scenarios

What servers do to this crawler, and what comes of it.
Each line is played by a server of `crawler/testing/hostile.py` and checked by `tests/test_hostile.py`.
A healthy site is crawled at the same time, and nothing of it may be lost.
The table is made from the scenarios themselves (`python -m tests.scenarios.table`), and a test keeps it so.

Attempts are requests that were tried for the URL; 0 means that its host's robots.txt gave no leave.
Where two outcomes stand, timing, the machine or the HTTP client decides between them, and both are right.
"""


def text() -> str:
    """Return the whole document."""
    parts = [_INTRODUCTION]
    for title, chapter in CHAPTERS.items():
        rows = "\n".join(map(_row, chapter.SCENARIOS))
        parts.append(f"## {title}\n\n| no. | the server … | outcome | attempts |\n|---|---|---|---|\n{rows}\n")
    reasons = "\n".join(f"| {what} | {why} |" for what, why in NOT_PLAYED.items())
    elsewhere = "\n".join(f"| {number} | {what} | `tests/{file}` |" for number, what, file, _ in ELSEWHERE)
    parts.append(f"## Played by other tests\n\n| no. | what | where |\n|---|---|---|\n{elsewhere}\n")
    parts.append(f"## Not played\n\n| what | why |\n|---|---|\n{reasons}\n")
    return "\n".join(parts)


def _row(scenario: Scenario) -> str:
    outcomes = " or ".join(f"`{outcome}`" for outcome in scenario.outcomes)
    tries = " or ".join(map(str, scenario.tries))
    return f"| {scenario.number} | {scenario.does.replace('|', '&#124;')} | {outcomes} | {tries} |"


if __name__ == "__main__":
    DOC.write_text(text(), encoding="utf-8")
