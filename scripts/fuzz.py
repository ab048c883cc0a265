"""Try mutated documents, and every property test of the core, with new random examples until the time is up.

Exit code 1 if one fails; what failed is printed, shrunk to its smallest form.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis

from tests.fuzzing import TARGETS, documents

_CORE = Path(__file__).resolve().parent.parent / "tests" / "core"


def main() -> int:
    """Go round all targets again and again."""
    options = _options()
    hypothesis.settings.register_profile("fuzz", max_examples=options.examples, deadline=None, database=None,
                                         suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    hypothesis.settings.load_profile("fuzz")  # before the tests are imported, which take it as it is then
    targets = {name: target for name, target in _targets() if not options.only or options.only in name}
    deadline, rounds, failed = time.monotonic() + options.seconds, 0, set[str]()
    while targets and time.monotonic() < deadline:
        for name, target in targets.items():
            if name not in failed and time.monotonic() < deadline and not _holds(name, target):
                failed.add(name)
        rounds += 1
    print(f"{len(targets)} targets, {rounds} rounds of {options.examples} examples, {len(failed)} failed")
    for name in sorted(failed):
        print(f"  {name}")
    return 1 if failed or not targets else 0


def _holds(name: str, target: Callable[[], None]) -> bool:
    try:
        target()
    except Exception:  # noqa: BLE001  whatever it is, it is a finding, and the other targets go on
        print(f"{name} fails:")
        traceback.print_exc(limit=-3, file=sys.stdout)
        return False
    return True


def _targets() -> Iterator[tuple[str, Callable[[], None]]]:
    for kind, target in TARGETS.items():
        yield f"mutated {kind}", hypothesis.given(documents(kind))(target)
    for path in sorted(_CORE.glob("test_*.py")):
        module = importlib.import_module(f"tests.core.{path.stem}")
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if _stands_alone(test):
                yield f"{path.stem}: {name}", test


def _stands_alone(test: Any) -> bool:
    """Tell whether it is a property test that needs nothing from pytest."""
    return getattr(test, "is_hypothesis_test", False) and not inspect.signature(test).parameters


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, metavar="N", help="how long to try (default 300)")
    parser.add_argument(
        "--examples", type=int, default=500, metavar="N", help="examples a target a round (default 500)"
    )
    parser.add_argument("--only", metavar="TEXT", help="targets with this text in their name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
