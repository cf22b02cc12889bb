import math

import pytest

from tfretrieval.report.content import Drawing, Estimate, Rounded, Table, format_cell


def best_cells(values, direction):
    table = Table(["name", "value"], [[str(i), value] for i, value in enumerate(values)], best={"value": direction})
    return [i for i in range(len(values)) if table.is_best(i, 1)]


@pytest.mark.parametrize(
    ("values", "direction", "best"),
    [
        ([0.1, 0.9, 0.5], "max", [1]),
        ([0.1, 0.9, 0.5], "min", [0]),
        ([0.9001, 0.9002, 0.5], "max", [0, 1]),
        ([Estimate(0.5, 0.4, 0.99), Estimate(0.6, 0.5, 0.7)], "max", [1]),
        ([None, math.nan, 0.2, 0.1], "max", [2]),
        ([0.9], "max", []),
        (["n/a", None], "max", []),
    ],
)
def test_best_values_are_compared_as_shown(values, direction, best):
    assert best_cells(values, direction) == best


def test_only_selected_columns_have_a_best_value():
    table = Table(["name", "value"], [["a", 1], ["b", 2]])
    assert not table.is_best(1, 1)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (0.12345, "0.123"),
        (1881, "1,881"),
        (math.nan, "–"),
        (None, "–"),
        ("1881", "1881"),
        (Rounded(1234.56, 1), "1,234.6"),
        (Rounded(2.5), "2"),
    ],
)
def test_cells_are_formatted(cell, text):
    assert format_cell(cell) == text


def test_a_figure_is_read_as_svg_if_there_is_one(tmp_path):
    (tmp_path / "a.png").write_bytes(b"123")
    assert Drawing("pr", tmp_path / "a.png", "t", "a").read() == b"123"
    (tmp_path / "a.svg").write_bytes(b"456")
    assert Drawing("pr", tmp_path / "a.png", "t", "a").read() == b"456"
