"""Where the marks of an axis stand: at numbers that a person would choose."""

from __future__ import annotations

from math import floor, log10

from crawler.report.figures import duration

_STEPS = (1.0, 2.0, 5.0, 10.0)
_SIXTIES = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
_CLOCK = (
    *_SIXTIES,
    *(60 * step for step in _SIXTIES),
    *(3600 * step for step in (1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0)),
)


def marks(largest: float, most: int = 4) -> list[float]:
    """Return 0 and further round numbers, ``most`` steps at most, the last of them not below ``largest``."""
    if largest <= 0:
        return [0.0, 1.0]
    power = 10.0 ** floor(log10(largest / most))
    step = next(step * power for step in _STEPS if step * power * most >= largest * (1 - 1e-9))
    count = next(count for count in range(1, most + 1) if step * count >= largest * (1 - 1e-9))
    return [step * number for number in range(count + 1)]


def times(seconds: float, most: int = 5) -> list[float]:
    """Return the round times within a stretch that begins at 0, ``most`` steps at most."""
    if seconds < _CLOCK[0] * most:
        return [mark for mark in marks(seconds, most) if mark <= seconds]
    step = next((step for step in _CLOCK if step * most >= seconds), _CLOCK[-1])
    while step * most < seconds:
        step *= 2
    return [step * number for number in range(int(seconds / step) + 1)]


def moment(seconds: float) -> str:
    """Write a time since the start, as it stands under a picture: ``0``, ``20 s``, ``10 min``, ``3 h``, ``2 d``."""
    if not seconds:
        return "0"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:g} s" if seconds < 60 else duration(seconds)
