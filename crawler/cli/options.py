"""The table of options: which flag sets which setting.

An option of a setting has no help text, default or bounds here: they are those of the setting in ``crawler.config``,
so that nothing is described twice.
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from crawler.config import UNLIMITED_DEPTH, Config, description_of, unit_of
from crawler.units import quantity

SHORT_CHOICES = 12
"""Characters up to which the values of a choice stand beside the flag; longer ones stand in its help."""


class Option(Struct, frozen=True):
    """A flag, and what it sets: a setting, or something that only the command line has."""

    flags: tuple[str, ...]
    target: str
    """``section.name`` of a setting, or a plain name."""
    metavar: str = ""
    about: str = ""
    """Help, for options without a setting."""
    takes: Literal["value", "list", "flag", "count", "percent", "number"] = "value"

    @property
    def annotation(self) -> Any:
        """The type of its setting, with bounds and description; None without one."""
        section, _, name = self.target.partition(".")
        return _fields(_fields(Config)[section].type)[name].type if name else None

    @property
    def default(self) -> Any:
        """The default of its setting in the library; None without one."""
        section, _, name = self.target.partition(".")
        return getattr(getattr(Config(), section), name) if name else None

    @property
    def choices(self) -> tuple[str, ...]:
        """The values it takes, if they are a closed list."""
        base = base_of(self.annotation)
        return get_args(base) if get_origin(base) is Literal else ()


@cache
def _fields(section: Any) -> dict[str, Any]:
    return {field.name: field for field in msgspec.structs.fields(section)}


def base_of(annotation: Any) -> Any:
    """Return the bare type of an annotated one."""
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _set(flags: str, target: str, metavar: str = "", takes: Literal["value", "list", "flag"] = "value") -> Option:
    return Option(tuple(flags.split()), target, metavar, takes=takes)


GROUPS: dict[str, tuple[Option, ...]] = {
    "what to crawl": (
        _set("--scope", "scope.rule", "RULE"),
        _set("--include", "scope.include", "RE", "list"),
        _set("--exclude", "scope.exclude", "RE", "list"),
        _set("--max-depth --depth", "scope.max_depth", "N"),
        _set("--assets", "parse.assets", takes="flag"),
    ),
    "how gently": (
        _set("--delay", "politeness.delay", "SECONDS"),
        _set("--per-host", "politeness.per_host", "N"),
        _set("--robots", "politeness.robots"),
        _set("--user-agent", "fetch.user_agent", "TEXT"),
        _set("--contact", "fetch.contact", "TEXT"),
        _set("--allow-private", "fetch.allow_private", "WHICH"),
        _set("--ca-file", "fetch.ca_file", "PEM"),
    ),
    "how fast and how long": (
        _set("--concurrency", "fetch.concurrency", "N"),
        _set("--parse-workers", "parse.workers", "N"),
        _set("--write-threads", "store.write_threads", "N"),
        _set("--max-pages", "limits.max_pages", "N"),
        _set("--max-bytes", "limits.max_bytes", "SIZE"),
        _set("--max-time", "limits.max_time", "DURATION"),
    ),
    "what to keep": (
        Option(("-o", "--out"), "out", "DIR", "Folder for the results and the state."),
        _set("--archive", "store.archive"),
        _set("--mirror", "store.mirror", takes="flag"),
        _set("--durability", "store.durability"),
        Option(("--fresh",), "fresh", about="Move an earlier run in the folder aside and begin anew.", takes="flag"),
    ),
    "how it is told": (
        Option(("--config",), "config", "FILE", "Settings in TOML; config/default.toml explains them all."),
        Option(
            ("--fail-on",), "fail_on", "PERCENT", "Exit with 4 if more of the pages failed than this.", takes="percent"
        ),
        Option(("--json",), "json", about="Print the report as JSON.", takes="flag"),
        Option(("-q", "--quiet"), "quiet", about="Print nothing unless something is wrong.", takes="flag"),
        Option(("-v", "--verbose"), "verbose", about="Say more on standard error; twice for all.", takes="count"),
    ),
    "what to extract": (
        _set("--text", "parse.text", takes="flag"),
        _set("--main-text", "parse.main_text", takes="flag"),
        _set("--markdown", "parse.markdown", takes="flag"),
        _set("--metadata", "parse.metadata", takes="flag"),
        _set("--extract", "parse.extract", "MODULE:FUNCTION"),
    ),
    "before, again and every night": (
        Option(
            ("--dry-run",), "dry_run", about="Say what this run would do; fetch nothing but robots.txt.", takes="flag"
        ),
        Option(("--rebuild",), "rebuild", about="Make a damaged state anew from the folder's archive.", takes="flag"),
        Option(("--recrawl",), "recrawl", about="Crawl a folder that is complete once more, all of it.", takes="flag"),
        Option(("--since-last",), "since_last", about="Crawl it once more, but only what is due.", takes="flag"),
        _set("--sitemaps", "scope.sitemaps", takes="flag"),
        _set("--max-disk", "limits.max_disk", "SIZE"),
        _set("--snapshot-to", "snapshot.to", "URL"),
        Option(("--serve",), "serve", "HOST:PORT", "Show the crawl while it runs: a page, /metrics and /healthz."),
        Option(("--metrics-file",), "metrics_file", "PATH", "Keep Prometheus metrics there, for the node exporter."),
        Option(("--log",), "log", "FILE", "Add a line to this file for each run, however it ends."),
    ),
    "by which HTTP client": (_set("--client", "fetch.client", "WHICH"),),
    "on several machines": (
        Option(("--cluster",), "cluster", "WHERE", "Share the crawl, on Ray: local, auto or ray://HOST:PORT."),
        Option(("--shards",), "shards", "N", "Among so many; else as many as before, or as suit it.", takes="number"),
    ),
}
FURTHER = frozenset({"what to extract", "before, again and every night", "by which HTTP client", "on several machines"})
"""Groups that are shown when all options are asked for: the help of the main job is to fit one screen."""
OPTIONS = tuple(option for group in GROUPS.values() for option in group)


def read_value(option: Option, text: str) -> Any:
    """Turn what was typed after a flag into its value.

    Raises:
        ValueError: with a sentence that says what would be right.
    """
    if option.takes == "percent":
        return _percent(text)
    if option.takes == "number":
        return _number(text)
    if option.annotation is None or option.takes == "list":
        return text
    unit = unit_of(option.annotation)
    if unit:
        value = quantity(text, unit)
        return int(value) if unit == "bytes" else value
    if option.choices:
        return _choice(text, option.choices)
    try:
        return msgspec.convert(text, option.annotation, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(_out_of_bounds(option, text)) from error


def _choice(text: str, choices: tuple[str, ...]) -> str:
    if text in choices:
        return text
    near = difflib.get_close_matches(text, choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{text!r} is not {one_of(choices)}{hint}")


def _out_of_bounds(option: Option, text: str) -> str:
    if base_of(option.annotation) is str:
        return "must not be empty"
    least = next(meta.ge for meta in option.annotation.__metadata__ if meta.ge is not None)
    return f"{text!r} is not a whole number of {least} or more"


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise ValueError(f"{text!r} is not a percentage from 0 to 100")
    return percent


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ValueError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def one_of(choices: tuple[str, ...]) -> str:
    """Write ``full or normal``, ``page, prefix or host``."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def help_of(option: Option, default: Any) -> str:
    """Return one line of help: the first sentence of the setting's description, its values and its default."""
    about = option.about or description_of(option.annotation).partition(". ")[0]
    if option.choices and not _beside(option):
        about = f"{about.rstrip('.')}: {one_of(option.choices)}"
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    nothing = not default or default == UNLIMITED_DEPTH or isinstance(default, tuple)
    return about.rstrip(".") if nothing else f"{about.rstrip('.')} [{shown}]"


def metavar_of(option: Option) -> str:
    """Return what stands beside the flag in the help."""
    return "|".join(option.choices) if _beside(option) else option.metavar


def _beside(option: Option) -> bool:
    return bool(option.choices) and (not option.metavar or len("|".join(option.choices)) <= SHORT_CHOICES)
