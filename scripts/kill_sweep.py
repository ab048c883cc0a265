"""Kill and fail a small crawl at every system call by which it changes its folder, and check what is left.

Exit code 1 if an invariant is broken, 2 if faults cannot be injected here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from crawler.testing.site import serve_in_thread
from tests.sweep import CALLS, FAULTS, Fault, Sweep, why_not


def main() -> int:
    """Strike at one call after another."""
    options = _options()
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    began, runs, broken = time.monotonic(), 0, 0
    sites, beyond = Sweep.hosts()
    with tempfile.TemporaryDirectory(prefix="kill_sweep-") as scratch, serve_in_thread(*sites, beyond):
        sweep = Sweep(Path(scratch), sites, beyond, round_number=options.round)
        for kind in options.faults:
            for call in options.calls:
                codes, wrong = _series(sweep, kind, call, options)
                runs, broken = runs + codes.total(), broken + wrong
                ends = ", ".join(f"{times} x exit {code}" for code, times in sorted(codes.items()))
                print(f"{kind} at {call}: {codes.total()} faults ({ends}), {wrong} violations", flush=True)
    print(f"{runs} faults, {broken} violations, {time.monotonic() - began:.0f} s")
    return 1 if broken or not runs else 0


def _series(sweep: Sweep, kind: str, call: str, options: argparse.Namespace) -> tuple[Counter[int], int]:
    """Return how often the struck runs ended with which code, and the number of violations."""
    codes, wrong = Counter[int](), 0
    for tried in sweep.series(kind, call, first=options.first, step=options.step):
        found = [tried]
        if options.twice:
            # the second fault falls into the way back: early, for there is little left to do
            found.append(sweep.strike(tried.fault, Fault(kind, call, 1 + tried.fault.nth % 7)))
        codes.update(one.codes[0] for one in found)
        for sentence in (sentence for one in found for sentence in one.wrong):
            print(f"  {tried.fault}: {sentence}", flush=True)
            wrong += 1
    return codes, wrong


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", nargs="+", choices=CALLS, default=CALLS, metavar="CALL", help=" ".join(CALLS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS, metavar="FAULT", help=" ".join(FAULTS))
    parser.add_argument("--first", type=int, default=1, metavar="N", help="begin with the N-th call (default 1)")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="strike at every N-th only (default 1)")
    parser.add_argument(
        "--round", type=int, default=1, metavar="N", help="strike at this round of a folder (default 1)"
    )
    parser.add_argument("--twice", action="store_true", help="strike once more while the crawl goes on after a fault")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
