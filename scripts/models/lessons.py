"""What the figures say, in sentences. All of it follows from the figures given: nothing is known beforehand.

A difference of a tenth or less is no difference here; the machine's other load makes as much.
"""

from __future__ import annotations

import math

from scripts.models.figures import (
    ALONE,
    CRAWLER,
    HYBRID,
    INLINE,
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


def lessons(measured: Measured, size: Size, cores: int) -> list[str]:
    """Say what a work is bound by, which model won and why, and what the others teach."""
    serial, said = measured.row(SERIAL), []
    if serial:
        said.append(_nature(serial))
        said.append(f"{_winner(measured, serial)} {_why(measured, serial, size)}")
        if not _waits(serial):
            said.extend(_gil(measured, serial))
    said.extend(_inline_or_hybrid(measured))
    said.extend(_price_of_the_crawler(measured))
    said.extend(_crawler_inline(measured))
    said.extend(_others(measured, cores))
    return said


def seconds(value: float) -> str:
    """Write a duration."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _waiting(serial: Row) -> float:
    """Return the share of the time in which one thread had nothing to compute; waiting for a core is not that."""
    return max(0.0, 1 - serial.busy - serial.held_up)


def _waits(serial: Row) -> bool:
    return _waiting(serial) > 0.5


def _nature(serial: Row) -> str:
    waiting = _waiting(serial)
    if _waits(serial):
        return f"Done serially, {waiting:.0%} of the time is waiting: this is work that waits."
    return f"Done serially, only {waiting:.0%} of the time is waiting: this is work that computes."


def _others(measured: Measured, cores: int) -> list[str]:
    most = max((row.others(cores) for row in measured.rows), default=0.0)
    if most < LEVEL - 1:
        return []
    return [f"Other programs took up to {most:.0%} of the cores: take the times with care, and go by the CPU."]


def _winner(measured: Measured, serial: Row) -> str:
    best = measured.best
    if best.model == SERIAL:
        sentence = f"Nothing is faster than {SERIAL} ({seconds(best.wall)})"
    else:
        sentence = f"Fastest: {best.model}, {_times(serial.wall / best.wall)} as fast as {SERIAL}"
        sentence += f" ({seconds(best.wall)} against {seconds(serial.wall)})"
    level = [row.model for row in measured.rows if row is not best and row.wall <= best.wall * LEVEL]
    return f"{sentence}; level with it within 10 %: {', '.join(level)}." if level else f"{sentence}."


def _why(measured: Measured, serial: Row, size: Size) -> str:
    best = measured.best.model
    if _waits(serial):
        return _why_waiting(measured, serial, size)
    if best in _COMPUTES_IN_MANY:
        return f"It computes in processes ({size.workers}), each with a GIL of its own."
    return "Pages cost more to send to other processes here than other cores gain, or no other core was free."


def _why_waiting(measured: Measured, serial: Row, size: Size) -> str:
    processes = measured.row(PROCESSES)
    if measured.best.model in _WAITS_IN_FEW:
        return "Waiting does not explain that: something else was busy."
    least = math.ceil(measured.pages / size.concurrency) * measured.latency
    sentence = f"It waits for up to {size.concurrency} pages at once, which takes {seconds(least)} at the least"
    if processes:
        gain = _times(serial.wall / processes.wall)
        sentence += f"; processes that block ({size.workers}) wait for no more than they are, and come to {gain}"
    return f"{sentence}."


def _gil(measured: Measured, serial: Row) -> list[str]:
    threads = measured.row(THREADS)
    if threads is None or measured.threads < 2:
        return []
    gain = serial.wall / threads.wall
    said = f"{measured.threads} threads are {_times(gain)} as fast as one"
    if gain < LEVEL:
        return [f"{said}: they take turns at one GIL."]
    return [f"{said}: what lets go of the GIL, such as hashing, overlaps, the rest takes turns."]


def _inline_or_hybrid(measured: Measured) -> list[str]:
    """Compare by time, and by what the loop's own process must bear: that is what stays when machines are larger."""
    alone, hybrid = measured.row(ALONE), measured.row(HYBRID)
    if alone is None or hybrid is None:
        return []
    whole, own = _times(hybrid.cpu / alone.cpu), _times(hybrid.own / alone.own)
    return [f"{_faster(alone, hybrid)}; the hybrid takes {whole} the CPU in all, and {own} in the loop's own process."]


def _faster(alone: Row, hybrid: Row) -> str:
    if max(alone.wall, hybrid.wall) <= LEVEL * min(alone.wall, hybrid.wall):
        thrifty = "one loop" if alone.cpu <= hybrid.cpu else "the hybrid"
        return f"One loop that does everything and the hybrid are level in time, and {thrifty} is cheaper"
    if alone.wall < hybrid.wall:
        return f"One loop that does everything beats the hybrid, {_times(hybrid.wall / alone.wall)} as fast"
    return f"The hybrid beats one loop that does everything, {_times(alone.wall / hybrid.wall)} as fast"


def _price_of_the_crawler(measured: Measured) -> list[str]:
    crawler, hybrid = measured.row(CRAWLER), measured.row(HYBRID)
    if crawler is None or hybrid is None:
        return []
    time, cpu = _times(crawler.wall / hybrid.wall), _times(crawler.cpu / hybrid.cpu)
    price = f"The crawler takes {time} the bare hybrid's time and {cpu} its CPU"
    return [f"{price}, for a frontier, a database that survives a kill, a page log and a report."]


def _crawler_inline(measured: Measured) -> list[str]:
    """Compare the crawler with itself, without worker processes: it gives them up where that is worth a tenth."""
    crawler, inline = measured.row(CRAWLER), measured.row(INLINE)
    if crawler is None or inline is None:
        return []
    time, cpu = _times(inline.wall / crawler.wall), _times(inline.cpu / crawler.cpu)
    said = f"Reading its pages on its own loop, the crawler takes {time} the time and {cpu} the CPU"
    if crawler.wall > LEVEL * inline.wall:
        return [f"{said}: here its worker processes cost more than they gain, but for what a bad page can do."]
    return [f"{said}: it keeps its worker processes."]


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
    one, most = costs.hops[0], costs.hops[-1]
    rule = (
        f"Rule of thumb: a page that takes more than {one.whole:.0f} µs to read is worth a process, and one that takes "
        f"less than {most.whole:.0f} µs is not. In between it pays only with full batches, and those there are only "
        f"where pages wait for workers; a loop that is slower than its workers sends them one by one."
    )
    return [rule, _advice(costs.page, costs.hops), _advice(costs.tiny, costs.tiny_hops)]


def _advice(reading: float, hops: tuple[Hop, ...]) -> str:
    one, most = hops[0], hops[-1]
    size = f"{one.size / 1000:.0f} KB" if one.size >= 1000 else f"{one.size} bytes"
    facts = (
        f"A page of {size} takes {reading:.0f} µs to read, and {most.whole:.0f} (full batches) to {one.whole:.0f} µs"
    )
    if reading < most.whole:
        advice = "read it on the loop"
    elif reading < one.whole:
        advice = "read it on the loop, unless the workers are what is waited for"
    else:
        advice = "send it, if there is a core to send it to"
    return f"{facts} (one by one) to send: {advice}."


def _times(ratio: float) -> str:
    digits = 0 if ratio >= 10 else 1 if ratio >= 2 else 2
    return f"{ratio:.{digits}f} times"
