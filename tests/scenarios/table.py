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
    "10,000 hosts behind one wildcard name": "played by `tests/test_addresses.py`, with 300 names",
    "A wrong Content-Length in the answer to HEAD": "HEAD is never sent",
    "A host that slows down under load": "played by `tests/test_slowing_host.py`: what is in flight there falls",
    "Damage to disk, database, archive and workers": "played by other tests",
}
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
    parts.append(f"## Not played\n\n| what | why |\n|---|---|\n{reasons}\n")
    return "\n".join(parts)


def _row(scenario: Scenario) -> str:
    outcomes = " or ".join(f"`{outcome}`" for outcome in scenario.outcomes)
    tries = " or ".join(map(str, scenario.tries))
    return f"| {scenario.number} | {scenario.does.replace('|', '&#124;')} | {outcomes} | {tries} |"


if __name__ == "__main__":
    DOC.write_text(text(), encoding="utf-8")
