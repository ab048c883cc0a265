"""``config/default.toml``, made from the settings themselves.

Make it anew with ``python -m crawler.cli.render > config/default.toml``.
"""

from __future__ import annotations

import sys
import textwrap
from typing import Any, Literal, get_args, get_origin

import msgspec

from crawler.cli.arguments import COMMAND_LINE_DEFAULTS, flag_of
from crawler.cli.options import base_of
from crawler.config import Config, Section, description_of, unit_of

WIDTH = 100
EXAMPLE = "https://example.org"
HEAD = """\
# Every setting of a crawl, with what it means and its default.
# Copy what you want to change into a file of your own and give it with --config; a flag wins over the file.
# Durations are seconds, or "500ms", "15m", "1h30m"; sizes are bytes, or "10MiB", "2G".
"""


def default_toml() -> str:
    """Write all settings as TOML, each with its description, its values and its flag."""
    sections = [_section(field.name, field.default) for field in msgspec.structs.fields(Config)]
    return "\n".join([HEAD, *sections])


def _section(name: str, section: Any) -> str:
    lines = [f"# {(type(section).__doc__ or '').strip()}", f"[{name}]"]
    for field in msgspec.structs.fields(section):
        default = COMMAND_LINE_DEFAULTS.get(name, {}).get(field.name, getattr(section, field.name))
        lines += ["", *_about(f"{name}.{field.name}", field.type), f"{field.name} = {_value(default, field.type)}"]
        if nested := _nested(field.type):
            lines += ["#", *_example(f"{name}.{field.name}", nested)]
    return "\n".join(lines) + "\n"


def _nested(annotation: Any) -> type[Section] | None:
    """Return what stands in a table of tables, such as what is for each origin."""
    kinds = get_args(base_of(annotation)) or (None,)
    return kinds[-1] if isinstance(kinds[-1], type) and issubclass(kinds[-1], Section) else None


def _example(target: str, section: type[Section]) -> list[str]:
    """Write a table of one name, commented out, with what it may say."""
    lines = [f'# [{target}."{EXAMPLE}"]']
    for field in msgspec.structs.fields(section):
        lines += [
            *(f"# {line}" for line in _about(f"{target}.{field.name}", field.type)),
            f"# {field.name} = {_value(getattr(section(), field.name), field.type)}",
        ]
    return lines


def _about(target: str, annotation: Any) -> list[str]:
    about = description_of(annotation)
    base = base_of(annotation)
    if get_origin(base) is Literal:
        about += f" One of {', '.join(get_args(base))}."
    if flag := flag_of(target):
        about += f" Flag: {flag}."
    section, _, name = target.partition(".")
    if name in COMMAND_LINE_DEFAULTS.get(section, {}):
        about += f' The default is that of the command line; the library\'s is "{_library_default(section, name)}".'
    return textwrap.wrap(about, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _library_default(section: str, name: str) -> Any:
    return getattr(getattr(Config(), section), name)


def _value(value: Any, annotation: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return _size(value) if unit_of(annotation) == "bytes" else f"{value:_}" if value >= 10_000 else str(value)
        case float():
            return f"{value:g}" if value % 1 else f"{value:.1f}"
        case tuple():
            return f"[{', '.join(_value(part, None) for part in value)}]"
        case dict():
            return f"{{{', '.join(f'{_value(name, None)} = {_value(part, None)}' for name, part in value.items())}}}"
        case _:
            return msgspec.json.encode(value).decode()  # a JSON string is a TOML string


def _size(number: int) -> str:
    for factor, unit in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if number and number % factor == 0:
            return f'"{number // factor}{unit}"'
    return str(number)


if __name__ == "__main__":
    sys.stdout.write(default_toml())
