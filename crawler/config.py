"""Settings: one class per concern, each setting described once, here.

The command line's help, ``config/default.toml`` and the docs are made from these descriptions or tested against them.
A component is given its own section, never the whole.
Durations are seconds and sizes are bytes; a TOML file may also write them as ``"15m"`` and ``"10MiB"``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from crawler.errors import ConfigError
from crawler.units import quantity

UNLIMITED_DEPTH = -1

Seconds = Annotated[float, Meta(ge=0, extra={"unit": "seconds"})]
Bytes = Annotated[int, Meta(ge=0, extra={"unit": "bytes"})]
Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]


SECRET = Meta(extra={"secret": True})
"""Marks a setting that no log, message or traceback may show."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings that belong to one concern; shown without its secrets."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return each setting, a secret one without what it is set to."""
        fields = [(field, getattr(self, field.name)) for field in msgspec.structs.fields(self)]
        return [(field.name, _hidden(value) if is_secret(field.type) else value) for field, value in fields]

    def __repr__(self) -> str:
        """Write the settings as Python would, secrets hidden."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def about(text: str) -> Meta:
    """Describe a setting."""
    return Meta(description=text)


class Scope(Section, frozen=True, kw_only=True):
    """Which URLs belong to the crawl."""

    rule: Annotated[
        Literal["page", "prefix", "host", "domain", "any"],
        about("What a seed stands for. Itself, its folder, its host, its registrable domain, or everything."),
    ] = "host"
    include: Annotated[
        tuple[str, ...], about("Regular expressions, one of which a URL must match. Without any, every URL does.")
    ] = ()
    exclude: Annotated[tuple[str, ...], about("Regular expressions; a URL that matches one is not crawled.")] = ()
    max_depth: Annotated[
        int,
        Meta(ge=UNLIMITED_DEPTH),
        about("Links to follow from a seed, at most; 0 is the seeds alone. -1 is no limit."),
    ] = UNLIMITED_DEPTH
    max_url_length: Annotated[AtLeastOne, about("Characters of a URL, at most.")] = 8192
    sitemaps: Annotated[
        bool, about("Follow the sitemaps that robots.txt names. Those that are seeds are read in any case.")
    ] = False


class Traps(Section, frozen=True, kw_only=True):
    """When a site that has no end is no longer followed."""

    path_depth: Annotated[AtLeastOne, about("Path segments of a URL, at most.")] = 24
    repeated_segment: Annotated[AtLeastOne, about("Times that one path segment may occur in a URL.")] = 4
    query_parameters: Annotated[AtLeastOne, about("Parameters in the query of a URL, at most.")] = 32
    pages_per_host: Annotated[Count, about("URLs queued per host, at most; 0 is no limit.")] = 0


class Politeness(Section, frozen=True, kw_only=True):
    """How gently one host is treated."""

    delay: Annotated[Seconds, about("Seconds from one request to a host to the next.")] = 1.0
    per_host: Annotated[AtLeastOne, about("Requests in flight at one host, at most; fewer when it slows down.")] = 1
    per_address: Annotated[
        Count,
        about("Requests in flight at one IP address, at most, or per_host where that is more; 0 is no limit."),
    ] = 16
    robots: Annotated[Literal["obey", "ignore"], about("Whether robots.txt (RFC 9309) is obeyed.")] = "obey"
    max_crawl_delay: Annotated[Seconds, about("A longer Crawl-delay in robots.txt is cut to this.")] = 60.0
    max_retry_after: Annotated[Seconds, about("A longer Retry-After is cut to this.")] = 3600.0
    robots_ttl: Annotated[Seconds, about("How long a robots.txt is trusted before it is fetched again.")] = 86400.0


class Fetch(Section, frozen=True, kw_only=True):
    """How pages are requested."""

    client: Annotated[
        Literal["aiohttp", "lean"],
        about("Which HTTP client. The lean one takes less CPU and does only what a crawl needs."),
    ] = "aiohttp"
    concurrency: Annotated[Count, about("Requests in flight in all, at most; 0 is found out by the crawl.")] = 64
    user_agent: Annotated[
        str,
        Meta(min_length=1),
        about("What the crawl calls itself. The part before the first slash is its name in robots.txt."),
    ] = "crawler/0.1"
    contact: Annotated[
        str, about("URL or mail address by which a site's owner reaches you. It is added to User-Agent.")
    ] = ""
    headers: Annotated[
        dict[str, str],
        SECRET,
        about("Further request headers. Authorization and Cookie go only to hosts that seeds name."),
    ] = {}
    ca_file: Annotated[str, about("PEM file of certificate authorities to trust besides the system's.")] = ""
    allow_private: Annotated[
        Literal["never", "seeds", "always"],
        about("Private and loopback addresses to fetch. None, those of the hosts that seeds name, or all."),
    ] = "never"
    attempts: Annotated[AtLeastOne, about("Attempts at a URL whose failure may pass.")] = 3
    backoff: Annotated[Seconds, about("Pause before the second attempt; it doubles with each further one.")] = 5.0
    max_backoff: Annotated[Seconds, about("The longest such pause.")] = 300.0
    connect_timeout: Annotated[Seconds, about("Time for name look-up, connection and TLS.")] = 10.0
    head_timeout: Annotated[Seconds, about("Time from the request to the complete header.")] = 20.0
    total_timeout: Annotated[Seconds, about("Time for the whole fetch.")] = 60.0
    lowest_rate: Annotated[Count, about("Bytes a second below which a body is given up; 0 is any.")] = 1024
    lowest_rate_after: Annotated[Seconds, about("Time before the lowest rate counts.")] = 10.0
    max_body: Annotated[Bytes, about("Bytes of a body on the wire, at most.")] = 10 * 1024**2
    memory: Annotated[
        Bytes,
        about("Bytes of bodies held at once, at most, while they come and until they are stored; 0 is no limit."),
    ] = 128 * 1024**2
    redirects: Annotated[Count, about("Redirects in a row, at most.")] = 20


