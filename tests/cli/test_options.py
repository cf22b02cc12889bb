"""Parameter types and choices of options."""

from __future__ import annotations

import click
import pytest

from tfretrieval.cli.options import Bytes, KeyValue, PCASize


def test_choices_are_those_of_the_library():
    from tfretrieval.cli.options import METRICS, MILVUS_INDEXES, ON_ERROR, RETRIEVERS
    from tfretrieval.retrieval.milvus.retriever import INDEX_TYPES
    from tfretrieval.retrieval.settings import SETTINGS
    from tfretrieval.training.config import CHOICES

    assert tuple(SETTINGS) == RETRIEVERS
    assert INDEX_TYPES == MILVUS_INDEXES
    assert CHOICES["metric"] == METRICS
    assert CHOICES["on_error"] == ON_ERROR


@pytest.mark.parametrize(("text", "value"), [("8", 8), ("0.9", 0.9), ("none", "none"), ("1", 1)])
def test_valid_pca_sizes(text, value):
    converted = PCASize().convert(text, None, None)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize("text", ["0", "-2", "1.5", "many", "nan", "inf"])
def test_invalid_pca_sizes(text):
    with pytest.raises(click.BadParameter):
        PCASize().convert(text, None, None)


@pytest.mark.parametrize(("text", "size"), [("4GB", 4_000_000_000), ("512MB", 512_000_000), ("1.5K", 1500)])
def test_valid_byte_sizes(text, size):
    assert Bytes().convert(text, None, None) == size


def test_invalid_byte_sizes():
    for text in ("4", "GB", "-1GB"):
        with pytest.raises(click.BadParameter):
            Bytes().convert(text, None, None)


def test_key_value_pairs_have_numbers_where_possible():
    assert KeyValue().convert("M=16", None, None) == ("M", 16)
    assert KeyValue().convert("eps=0.5", None, None) == ("eps", 0.5)
    assert KeyValue().convert("kind=a=b", None, None) == ("kind", "a=b")
    for text in ("M", "M=", "=16"):
        with pytest.raises(click.BadParameter):
            KeyValue().convert(text, None, None)
