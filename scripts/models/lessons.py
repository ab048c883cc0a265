"""What the figures say, in sentences. All of it follows from the figures given: nothing is known beforehand.

A difference of a tenth or less is no difference here; the machine's other load makes as much.
"""

from __future__ import annotations

from scripts.models.figures import (
    ALONE,
    CRAWLER,
    HYBRID,
    PROCESSES,
    QUEUE,
    SERIAL,
    THREADS,
    Costs,
    Hop,
    Measured,
    Row,
    Size,
)

LEVEL = 1.10
"""Times that are no further apart than this are level."""
_WAITS_IN_FEW = frozenset({SERIAL, PROCESSES, QUEUE})
"""Models in which a page that is waited for holds a whole process."""
_COMPUTES_IN_MANY = frozenset({PROCESSES, QUEUE, HYBRID, CRAWLER})


def lessons(measured: Measured, size: Size) -> list[str]:
    """Say what a work is bound by, which model won and why, and what the others teach."""
    serial, said = measured.row(SERIAL), []
    if serial:
        said.append(_nature(serial))
        said.append(f"{_winner(measured, serial)} {_why(measured, serial, size)}")
        if not _waits(serial):
            said.extend(_gil(measured, serial, size))
    said.extend(_inline_or_hybrid(measured))
    said.extend(_price_of_the_crawler(measured))
    return said


def _waits(serial: Row) -> bool:
    return serial.busy < 0.5


def _nature(serial: Row) -> str:
    computing = min(1.0, serial.busy)
    if _waits(serial):
        return f"Done serially, {1 - computing:.0%} of the time is waiting: this is work that waits."
    return f"Done serially, {computing:.0%} of the time is computing: this is work that computes."


def _winner(measured: Measured, serial: Row) -> str:
    best = measured.best
    if best.model == SERIAL:
        sentence = f"Nothing is faster than {SERIAL} ({best.wall:.2f} s)"
    else:
        sentence = f"Fastest: {best.model}, {_times(serial.wall / best.wall)} as fast as {SERIAL}"
        sentence += f" ({best.wall:.2f} s against {serial.wall:.2f} s)"
    level = [row.model for row in measured.rows if row is not best and row.wall <= best.wall * LEVEL]
    return f"{sentence}; level with it within 10 %: {', '.join(level)}." if level else f"{sentence}."


def _why(measured: Measured, serial: Row, size: Size) -> str:
    best, processes = measured.best.model, measured.row(PROCESSES)
    if _waits(serial) and best not in _WAITS_IN_FEW:
        sentence = f"It waits for up to {size.concurrency} pages at once"
        if processes:
            gain = _times(serial.wall / processes.wall)
            sentence += f"; {size.workers} blocking processes wait for {size.workers} and come to {gain}"
        return f"{sentence}."
    if not _waits(serial) and best in _COMPUTES_IN_MANY:
        return f"It computes in {size.workers} processes, each with a GIL of its own."
    if not _waits(serial):
        return "Pages cost more to send to other processes here than other cores gain, or no other core was free."
    return "Waiting does not explain that: something else was busy."


def _gil(measured: Measured, serial: Row, size: Size) -> list[str]:
    threads = measured.row(THREADS)
    if threads is None:
        return []
    gain = serial.wall / threads.wall
    if gain < LEVEL:
        return [f"{size.workers} threads come to {_times(gain)}: they take turns at one GIL."]
    said = f"{size.workers} threads come to {_times(gain)}: what lets go of the GIL, such as hashing, overlaps"
    return [f"{said}, the rest takes turns."]


def _inline_or_hybrid(measured: Measured) -> list[str]:
    """Compare by time, and by what the loop's own process must bear: that is what stays when machines are larger."""
    alone, hybrid = measured.row(ALONE), measured.row(HYBRID)
    if alone is None or hybrid is None:
        return []
    return [
        f"{_faster(alone, hybrid)}; the hybrid takes {_times(hybrid.cpu / alone.cpu)} the CPU in all, and "
        f"{_times(hybrid.own / alone.own)} of it in the loop's own process."
    ]


def _faster(alone: Row, hybrid: Row) -> str:
    if max(alone.wall, hybrid.wall) <= LEVEL * min(alone.wall, hybrid.wall):
        return "One loop that does everything and the hybrid are level"
    if alone.wall < hybrid.wall:
        return f"One loop that does everything beats the hybrid, {_times(hybrid.wall / alone.wall)} as fast"
    return f"The hybrid beats one loop that does everything, {_times(alone.wall / hybrid.wall)} as fast"


def _price_of_the_crawler(measured: Measured) -> list[str]:
    crawler, hybrid = measured.row(CRAWLER), measured.row(HYBRID)
    if crawler is None or hybrid is None:
        return []
    return [
        f"The crawler takes {_times(crawler.wall / hybrid.wall)} the bare hybrid's time and "
        f"{_times(crawler.cpu / hybrid.cpu)} its CPU, for a frontier, a database that survives a kill, "
        f"a page log and a report."
    ]


def batches(costs: Costs) -> str:
    """Say what batches gain."""
    one, most = costs.hops[0], costs.hops[-1]
    return (
        f"Sent one by one, a page of {one.size / 1000:.0f} KB costs the sender {one.here:.0f} µs of CPU; in batches of "
        f"up to {most.most}, {most.here:.0f} µs: {_times(one.here / most.here)} less, because the task, the wake-up "
        f"of a thread on each side and the future are paid for once a batch."
    )


def rules_of_thumb(costs: Costs) -> list[str]:
    """Say what to send to a process and what to do where it is."""
    hop = costs.hops[-1]
    return [
        f"Send a page to a process if reading it costs more CPU than sending it, {hop.whole:.0f} µs on both sides "
        f"({hop.here:.0f} here, {hop.there:.0f} there); if it costs less than {hop.here:.0f} µs, even the loop loses.",
        _advice(costs.page, hop),
        _advice(costs.tiny, costs.tiny_hop),
    ]


def _advice(reading: float, hop: Hop) -> str:
    size = f"{hop.size / 1000:.0f} KB" if hop.size >= 1000 else f"{hop.size} bytes"
    facts = f"A page of {size} costs {reading:.0f} µs to read and {hop.whole:.0f} µs ({hop.here:.0f} here) to send"
    if reading < hop.here:
        return f"{facts}: read it on the loop."
    if reading < hop.whole:
        return f"{facts}: read it on the loop, unless the loop is full and another core is idle."
    return f"{facts}: send it, if there is a core to send it to."


def _times(ratio: float) -> str:
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×" if ratio >= 2 else f"{ratio:.2f} ×"