class Login(Section, frozen=True, kw_only=True):
    """What one origin is shown of you, and no other."""

    user: Annotated[str, about("User name of HTTP Basic authentication.")] = ""
    password: Annotated[str, SECRET, about("Its password.")] = ""
    headers: Annotated[
        dict[str, str], SECRET, about("Request headers, such as Authorization or Cookie; none of them is archived.")
    ] = {}
    certificate: Annotated[
        str, about("PEM file of the client certificate, and of those that lead to its authority.")
    ] = ""
    key: Annotated[str, about("PEM file of its private key, where that is not in the same file.")] = ""
    key_password: Annotated[str, SECRET, about("What the private key is encrypted with.")] = ""


class Access(Section, frozen=True, kw_only=True):
    """How the crawl gets in where not everybody may: through a proxy, with log-ins, with client certificates."""

    proxy: Annotated[
        str,
        SECRET,
        about("HTTP proxy that all requests go through, written as http://user:password@host:port."),
    ] = ""
    origins: Annotated[
        dict[str, Login],
        about("What single origins are shown, by scheme, host and port. For each there may be these settings."),
    ] = {}


class Parse(Section, frozen=True, kw_only=True):
    """What is read out of pages, in processes."""

    workers: Annotated[
        Count, about("Parse processes; 0 is by the machine. That is one per core that is not needed otherwise.")
    ] = 0
    assets: Annotated[bool, about("Follow images, scripts and style sheets too.")] = False
    max_links: Annotated[AtLeastOne, about("Links taken from one page, at most.")] = 10_000
    max_decoded: Annotated[Bytes, about("Bytes of a body after decompression, at most.")] = 32 * 1024**2
    max_ratio: Annotated[AtLeastOne, about("Decompressed size by compressed size, at most, above 1 MiB.")] = 200
    text: Annotated[bool, about("Extract all visible text. It needs the extra named extract.")] = False
    main_text: Annotated[
        bool, about("Extract the text without navigation and footers. It needs the extra named extract.")
    ] = False
    markdown: Annotated[bool, about("Extract the page as Markdown. It needs the extra named extract.")] = False
    metadata: Annotated[bool, about("Extract OpenGraph, JSON-LD and description.")] = False
    extract: Annotated[str, about("Your own function to run over each page, written as module:function.")] = ""
    timeout: Annotated[
        Seconds, about("CPU time that one page may take a worker, extracting included; 0 is no limit.")
    ] = 10.0
    memory: Annotated[Bytes, about("Address space that a worker may take; 0 is no limit.")] = 2 * 1024**3


class Store(Section, frozen=True, kw_only=True):
    """What is written to the output folder, and how safely."""

    archive: Annotated[Literal["warc", "none"], about("Whether pages are kept as WARC files.")] = "warc"
    segment_size: Annotated[Bytes, about("A new archive file is begun past this size.")] = 1024**3
    mirror: Annotated[bool, about("Write each body as a file under mirror/ too.")] = False
    write_threads: Annotated[Count, about("Threads that write mirror files; 0 is by the machine.")] = 0
    memory: Annotated[Bytes, about("Memory that the state of a crawl without an output folder may take, at most.")] = (
        512 * 1024**2
    )
    durability: Annotated[
        Literal["full", "normal"],
        about("Whether each commit waits for the disk. If not (normal), a power cut may lose the last ones."),
    ] = "full"


class Snapshot(Section, frozen=True, kw_only=True):
    """Where the output folder is copied to while the crawl goes on, so that it survives its machine."""

    to: Annotated[
        str,
        about(
            "Place in an object store to go on from when the machine is lost, such as s3://bucket/crawl or"
            " file:///mnt/share/crawl. Credentials and region come from the environment, as for other tools"
            " of that store. It needs the extra named cluster."
        ),
    ] = ""
    endpoint: Annotated[str, about("Address of an S3-compatible store that is not Amazon's.")] = ""
    every: Annotated[Seconds, about("Time from one snapshot to the next; 0 is by pages alone, and at the end.")] = 300.0
    pages: Annotated[Count, about("Pages after which a snapshot is taken even earlier; 0 is by time alone.")] = 0
    keep: Annotated[AtLeastOne, about("Snapshots kept in the place, the newest ones.")] = 3


