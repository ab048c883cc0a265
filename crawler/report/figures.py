"""How numbers are written for a person: the only place that decides it.

Each function takes a plain number and returns a short text that never breaks a column:
a number that is not finite is a dash.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

NONE = "-"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def count(number: float) -> str:
    """Write 1234567 as ``1,234,567``."""
    return f"{number:,.0f}" if math.isfinite(number) else NONE


def size(number: float) -> str:
    """Write bytes as ``512 B``, ``45.2 MiB``."""
    if not math.isfinite(number):
        return NONE
    value, unit = float(number), 0
    while abs(value) >= 999.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def rate(per_second: float) -> str:
    """Write events a second as ``0.25/s``, ``9.8/s``, ``1,234/s``."""
    if not math.isfinite(per_second):
        return NONE
    digits = 0 if per_second >= 99.95 else 1 if per_second >= 0.995 or per_second == 0 else 2
    return f"{per_second:,.{digits}f}/s"


def speed(bytes_per_second: float) -> str:
    """Write bytes a second as ``367.0 KiB/s``."""
    return f"{size(bytes_per_second)}/s" if math.isfinite(bytes_per_second) else NONE


def duration(seconds: float) -> str:
    """Write seconds as ``85 µs``, ``8.4 ms``, ``1.23 s``, ``2m 03s``, ``1h 02m`` or ``3d 04h``."""
    if not math.isfinite(seconds):
        return NONE
    if seconds < 0:
        return f"-{duration(-seconds)}"
    return _long(round(seconds)) if seconds >= 59.95 else _short(seconds)


def latency(seconds: float) -> str:
    """Write how long answers took; a dash if none came, for none takes no time at all."""
    return duration(seconds) if seconds else NONE


def _short(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.{1 if seconds < 0.00995 else 0}f} ms"
    return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"


def _long(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"


def clock(seconds: float) -> str:
    """Write seconds as ``0:01:47``, for a line that is drawn again and again and should not jump."""
    if not math.isfinite(seconds):
        return NONE
    minutes, whole = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{whole:02}"


def date(at: float) -> str:
    """Write Unix seconds as ``2026-11-26 02:00 UTC``."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return NONE


def share(part: float, whole: float) -> str:
    """Write a part of a whole as ``0.4 %``, ``12 %``; a dash if there is no whole."""
    if not whole or not math.isfinite(part) or not math.isfinite(whole):
        return NONE
    percent = 100 * part / whole
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Write ``1 page``, ``1,234 pages``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
