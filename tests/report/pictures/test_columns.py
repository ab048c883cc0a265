from __future__ import annotations

import re

import pytest

from crawler.report.pictures.columns import Columns, Layer


def drawn(*layers: tuple[float, ...], line: tuple[float | None, ...] = ()) -> str:
    picture = Columns(
        title="t",
        edges=(10.0, 11.0, 12.0),
        layers=[Layer(name=str(number), look=f"look-{number}", values=values) for number, values in enumerate(layers)],
        marks=(0.0, 5.0, 10.0),
        labels=("0", "5", "10"),
        line=line,
        hints=("<first>", "second"),
    )
    return str(picture.draw())


def paths(picture: str) -> dict[str, str]:
    return dict(re.findall(r'<path class="(?:area )?([^"]+)" d="([^"]+)"', picture))


def test_a_column_reaches_from_the_bottom_to_its_value() -> None:
    found = paths(drawn((5.0, 10.0)))

    assert found == {"look-0": "M0 500H500 L500 0H1000 L1000 1000H500 L500 1000H0Z"}


def test_layers_stand_upon_each_other() -> None:
    found = paths(drawn((5.0, 5.0), (2.0, 0.0)))

    assert found["look-1"] == "M0 300H500 L500 500H1000 L1000 500H500 L500 500H0Z"


def test_a_layer_of_nothing_is_not_drawn() -> None:
    assert list(paths(drawn((0.0, 0.0), (1.0, 1.0)))) == ["look-1"]


def test_a_line_is_broken_where_it_has_no_value_and_cut_off_above_the_top() -> None:
    assert paths(drawn(line=(5.0, None)))["line"] == "M0 500H500"
    assert paths(drawn(line=(5.0, 1000.0)))["line"] == "M0 500H500 L500 -50H1000"


def test_a_hint_covers_its_column_and_is_escaped() -> None:
    picture = drawn((1.0, 1.0))

    assert '<rect class="hint" x="0%" width="50%" height="100%"><title>&lt;first&gt;</title></rect>' in picture
    assert '<rect class="hint" x="50%" width="50%"' in picture


def test_times_below_the_picture_count_from_the_start_of_the_run() -> None:
    below = drawn((1.0, 1.0)).rpartition('<svg class="below"')[2]

    assert re.findall(r">([^<]+)</text>", below) == ["10 s", "10.5 s", "11 s", "11.5 s", "12 s"]


def test_a_layer_that_does_not_fit_the_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        drawn((1.0,))