class Recrawl(Section, frozen=True, kw_only=True):
    """When a page is looked at again, in a later crawl of the same folder (--since-last)."""

    first: Annotated[
        Seconds, about("Time from the first look at a page to the next. A little under a day suits a nightly crawl.")
    ] = 72000.0
    shortest: Annotated[Seconds, about("The shortest such time.")] = 3600.0
    longest: Annotated[Seconds, about("The longest such time.")] = 2592000.0
    sooner: Annotated[float, Meta(gt=0, le=1), about("What the time is multiplied by after the page had changed.")] = (
        0.8
    )
    later: Annotated[float, Meta(ge=1), about("What the time is multiplied by after it had not.")] = 1.4
    patience: Annotated[
        AtLeastOne, about("Answers 404 in a row after which a URL is not asked for any more; of 410, one is enough.")
    ] = 3


class Limits(Section, frozen=True, kw_only=True):
    """When a run stops before everything is crawled; the next run goes on."""

    max_pages: Annotated[Count, about("Pages of one run, at most; 0 is no limit.")] = 0
    max_bytes: Annotated[Bytes, about("Bytes received in one run, at most; 0 is no limit.")] = 0
    max_time: Annotated[Seconds, about("Seconds of one run, at most; 0 is no limit.")] = 0.0
    max_disk: Annotated[
        Bytes, about("Bytes that the output folder may take, what is there already included; 0 is no limit.")
    ] = 0


class Config(Section, frozen=True, kw_only=True):
    """All settings of a crawl."""

    scope: Scope = Scope()
    traps: Traps = Traps()
    politeness: Politeness = Politeness()
    fetch: Fetch = Fetch()
    access: Access = Access()
    parse: Parse = Parse()
    store: Store = Store()
    snapshot: Snapshot = Snapshot()
    recrawl: Recrawl = Recrawl()
    limits: Limits = Limits()


def read(text: str, *, where: str | None = None) -> dict[str, Any]:
    """Read TOML into plain settings, section by section.

    Raises:
        ConfigError: the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=where) from error


def build(settings: Mapping[str, Any], *, where: str | None = None) -> Config:
    """Turn plain settings, as TOML has them, into a Config.

    Args:
        settings: section name → setting name → value.
        where: what to blame in an error, for example the file's name.

    Raises:
        ConfigError: a section or a setting is unknown (the nearest name is suggested), or a value is out of bounds.
    """
    sections = {field.name: field.type for field in msgspec.structs.fields(Config)}
    plain: dict[str, Any] = {}
    for section, values in settings.items():
        if section not in sections:
            raise ConfigError(f"unknown section [{section}]{_nearest(section, sections)}", where=where)
        if not isinstance(values, Mapping):
            raise ConfigError(f"[{section}] must be a table of settings", where=where)
        plain[section] = _section(section, values, sections[section], where)
    try:
        config = msgspec.convert(plain, Config)
    except msgspec.ValidationError as error:
        message, _, at = str(error).rpartition(" - at ")
        setting = at.strip("`").removeprefix("$.")
        raise ConfigError(f"{setting}: {_lower(message)}" if message else str(error), where=where) from error
    _check_patterns(config.scope, where)
    return config


def _section(name: str, values: Mapping[str, Any], section: type[Section], where: str | None) -> dict[str, Any]:
    known = {field.name: field for field in msgspec.structs.fields(section)}
    plain: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"unknown setting {name}.{key}{_nearest(key, known)}", where=where)
        try:
            plain[key] = _in_units(value, unit_of(known[key].type))
        except ValueError as error:
            raise ConfigError(f"{name}.{key}: {error}", where=where) from error
    return plain


def _in_units(value: Any, unit: Literal["seconds", "bytes"] | None) -> Any:
    if unit and isinstance(value, str):
        value = quantity(value, unit)
    return int(value) if unit == "bytes" and isinstance(value, float) else value


def unit_of(annotation: Any) -> Literal["seconds", "bytes"] | None:
    """Tell whether a setting is a duration or a size."""
    for meta in getattr(annotation, "__metadata__", ()):
        unit = (meta.extra or {}).get("unit")
        if unit in ("seconds", "bytes"):
            return unit  # type: ignore[no-any-return]
    return None


def is_secret(annotation: Any) -> bool:
    """Tell whether a setting must not be shown."""
    return any((meta.extra or {}).get("secret") for meta in getattr(annotation, "__metadata__", ()))


def _hidden(value: Any) -> Any:
    return dict.fromkeys(value, "***") if isinstance(value, Mapping) else value and "***"


def description_of(annotation: Any) -> str:
    """Return the one line that describes a setting."""
    return " ".join(meta.description for meta in getattr(annotation, "__metadata__", ()) if meta.description)


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _check_patterns(scope: Scope, where: str | None) -> None:
    for name, patterns in (("include", scope.include), ("exclude", scope.exclude)):
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(
                    f"scope.{name}: {pattern!r} is no regular expression: {error}", where=where
                ) from error
