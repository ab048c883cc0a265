"""What a person may have to do something about: problems by cause, and what was known and not crawled."""

from __future__ import annotations

from markupsafe import Markup

from crawler.core.outcomes import Outcome, State
from crawler.report.figures import count, plural
from crawler.report.page.section import code, section, shown, table
from crawler.report.pictures.columns import join
from crawler.report.problems import advice
from crawler.report.report import Problem, Report

_MEANINGS = {outcome.value: outcome.meaning for outcome in Outcome}
_SKIPPED = {outcome.value for outcome in Outcome if outcome.state is State.SKIPPED}


def problems(report: Report) -> Markup:
    """List the causes of failure, how often each, an example, and what can be done."""
    if not report.problems:
        return Markup()
    failed = f"{plural(report.failed, 'URL')} failed for {plural(len(report.problems), 'cause')}"
    listed = join([_problem(problem) for problem in report.problems])
    return section("problems", "Problems by cause", f"{failed}.", Markup('<ol class="problems">{}</ol>').format(listed))


def _problem(problem: Problem) -> Markup:
    lines = [("for example", code(problem.example))]
    if problem.detail:
        lines.append(("in detail", shown(problem.detail)))
    if todo := advice(problem):
        lines.append(("what to do", _with_names(todo)))
    told = join([Markup("<dt>{}</dt><dd>{}</dd>").format(name, line) for name, line in lines])
    status = f"{problem.status} " if problem.status else ""
    return Markup("<li><h3>{} &times; {}{}</h3><p>{}</p><dl>{}</dl></li>").format(
        count(problem.count),
        status,
        shown(problem.outcome, 40),
        _MEANINGS.get(problem.outcome, ""),
        told,
    )


def _with_names(sentence: str) -> Markup:
    """Write the names between backticks as such."""
    return join(
        [code(part) if number % 2 else Markup("{}").format(part) for number, part in enumerate(sentence.split("`"))]
    )


def skipped(report: Report) -> Markup:
    """List why known URLs were not crawled."""
    reasons = sorted(
        ((number, name) for name, number in report.totals.by_outcome.items() if name in _SKIPPED and number),
        reverse=True,
    )
    if not reasons:
        return Markup()
    rows = [(code(name), _MEANINGS[name], count(number)) for number, name in reasons]
    total = sum(number for number, _ in reasons)
    return section(
        "skipped",
        "Known, but not crawled",
        f"{plural(total, 'URL')}, for the reasons below.",
        table(("reason", "meaning", "URLs"), rows, words=2),
    )
