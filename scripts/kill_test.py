"""Kill crawls of random webs again and again, and check that nothing is lost, doubled, torn or hurried.

Exit code 1 if an invariant is broken, or if the time is up before any web was tried.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.cluster.killing import trial as cluster_trial
from tests.killing import Trial, trial


def main() -> int:
    """Try web after web."""
    options = _options()
    # as an exception, so that the crawl under test is ended too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    deadline = time.monotonic() + options.max_time
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="kill_test-") as scratch:
        folder = Path(options.keep or scratch)
        for seed in range(options.first, options.first + options.seeds):
            if time.monotonic() > deadline:
                break
            one = partial(cluster_trial, losing=options.losing) if options.cluster or options.losing else trial
            trials.append(one(seed, folder / f"seed-{seed}", kills=options.kills, pages=options.pages))
            if not options.json:
                print(_line(trials[-1]), flush=True)
    broken = sum(len(done.wrong) for done in trials)
    if options.json:
        print(json.dumps({"broken": broken, "trials": [dataclasses.asdict(done) for done in trials]}, indent=2))
    else:
        kills = sum(done.kills for done in trials)
        print(f"{len(trials)} of {options.seeds} webs, {kills} kills, {broken} violations")
    return 1 if broken or not trials else 0


def _line(done: Trial) -> str:
    verdict = "ok" if not done.wrong else "BROKEN\n  " + "\n  ".join(done.wrong)
    counts = (
        f"{done.pages} pages, {done.rounds} rounds, {done.kills} kills, {done.requests} requests, {done.seconds:.1f} s"
    )
    return f"seed {done.seed}: {counts}: {verdict}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="webs to try (default 5)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="seed of the first web (default 0)")
    parser.add_argument("--kills", type=int, default=5, metavar="K", help="kills per web (default 5)")
    parser.add_argument("--pages", type=int, default=60, metavar="P", help="URLs per web (default 60)")
    parser.add_argument("--cluster", action="store_true", help="share each crawl among four shards, and kill those")
    parser.add_argument("--losing", action="store_true", help="...and lose their folders, and go on from snapshots")
    parser.add_argument("--max-time", type=float, default=600, metavar="SECONDS", help="begin no web after this")
    parser.add_argument("--keep", metavar="DIR", help="leave the output folders here, to be looked at")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
