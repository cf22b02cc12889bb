"""Results to stdout, everything else to stderr."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from tfretrieval.cli.output import prints_result, table


@click.command()
@prints_result
def noisy():
    print("a library talks")
    return {"a": 1, "exit_code": 3}, "text"


def test_json_stands_alone_on_stdout_and_the_exit_code_is_not_in_it(capfd):
    assert noisy.main(["--json"], standalone_mode=False) == 3
    captured = capfd.readouterr()
    assert json.loads(captured.out) == {"a": 1}
    assert "a library talks" in captured.err


def test_without_json_the_text():
    assert CliRunner().invoke(noisy, []).stdout == "text\n"


def test_numbers_that_json_has_not_are_refused():
    @click.command()
    @prints_result
    def broken():
        return {"a": float("nan")}, ""

    with pytest.raises(ValueError, match="Out of range"):
        broken.main(["--json"], standalone_mode=False)


def test_a_table_aligns_names_left_and_numbers_right():
    assert table(["name", "n"], [["a", "1"], ["bcdef", "20"]]) == "name    n\na       1\nbcdef  20"
