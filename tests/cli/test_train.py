"""Tests of `tfret train`; `test_commands.py` runs it together with the other commands."""

from __future__ import annotations

import dataclasses

import click
import pytest

from tfretrieval.cli.train import HELP, _click_type
from tfretrieval.training.config import OPTIONS, TrainConfig
from tfretrieval.training.option import Option


def test_every_setting_has_a_command_line_option():
    assert {"recipe", *HELP} == {field.name for field in dataclasses.fields(TrainConfig)}


@pytest.mark.parametrize(
    ("option", "accepted", "rejected"),
    [
        (OPTIONS["epochs"], "0", "-1"),
        (OPTIONS["learning_rate"], "0.1", "0"),
        (OPTIONS["ema"], "0", "1"),
        (OPTIONS["augment"], "flip", "turn"),
        (Option(float), "-3.5", "x"),
    ],
)
def test_options_accept_the_values_of_their_setting(option, accepted, rejected):
    kind = click.types.convert_type(_click_type(option))
    assert kind.convert(accepted, None, None) == option.kind(accepted)
    with pytest.raises(click.BadParameter):
        kind.convert(rejected, None, None)
