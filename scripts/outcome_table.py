"""Write the table of outcomes into docs/operating.md, from the code that defines them.

``--check`` changes nothing and exits with 1 if the document is behind the code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from crawler.core.outcomes import Outcome, Retry
from crawler.report.problems import ADVICE

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "operating.md"
_PLACE = re.compile(r"(<!-- outcomes: [^>]*-->\n).*?(<!-- end of outcomes -->)", re.DOTALL)
_TRIED = {Retry.NEVER: "", Retry.ONCE: "once more", Retry.USUAL: "usual", Retry.PATIENT: "patient"}
_SKIPPED = {
    Outcome.OUT_OF_SCOPE: "a wider `--scope` takes it in",
    Outcome.EXCLUDED: "see `--exclude`",
    Outcome.NOT_INCLUDED: "see `--include`",
    Outcome.TOO_DEEP: "a larger `--max-depth` takes it in",
    Outcome.URL_TOO_LONG: "`scope.max_url_length`",
    Outcome.ROBOTS_DENIED: "the site's owner does not want it crawled; `--robots ignore` on a site of your own",
    Outcome.TRAP_DEEP_PATH: "`traps.path_depth`",
    Outcome.TRAP_REPEATED_SEGMENT: "`traps.repeated_segment`",
    Outcome.TRAP_LONG_QUERY: "`traps.query_parameters`",
    Outcome.TRAP_HOST_BUDGET: "`traps.pages_per_host`",
    Outcome.MOVED: "nothing; see [clusters](cluster.md)",
}
"""What a person can change about a skip. There is no problem in it, so the report has no advice."""


def main() -> int:
    """Write the table, or tell whether it is as it should be."""
    before = DOCUMENT.read_text(encoding="utf-8")
    after = with_table(before)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    DOCUMENT.write_text(after, encoding="utf-8")
    return 0


def with_table(document: str) -> str:
    """Return the document with the table of now in its place."""
    changed, times = _PLACE.subn(lambda place: place[1] + "\n".join(["", *_lines(), "", place[2]]), document)
    if times != 1:
        raise ValueError(f"the document has {times} places for the table, not 1")
    return changed


def _lines() -> Iterator[str]:
    yield "| outcome | state | tried | meaning | what to do |"
    yield "|---|---|---|---|---|"
    for outcome in Outcome:
        advice = ADVICE.get(outcome) or _SKIPPED.get(outcome, "")
        cells = (f"`{outcome}`", outcome.state.name.lower(), _TRIED[outcome.retry], outcome.meaning, advice)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main())
