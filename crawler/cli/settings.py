"""Arguments → Config: default < file < flag, and an error that names the place where the mistake is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crawler.cli.arguments import COMMAND_LINE_DEFAULTS, Arguments, flag_of
from crawler.config import Access, Config, build, read
from crawler.errors import ConfigError

Settings = dict[str, dict[str, Any]]


def config_of(arguments: Arguments) -> Config:
    """Put defaults, the config file and the flags together.

    Raises:
        ConfigError: the file cannot be read, or a setting in it or on the command line is wrong.
    """
    settings: Settings = {section: dict(values) for section, values in COMMAND_LINE_DEFAULTS.items()}
    if arguments.config is not None:
        file = load(arguments.config)
        build(file, where=str(arguments.config))  # so that a mistake of the file is blamed on the file
        settings = _over(settings, file)
    try:
        config = build(_over(settings, _sections(arguments.settings)))
    except ConfigError as error:
        raise ConfigError(_as_flags(str(error), arguments.settings)) from error
    _check_ca_file(config, given="fetch.ca_file" in arguments.settings, where=arguments.config)
    _check_access(config, arguments.config)
    return config


def load(path: Path) -> dict[str, Any]:
    """Read a TOML file into plain settings, section by section.

    Raises:
        ConfigError: the file cannot be read, or is not TOML.
    """
    try:
        return read(path.read_text(encoding="utf-8"), where=str(path))
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not valid TOML: not UTF-8", where=str(path)) from error


def _over(lower: Mapping[str, Mapping[str, Any]], upper: Mapping[str, Mapping[str, Any]]) -> Settings:
    return {name: {**lower.get(name, {}), **upper.get(name, {})} for name in {**lower, **upper}}


def _sections(settings: Mapping[str, Any]) -> Settings:
    nested: Settings = {}
    for target, value in settings.items():
        section, _, name = target.partition(".")
        nested.setdefault(section, {})[name] = tuple(value) if isinstance(value, list) else value
    return nested


def _as_flags(message: str, given: Mapping[str, Any]) -> str:
    for target in given:
        if message.startswith(f"{target}: "):
            return f"{flag_of(target)}{message.removeprefix(target)}"
    return message


def _check_ca_file(config: Config, *, given: bool, where: Path | None) -> None:
    if not config.fetch.ca_file:
        return
    try:
        with Path(config.fetch.ca_file).open("rb"):
            return
    except OSError as error:
        name = "--ca-file" if given else "fetch.ca_file"
        blame = None if given or where is None else str(where)
        raise ConfigError(f"{name}: {config.fetch.ca_file} cannot be read ({error.strerror})", where=blame) from error


def _check_access(config: Config, where: Path | None) -> None:
    """See to it that log-ins, certificates and proxy can be used, before anything is begun."""
    if config.access == Access():
        return
    from crawler.net.access import Logins  # noqa: PLC0415  -- seldom wanted, and TLS takes its time
    from crawler.net.proxy import proxy_of  # noqa: PLC0415

    try:
        Logins(config.access, config.fetch.ca_file)
        proxy_of(config.access.proxy)
    except ConfigError as error:
        raise ConfigError(str(error), where=str(where)) from error
