"""The types of option values."""

from __future__ import annotations

import click
import pytest

from tfretrieval.cli.evaluate import Threshold
from tfretrieval.cli.options import PCASize


@pytest.mark.parametrize(("text", "value"), [("8", 8), ("0.9", 0.9), ("none", "none"), ("1", 1)])
def test_a_size_of_pca(text, value):
    converted = PCASize().convert(text, None, None)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize("text", ["0", "-2", "1.5", "many", "nan", "inf"])
def test_a_size_that_is_none(text):
    with pytest.raises(click.BadParameter):
        PCASize().convert(text, None, None)


def test_a_threshold():
    assert Threshold().convert("map=0.9", None, None) == ("map", 0.9)
    for text in ("map", "map=", "map=high"):
        with pytest.raises(click.BadParameter):
            Threshold().convert(text, None, None)
