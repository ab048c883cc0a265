from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from crawler.cli.arguments import EXAMPLES, Arguments, build_parser, flag_of, parse, program_name
from crawler.cli.options import OPTIONS
from crawler.errors import UsageError

BINDING = (
    "-o --out --config --scope --include --exclude --max-depth --depth --max-pages --max-bytes --max-time"
    " --concurrency --per-host --delay --robots --allow-private --user-agent --contact --ca-file --parse-workers"
    " --write-threads --archive --mirror --assets --durability --fresh --fail-on --json -q --quiet -v --verbose"
    " --version"
)


@pytest.fixture
def help_text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    return build_parser().format_help()


def test_every_promised_flag_is_there(help_text: str) -> None:
    assert [flag for flag in BINDING.split() if f" {flag}" not in help_text] == []


def test_the_help_fits_one_screen(help_text: str) -> None:
    lines = help_text.splitlines()

    assert len(lines) <= 50
    assert max(map(len, lines)) <= 100


def test_all_flags_are_shown_to_who_asks_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help-all"])

    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert [flag for option in OPTIONS for flag in option.flags if f" {flag}" not in shown] == []


def test_the_help_shows_the_defaults_of_the_command_line(help_text: str) -> None:
    assert "[64]" in help_text
    assert "never, seeds or always [seeds]" in help_text
    assert "page, prefix, host, domain or any [host]" in help_text
    assert "[crawl-out]" in help_text


def test_the_help_ends_with_four_examples_that_can_be_run(help_text: str) -> None:
    examples = [line.strip() for line in EXAMPLES.format(name="python -m crawler").splitlines()[1:]]

    assert help_text.endswith(EXAMPLES.format(name="python -m crawler"))
    assert len(examples) == 4
    for example in examples[:3]:
        command = example.partition("   ")[0].removeprefix("python -m crawler ")
        assert parse(command.split()).seeds


def test_every_flag_of_a_setting_has_the_words_of_the_setting() -> None:
    for option in OPTIONS:
        assert option.about or option.annotation is not None, option.flags
        assert not (option.about and option.annotation), option.flags


def test_defaults_are_not_settings_that_were_given() -> None:
    assert parse(["seed.txt"]) == Arguments(seeds=("seed.txt",))


def test_all_flags_are_read() -> None:
    line = (
        "a.txt -o out --config c.toml --scope domain --include x --include y --exclude z --depth 3 --max-pages 9"
        " --max-bytes 2G --max-time 1h30m --concurrency 8 --per-host 2 --delay 500ms --robots ignore"
        " --allow-private always --user-agent me --contact you --ca-file ca.pem --parse-workers 1 --write-threads 2"
        " --archive none --mirror --assets --durability normal --fresh --fail-on 5% --json -vv b.txt"
    )

    arguments = parse(line.split())

    assert arguments == Arguments(
        seeds=("a.txt", "b.txt"),
        out=Path("out"),
        config=Path("c.toml"),
        fresh=True,
        fail_on=5.0,
        json=True,
        verbose=2,
        settings={
            "scope.rule": "domain",
            "scope.include": ["x", "y"],
            "scope.exclude": ["z"],
            "scope.max_depth": 3,
            "parse.assets": True,
            "politeness.delay": 0.5,
            "politeness.per_host": 2,
            "politeness.robots": "ignore",
            "fetch.user_agent": "me",
            "fetch.contact": "you",
            "fetch.allow_private": "always",
            "fetch.ca_file": "ca.pem",
            "fetch.concurrency": 8,
            "parse.workers": 1,
            "store.write_threads": 2,
            "limits.max_pages": 9,
            "limits.max_bytes": 2 * 1024**3,
            "limits.max_time": 5400.0,
            "store.archive": "none",
            "store.mirror": True,
            "store.durability": "normal",
        },
    )


def test_seeds_may_stand_anywhere_and_a_dash_is_one() -> None:
    assert parse(["a", "--delay", "0", "-", "--depth", "-1", "b"]).seeds == ("a", "-", "b")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "no seed given: name a file of URLs, a URL, or - for standard input (see python -m crawler --help)"),
        ("a --max-page 3", "unknown option --max-page; did you mean --max-pages?"),
        ("a --max-page=3", "unknown option --max-page=3; did you mean --max-pages?"),
        ("a --zzz", "unknown option --zzz; --help-all lists them all"),
        ("a -x", "unknown option -x; --help-all lists them all"),
        ("a --per-host 0", "--per-host: '0' is not a whole number of 1 or more"),
        ("a --concurrency 1.5", "--concurrency: '1.5' is not a whole number of 0 or more"),
        ("a --depth -2", "--max-depth, --depth: '-2' is not a whole number of -1 or more"),
        ("a --max-time 5x", "--max-time: '5x' is not a duration, such as 90, 15m or 1h30m"),
        ("a --max-bytes lots", "--max-bytes: 'lots' is not a size, such as 512, 10MiB or 2G"),
        ("a --delay -1", "--delay: '-1' is not a duration, such as 90, 15m or 1h30m"),
        ("a --scope hots", "--scope: 'hots' is not page, prefix, host, domain or any; did you mean host?"),
        ("a --robots maybe", "--robots: 'maybe' is not obey or ignore"),
        ("a --fail-on 101", "--fail-on: '101' is not a percentage from 0 to 100"),
        ("a --fail-on many", "--fail-on: 'many' is not a percentage from 0 to 100"),
        ("a --fail-on nan", "--fail-on: 'nan' is not a percentage from 0 to 100"),
        ("a -o", "-o, --out: needs a value"),
        ("a --mirror=3", "--mirror: takes no value"),
        ("a -q -v", "--quiet and --verbose contradict each other"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_an_empty_user_agent_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="--user-agent: must not be empty"):
        parse(["a", "--user-agent", ""])


def test_a_setting_knows_its_flag() -> None:
    assert flag_of("scope.max_depth") == "--max-depth"
    assert flag_of("fetch.attempts") is None


def test_advice_names_the_program_as_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRAWLER_COMMAND", raising=False)
    assert program_name("/somewhere/crawler/__main__.py") == "python -m crawler"
    assert program_name("/usr/bin/crawler") == "crawler"

    monkeypatch.setenv("CRAWLER_COMMAND", "scripts/crawl")
    assert program_name("/somewhere/crawler/__main__.py") == "scripts/crawl"


def test_the_help_of_a_terminal_says_the_same(monkeypatch: pytest.MonkeyPatch, help_text: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "dumb")
    with contextlib.redirect_stdout(Terminal()):
        dressed = build_parser().format_help()

    assert dressed.lower().split() == help_text.lower().split()
