"""Plant bottlenecks, crawl, and look whether the verdict names them.

Where the verdict foretells what a change would gain, the change is made and what it gained is compared.
Exit code 1 if a bottleneck is not named, or a gain is more than a quarter off though the machine had cores to spare.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.verdicts import Trial, cases, trial

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "verdict.md"
_PLACE = re.compile(r"(<!-- cases: [^>]*-->\n).*?(<!-- end of cases -->)", re.DOTALL)


def main() -> int:
    """Try case after case."""
    options = _options()
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="verdict_cases-") as scratch:
        for number, case in enumerate(cases()):
            if not re.search(options.only, f"{case.kind}: {case.name}"):
                continue
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                done = runner.run(trial(case, Path(scratch) / str(number)))
            trials.append(done)
            print("  ".join(_row(done)), flush=True)
            if options.verbose:
                verdict, ledger = done.report.verdict, done.report.ledger
                print(f"    {verdict.sentence}\n    {verdict.evidence}\n    {verdict.counterfactual}")
                print(f"    {verdict.shares}\n    {ledger}\n", flush=True)
    wrong = [done for done in trials if not done.stands]
    print(f"{len(trials)} cases, {len(wrong)} wrong, {sum(done.disturbed for done in trials)} disturbed")
    if options.write_docs:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), trials), encoding="utf-8")
    return 1 if wrong or not trials else 0


def with_table(document: str, trials: Sequence[Trial]) -> str:
    """Return the document with a table of these trials in its place."""
    changed, times = _PLACE.subn(lambda place: place[1] + "\n".join(["", *_lines(trials), "", place[2]]), document)
    if times != 1:
        raise ValueError(f"the document has {times} places for the table, not 1")
    return changed


def _lines(trials: Sequence[Trial]) -> Iterator[str]:
    yield "| planted | case | named | its share | pages/s | foretold | gained |"
    yield "|---|---|---|---|---|---|---|"
    for done in trials:
        yield f"| {' | '.join(_row(done))} |"


def _row(done: Trial) -> tuple[str, ...]:
    verdict, ledger = done.report.verdict, done.report.ledger
    share = max(verdict.shares.values(), default=0.0)
    named = verdict.kind + ("" if done.right else _remark(done, excused=done.case.quiet and done.disturbed))
    foretold = _times(verdict.gain) if done.changed else ""
    gained = _times(done.gained) if done.changed else ""
    gained += "" if done.foretold else _remark(done, excused=done.disturbed)
    pace = f"{ledger.pages / ledger.seconds:,.0f}"
    return done.case.kind, done.case.name, named, f"{100 * share:.0f} %", pace, foretold, gained


def _remark(done: Trial, *, excused: bool) -> str:
    return f" (the loop found no core {100 * done.starved:.0f} % of the time)" if excused else " **wrong**"


def _times(gain: float) -> str:
    return f"{gain:.2f} ×"  # noqa: RUF001  the sign that is meant


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  as the command line does
    except ImportError:
        return None
    return uvloop.Loop


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="REGEX", help="cases whose kind and name match")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/verdict.md")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each verdict, and what it is judged by")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
