"""Settings: the files we ship, the units, and errors that name the mistake."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.cli.arguments import COMMAND_LINE_DEFAULTS
from crawler.cli.render import default_toml
from crawler.cli.settings import load
from crawler.config import Config, Login, Section, build, description_of
from crawler.errors import ConfigError
from crawler.units import quantity

FOLDER = Path(__file__).parent.parent / "config"
SETTINGS = [
    (section.name, setting)
    for section in msgspec.structs.fields(Config)
    for setting in msgspec.structs.fields(section.type)
]


def test_default_toml_is_what_the_code_says() -> None:
    written = (FOLDER / "default.toml").read_text(encoding="utf-8")

    assert written == default_toml(), "make it anew: python -m crawler.cli.render > config/default.toml"


def test_default_toml_sets_every_setting_to_the_default_of_the_command_line() -> None:
    settings = load(FOLDER / "default.toml")

    assert build(settings) == build(COMMAND_LINE_DEFAULTS)
    assert {(section, name) for section, values in settings.items() for name in values} == {
        (section, setting.name) for section, setting in SETTINGS
    }


@pytest.mark.parametrize("profile", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.name)
def test_every_profile_that_is_shipped_can_be_used(profile: Path) -> None:
    assert isinstance(build(load(profile), where=str(profile)), Config)


def test_every_setting_is_described_in_sentences() -> None:
    for section, setting in SETTINGS:
        about = description_of(setting.type)

        assert about[:1].isupper(), f"{section}.{setting.name}"
        assert about.endswith("."), f"{section}.{setting.name}"


def test_every_section_says_what_it_is_for() -> None:
    for section in msgspec.structs.fields(Config):
        assert issubclass(section.type, Section)
        assert (section.type.__doc__ or "").endswith(".")


def test_an_unknown_setting_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^my\.toml: unknown setting politeness\.delai; did you mean delay\?$"):
        build({"politeness": {"delai": 1}}, where="my.toml")


def test_an_unknown_section_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown section \[politness\]; did you mean politeness\?"):
        build({"politness": {"delay": 1}})


def test_a_value_out_of_bounds_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"fetch\.attempts: expected `int` >= 1"):
        build({"fetch": {"attempts": 0}})


def test_a_section_that_is_no_table_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"\[fetch\] must be a table of settings"):
        build({"fetch": 3})


def test_a_pattern_that_is_no_regular_expression_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"scope\.exclude: '\(' is no regular expression"):
        build({"scope": {"exclude": ["("]}})


def test_durations_and_sizes_may_be_written_with_units() -> None:
    config = build({"limits": {"max_time": "1h30m", "max_bytes": "1.5GiB"}, "politeness": {"delay": "500ms"}})

    assert (config.limits.max_time, config.limits.max_bytes, config.politeness.delay) == (5400.0, 1610612736, 0.5)


@pytest.mark.parametrize("text", ["", "fast", "5x", "-1", "1h,30m", "1 2", "nan", "inf", "1e3", "5 m m"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration, such as 90, 15m or 1h30m"):
        quantity(text, "seconds")


@given(st.integers(0, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("", 1)]))
def test_a_number_with_a_unit_is_that_many_of_it(number: int, unit: tuple[str, int]) -> None:
    name, factor = unit

    assert quantity(f" {number} {name.upper()} ", "seconds") == number * factor


@given(st.text(max_size=30))
def test_a_quantity_is_a_number_of_zero_or_more_or_refused(text: str) -> None:
    try:
        number = quantity(text, "bytes")
    except ValueError:
        return
    assert 0 <= number < math.inf


def test_a_file_that_is_no_toml_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[fetch\n")

    with pytest.raises(ConfigError, match=r"broken\.toml: is not valid TOML"):
        load(path)


def test_a_file_that_is_missing_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file or directory\)"):
        load(tmp_path / "none.toml")


def test_the_example_of_a_login_is_valid_once_it_is_not_commented_out_any_more() -> None:
    begin = default_toml().index('# [access.origins."')
    example = default_toml()[begin : default_toml().index("\n\n", begin)]

    settings = tomllib.loads("\n".join(line.removeprefix("# ") for line in example.splitlines()))

    assert build(settings).access.origins == {"https://example.org": Login()}
    assert settings["access"]["origins"]["https://example.org"].keys() == set(Login.__struct_fields__)


def test_every_setting_of_a_login_is_described_in_sentences() -> None:
    for setting in msgspec.structs.fields(Login):
        about = description_of(setting.type)

        assert (about[:1].isupper(), about[-1:]) == (True, "."), setting.name


def test_no_secret_is_shown_where_settings_are() -> None:
    login = Login(user="ann", password="pa55", headers={"X-Token": "pa55"}, key_password="pa55")
    config = build(
        {
            "access": {"proxy": "http://me:pa55@proxy.example:3128", "origins": {"https://a.example": {}}},
            "fetch": {"headers": {"Authorization": "pa55"}},
        }
    )

    shown = f"{login!r} {config!r} {list(login.__rich_repr__())}"

    assert "pa55" not in shown
    assert "user='ann'" in shown
    assert "headers={'Authorization': '***'}" in shown


def test_what_is_rendered_is_toml() -> None:
    assert tomllib.loads(default_toml())["parse"]["max_decoded"] == "32MiB"
