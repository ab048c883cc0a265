"""Durations and sizes as people write them: ``15m``, ``10MiB``."""

from __future__ import annotations

import math
import re
from typing import Literal

_UNITS: dict[str, dict[str, float]] = {
    "seconds": {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800},
    "bytes": {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4}
    | {
        name: 1024**power
        for power, names in enumerate(("k kib", "m mib", "g gib", "t tib"), 1)
        for name in names.split()
    },
}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def quantity(text: str, unit: Literal["seconds", "bytes"]) -> float:
    """Read ``90``, ``15m``, ``1h30m`` as seconds, or ``512``, ``10MiB``, ``2G`` as bytes.

    Raises:
        ValueError: the text is neither a number nor numbers with units of that kind.
    """
    factors, total, at = _UNITS[unit], 0.0, 0
    while match := _PART.match(text, at):
        number, name = match.groups()
        if name.lower() not in factors or (not name and match.span() != (0, len(text))):
            break
        total, at = total + float(number) * factors[name.lower()], match.end()
        if at == len(text) and math.isfinite(total):
            return total
    example = "90, 15m or 1h30m" if unit == "seconds" else "512, 10MiB or 2G"
    raise ValueError(f"{text!r} is not a {'duration' if unit == 'seconds' else 'size'}, such as {example}")
