"""Parameter types and choices of options."""

from __future__ import annotations

import click
import pytest

from tfretrieval.cli.options import key_values, n_bytes, pca_size


def test_choices_are_those_of_the_library():
    from tfretrieval.cli.options import METRICS, ON_ERROR, RETRIEVERS
    from tfretrieval.retrieval.settings import SETTINGS
    from tfretrieval.training.config import OPTIONS

    assert tuple(SETTINGS) == RETRIEVERS
    assert OPTIONS["metric"].choices == METRICS
    assert OPTIONS["on_error"].choices == ON_ERROR


@pytest.mark.parametrize(("text", "value"), [("8", 8), ("0.9", 0.9), ("none", "none"), ("1", 1)])
def test_valid_pca_sizes(text, value):
    assert pca_size(text) == value
    assert type(pca_size(text)) is type(value)


@pytest.mark.parametrize("text", ["0", "-2", "1.5", "many", "nan", "inf"])
def test_invalid_pca_sizes(text):
    with pytest.raises(click.BadParameter):
        pca_size(text)


@pytest.mark.parametrize(("text", "size"), [("4GB", 4_000_000_000), ("512MB", 512_000_000), ("1.5K", 1500)])
def test_valid_byte_sizes(text, size):
    assert n_bytes(text) == size


@pytest.mark.parametrize("text", ["4", "GB", "-1GB"])
def test_invalid_byte_sizes(text):
    with pytest.raises(click.BadParameter):
        n_bytes(text)


def test_key_value_pairs_have_numbers_where_possible():
    assert key_values(None, None, ("M=16", "eps=0.5", "kind=a=b")) == {"M": 16, "eps": 0.5, "kind": "a=b"}
    assert key_values(None, None, ()) is None


@pytest.mark.parametrize("text", ["M", "M=", "=16"])
def test_invalid_key_value_pairs(text):
    with pytest.raises(click.BadParameter):
        key_values(None, None, (text,))


def test_error_names_the_option(tfret, tmp_path):
    outcome = tfret("index", "--run", tmp_path, "--pca", "many")
    assert outcome.code == 2
    assert "Invalid value for '--pca': 'many'" in outcome.err
