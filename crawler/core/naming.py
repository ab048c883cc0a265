"""The words of a verdict, kind by kind: a sentence, its evidence, and what would change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crawler.core.bottleneck import Bottleneck, Verdict, gain, halved
from crawler.core.evidence import Blamed, Cause, Evidence

Shares = Mapping[Bottleneck, float]
_WORTH = 1.15
"""A gain below this is not worth a change, nor a promise."""
_NAMED_HOSTS = 2
_MINOR = 0.15
"""A share below this is not told."""


def _politeness(evidence: Evidence, shares: Shares) -> Verdict:
    share = shares[Bottleneck.POLITENESS]
    hosts = evidence.hosts.get(Cause.DELAY, ())
    who = _hosts(hosts)
    delay = f" ({_seconds(hosts[0].delay)} delay)" if hosts else ""
    asked = hosts and hosts[0].robots_delay is not None and hosts[0].robots_delay >= hosts[0].delay
    more = gain(evidence, halved(share))
    promise = f"twice as many hosts {_times(more)}"
    other = "its robots.txt asks for that delay" if asked else "so would half the delay"
    return Verdict(
        kind=Bottleneck.POLITENESS,
        sentence=f"Bottleneck: politeness of {who}{delay}: {_percent(share)} of the time no host was due",
        evidence=f"{evidence.used.ready / max(1e-9, evidence.used.samples):.1f} hosts were ready on average, and "
        f"{evidence.fetching:.1f} of {evidence.rules.concurrency} slots taken.",
        counterfactual=f"More concurrency will not help; {promise}, and {other}."
        if not asked
        else f"More concurrency will not help; {promise}. {_first_upper(other)}.",
        gain=more,
        short=f"politeness of {who} {_percent(share)}",
        shares=shares,
    )


def _throttling(evidence: Evidence, shares: Shares) -> Verdict:
    share = shares[Bottleneck.THROTTLING]
    hosts = evidence.hosts.get(Cause.HOLD, ())
    who, asked = _hosts(hosts), evidence.used.rate_limited
    why = "it asked to be left alone" if asked else "it did not answer, and is tried again after a pause"
    counts = f"{asked:.0f} of {evidence.used.requests:.0f} answers were 429 or 503"
    return Verdict(
        kind=Bottleneck.THROTTLING,
        sentence=f"Bottleneck: {'throttling by' if asked else 'failures of'} {who}: "
        f"{_percent(share)} of the time {why}",
        evidence=f"{counts}; {evidence.fetching:.1f} of {evidence.rules.concurrency} slots were taken on average.",
        counterfactual="More concurrency will not help, and may make it worse; a longer delay, or more hosts, may help."
        if asked
        else "More concurrency will not help; that it answers again, or more hosts, will.",
        short=f"{'throttling' if asked else 'failures'} of {who} {_percent(share)}",
        shares=shares,
    )


def _latency(evidence: Evidence, shares: Shares) -> Verdict:
    share, rules, causes = shares[Bottleneck.LATENCY], evidence.rules, evidence.causes()
    each = evidence.slot_time / max(1.0, evidence.used.requests)
    parts = {
        "waiting for the first byte": evidence.used.first_byte,
        "connecting": evidence.used.connect,
        "looking up names": evidence.used.dns,
    }
    part = max(parts, key=lambda one: parts[one])
    whole = f"{_percent(parts[part] / max(1e-9, evidence.slot_time))} of a fetch of {_seconds(each)} was {part}"
    by_host = causes[Cause.PLACES] > causes[Cause.SLOTS]
    by_address = causes[Cause.ADDRESSES] > max(causes[Cause.PLACES], causes[Cause.SLOTS])
    if by_address:
        limit = f"{rules.per_address} at a time per IP address"
        more = gain(evidence, halved(share))
        change = f"a politeness.per_address of {2 * rules.per_address}, if these hosts are yours,"
    elif by_host:
        limit = f"{rules.per_host} at a time per host"
        more = gain(evidence, halved(share))
        change = "twice as many requests at a time per host, or twice as many hosts,"
    else:
        limit = f"{rules.concurrency} requests at a time"
        room = 1.0 + evidence.used.spare / max(1e-9, evidence.used.samples) / rules.concurrency
        more = gain(evidence, min(halved(share), room), Bottleneck.LATENCY)
        change = f"a concurrency of {2 * rules.concurrency}"
    places = "the places at the addresses of" if by_address else "the places of"
    where = f"{places} all hosts with URLs were taken" if by_address or by_host else "all slots were taken"
    return Verdict(
        kind=Bottleneck.LATENCY,
        sentence=f"Bottleneck: remote latency at {limit}: {_percent(share)} of the time {where}, waiting for answers",
        evidence=f"{_first_upper(whole)}; the event loop was busy {_percent(evidence.loop_busy)} of the time.",
        counterfactual=f"{_first_upper(change)} {_times(more)}."
        if more >= _WORTH
        else "More concurrency alone will not help: no other host was ready to be asked.",
        gain=more if more >= _WORTH else 0.0,
        short=f"remote latency {_percent(share)}",
        shares=shares,
    )


def _wire(evidence: Evidence, shares: Shares) -> Verdict:
    used, share = evidence.used, shares[Bottleneck.WIRE]
    each = used.bytes / used.body if used.body else 0.0
    return Verdict(
        kind=Bottleneck.WIRE,
        sentence=f"Bottleneck: the wire: {_percent(share)} of the time the slots were taken by bodies still arriving",
        evidence=f"{_size(used.bytes / evidence.used_time)}/s in all, {_size(each)}/s each; "
        f"{_percent(used.body / max(1e-9, evidence.slot_time))} of a fetch was its body.",
        counterfactual="More parse workers or a faster disk will not help; a faster line will if the line is full, "
        "more concurrency only if each server limits its connections.",
        short=f"the wire {_percent(share)}",
        shares=shares,
    )


def _loop(evidence: Evidence, shares: Shares) -> Verdict:
    used, time = evidence.used, evidence.used_time
    ran, threads, starved = used.loop_cpu / time, (used.main_cpu - used.loop_cpu) / time, used.loop_starved / time
    blocked = evidence.loop_busy - ran - max(0.0, threads) - starved
    rest = {
        "other threads of the process ran": threads,
        "it found no core": starved,
        "something blocked it": blocked,
    }
    more = "".join(f", {what} {_percent(part)}" for what, part in rest.items() if part > _MINOR)
    remedy = "a second crawl beside this one, with half of the hosts, will if a core is free"
    if evidence.rules.leaner:
        remedy = f"--client lean takes less of the loop for each page, and {remedy}"
    return Verdict(
        kind=Bottleneck.LOOP,
        sentence=f"Bottleneck: the event loop: it was busy {_percent(evidence.loop_busy)} of the time",
        evidence=f"Its thread ran {_percent(ran)} of the time, {1e3 * used.loop_cpu / max(1.0, used.pages):.2f} ms "
        f"a page{more}; the parse workers were busy {_percent(evidence.pool_busy)}.",
        counterfactual="More concurrency or parse workers will not help; "
        + ("what blocks the loop belongs into a thread." if blocked > ran else f"{remedy}."),
        short=f"the event loop {_percent(evidence.loop_busy)}",
        shares=shares,
    )


def _cores(evidence: Evidence, shares: Shares) -> Verdict:
    share, rules = shares[Bottleneck.CORES], evidence.rules
    ran, starved = evidence.used.loop_cpu / evidence.used_time, evidence.used.loop_starved / evidence.used_time
    others = max(0.0, rules.cores - evidence.cores_free - evidence.cores_used)
    return Verdict(
        kind=Bottleneck.CORES,
        sentence=f"Bottleneck: too few cores: {_percent(share)} of the time is lost to waiting for one",
        evidence=f"The event loop ran {_percent(ran)} of the time and was ready to run, but found no core, "
        f"{_percent(starved)}; of {rules.cores} cores the crawl had {evidence.cores_used:.1f} "
        f"and other programs {others:.1f}.",
        counterfactual="No setting will help; free cores will.",
        short=f"too few cores {_percent(share)}",
        shares=shares,
    )


def _parse(evidence: Evidence, shares: Shares) -> Verdict:
    return _workers(evidence, shares, Bottleneck.PARSE)


def _extract(evidence: Evidence, shares: Shares) -> Verdict:
    return _workers(evidence, shares, Bottleneck.EXTRACT)


def _workers(evidence: Evidence, shares: Shares, kind: Bottleneck) -> Verdict:
    used, rules = evidence.used, evidence.rules
    share = shares.get(Bottleneck.PARSE, 0.0) + shares.get(Bottleneck.EXTRACT, 0.0)
    more = gain(evidence, halved(share), Bottleneck.PARSE)
    workers = f"{rules.workers} parse {_plural('worker', rules.workers)}"
    got = used.parse_cpu / max(1e-9, used.parse_ran)
    starved = f", and had a core for {_percent(got)} of that" if got < 1 - _MINOR else ""
    extract = evidence.extract_share
    theirs = f", {_percent(extract)} of it in the extract function" if extract >= _MINOR else ""
    if more >= _WORTH:
        promise = f"{2 * rules.workers} workers instead of {rules.workers} {_times(more)}"
    else:
        promise = f"More workers will not help, more cores would: {evidence.cores_free:.1f} of {rules.cores} are free"
    if kind is Bottleneck.EXTRACT:
        faster = gain(evidence, halved(share * extract), Bottleneck.PARSE)
        promise += f", and a function that takes half as long {_times(faster)}" if faster >= _WORTH else ""
        workers = f"the extract function, in {workers}"
    return Verdict(
        kind=kind,
        sentence=f"Bottleneck: {workers}: {_percent(share)} of the time fetching had to wait for them",
        evidence=f"They worked {_percent(evidence.pool_busy)} of the time{starved}, "
        f"{1e3 * used.parse_ran / max(1.0, used.pages):.1f} ms a page{theirs}; "
        f"the event loop was busy {_percent(evidence.loop_busy)}.",
        counterfactual=f"{promise}.",
        gain=more if more >= _WORTH else 0.0,
        short=f"{'extract' if kind is Bottleneck.EXTRACT else 'parse workers'} {_percent(share)}",
        shares=shares,
    )


def _journal(evidence: Evidence, shares: Shares) -> Verdict:
    used, share = evidence.used, shares[Bottleneck.JOURNAL]
    disk = min(1.0, used.synced / max(1e-9, used.commit_ran + used.journal_other))
    each = used.commit_ran / max(1.0, used.commits)
    more = gain(evidence, halved(share * disk), Bottleneck.JOURNAL)
    return Verdict(
        kind=Bottleneck.JOURNAL,
        sentence=f"Bottleneck: the journal: {_percent(share)} of the time fetching had to wait for commits",
        evidence=f"It was busy {_percent(evidence.journal_busy)} of the time, {_percent(disk)} of that in waiting for "
        f"the disk; a commit of {used.committed / max(1.0, used.commits):.0f} pages took {_seconds(each)}.",
        counterfactual="More concurrency or parse workers will not help; a disk that syncs twice as fast "
        f"{_times(more)}."
        if more >= _WORTH
        else "More concurrency or parse workers will not help; nor will a faster disk: its work is CPU time.",
        gain=more if more >= _WORTH else 0.0,
        short=f"the journal {_percent(share)}",
        shares=shares,
    )


def _mirror(evidence: Evidence, shares: Shares) -> Verdict:
    share, ran = shares[Bottleneck.MIRROR], evidence.used.mirror_ran
    return Verdict(
        kind=Bottleneck.MIRROR,
        sentence=f"Bottleneck: mirror files: {_percent(share)} of the time fetching had to wait for their disk",
        evidence=f"A file took {_seconds(ran / max(1.0, evidence.used.pages))}.",
        counterfactual="More concurrency will not help; no mirror, a faster disk, or more store.write_threads may.",
        short=f"mirror files {_percent(share)}",
        shares=shares,
    )


def _caller(evidence: Evidence, shares: Shares) -> Verdict:
    share = shares[Bottleneck.CALLER]
    return Verdict(
        kind=Bottleneck.CALLER,
        sentence=f"Bottleneck: the program that takes the pages: {_percent(share)} of the time they waited for it",
        evidence=f"It took {evidence.used.pages / evidence.used_time:.1f} pages a second.",
        counterfactual="No setting of the crawl will help; a caller that takes them faster will.",
        short=f"the caller {_percent(share)}",
        shares=shares,
    )


def _few(evidence: Evidence, shares: Shares) -> Verdict:
    share = shares[Bottleneck.FEW_URLS]
    more = gain(evidence, halved(share))
    return Verdict(
        kind=Bottleneck.FEW_URLS,
        sentence=f"Bottleneck: too few URLs: {_percent(share)} of the time none was waiting to be fetched",
        evidence=f"{evidence.fetching:.1f} of {evidence.rules.concurrency} slots were taken on average: "
        "the next URLs had still to be found in those pages.",
        counterfactual=f"More concurrency or workers will not help; twice as many seeds as far apart {_times(more)}."
        if more >= _WORTH
        else "More concurrency will not help; more seeds would, but other limits are near.",
        gain=more if more >= _WORTH else 0.0,
        short=f"too few URLs {_percent(share)}",
        shares=shares,
    )


NAMERS: dict[Bottleneck, Callable[[Evidence, Shares], Verdict]] = {
    Bottleneck.POLITENESS: _politeness,
    Bottleneck.THROTTLING: _throttling,
    Bottleneck.LATENCY: _latency,
    Bottleneck.WIRE: _wire,
    Bottleneck.LOOP: _loop,
    Bottleneck.CORES: _cores,
    Bottleneck.PARSE: _parse,
    Bottleneck.EXTRACT: _extract,
    Bottleneck.JOURNAL: _journal,
    Bottleneck.MIRROR: _mirror,
    Bottleneck.CALLER: _caller,
    Bottleneck.FEW_URLS: _few,
}
"""Who finds the words for which kind."""


def mixed(evidence: Evidence, shares: Shares, full: Shares) -> Verdict:
    """Name all that bounds a crawl of which no one thing has most of the time.

    Args:
        evidence: what it is said of.
        shares: of the time, by kind.
        full: resources besides the first kind that would be full as soon as that is relieved, with their utilisation.
    """
    told = [f"{kind} {_percent(share)}" for kind, share in shares.items() if share >= _MINOR]
    near = [f"{kind} busy {_percent(part)}" for kind, part in full.items() if shares.get(kind, 0.0) < _MINOR]
    first, share = next(iter(shares.items()))
    most = gain(evidence, 1.0 / max(1e-3, 1.0 - share), first)
    return Verdict(
        kind=Bottleneck.MIXED,
        sentence=f"Bottleneck: mixed: {', '.join([*told, *near])}",
        evidence="Shares of the time for which each kept the next page from being started.",
        counterfactual=f"No one change does it: without anything of {first} it would be {_times(most)} at most.",
        short=f"mixed: {', '.join([*told, *near][:2])}",
        shares=shares,
    )


def _hosts(hosts: tuple[Blamed, ...]) -> str:
    named = [one.host.removeprefix("https://").removeprefix("http://") for one in hosts]
    if len(named) <= _NAMED_HOSTS:
        return " and ".join(named) or "its hosts"
    return f"{', '.join(named[:_NAMED_HOSTS])} and others"


def _times(gain: float) -> str:
    return f"≈ {gain:.1f} ×"  # noqa: RUF001  the sign that is meant


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"


def _size(number: float) -> str:
    return f"{number / 2**20:.1f} MiB" if number >= 2**20 else f"{number / 2**10:.0f} KiB"


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
