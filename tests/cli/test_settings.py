from __future__ import annotations

from pathlib import Path

import pytest

from crawler.cli.arguments import parse
from crawler.cli.settings import config_of
from crawler.config import Config
from crawler.errors import ConfigError


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text('[politeness]\ndelay = "2s"\nper_host = 3\n[fetch]\nallow_private = "never"\n')
    return path


def test_without_anything_the_defaults_hold_and_hosts_of_seeds_may_be_private() -> None:
    config = config_of(parse(["a"]))

    assert config.fetch.allow_private == "seeds"
    assert config.politeness == Config().politeness
    assert Config().fetch.allow_private == "never"


def test_a_file_wins_over_defaults_and_a_flag_over_the_file(profile: Path) -> None:
    config = config_of(parse(["a", "--config", str(profile), "--delay", "0"]))

    assert (config.politeness.delay, config.politeness.per_host, config.fetch.allow_private) == (0.0, 3, "never")


def test_a_flag_that_is_as_the_default_wins_over_the_file_too(profile: Path) -> None:
    assert config_of(parse(["a", "--config", str(profile), "--per-host", "1"])).politeness.per_host == 1


def test_patterns_of_flags_take_the_place_of_those_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('[scope]\ninclude = ["file"]\nexclude = ["kept"]\n')

    scope = config_of(parse(["a", "--config", str(path), "--include", "x", "--include", "y"])).scope

    assert (scope.include, scope.exclude) == (("x", "y"), ("kept",))


def test_a_mistake_in_the_file_is_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[politeness]\ndelai = 2\n")

    with pytest.raises(ConfigError, match=r"my\.toml: unknown setting politeness\.delai; did you mean delay\?"):
        config_of(parse(["a", "--config", str(path)]))


def test_a_mistake_on_the_command_line_is_blamed_on_the_flag(profile: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--include: '\(' is no regular expression"):
        config_of(parse(["a", "--config", str(profile), "--include", "("]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[access]\nproxy = "socks5://me:pa55@host:1080"\n', "access.proxy: 'socks5://host:1080' is not the URL"),
        (
            '[access.origins."https://a.example"]\nusr = "me"\n',
            "access.origins[...]: object contains unknown field `usr`",
        ),
        ('[access.origins."a.example"]\nuser = "me"\n', "access.origins: 'a.example' is no origin"),
        (
            '[access.origins."https://a.example"]\ncertificate = "none.pem"\n',
            'access.origins."https://a.example": the certificate or its key cannot be used (No such file or directory)',
        ),
    ],
)
def test_a_login_that_cannot_be_used_is_found_before_anything_happens(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(text)

    with pytest.raises(ConfigError) as refused:
        config_of(parse(["a", "--config", str(path)]))

    assert str(refused.value).startswith(f"{path}: {said}")


def test_an_authority_that_cannot_be_read_is_found_before_anything_happens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--ca-file: none\.pem cannot be read \(No such file or directory\)"):
        config_of(parse(["a", "--ca-file", "none.pem"]))

    path = tmp_path / "my.toml"
    path.write_text('[fetch]\nca_file = "none.pem"\n')
    with pytest.raises(ConfigError, match=r"my\.toml: fetch\.ca_file: none\.pem cannot be read"):
        config_of(parse(["a", "--config", str(path)]))
