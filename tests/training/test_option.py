"""Tests of the accepted values of settings."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.option import Option


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (Option(int, low=2), 1),
        (Option(int), True),
        (Option(int), 1.0),
        (Option(int), None),
        (Option(float, above=0), 0.0),
        (Option(float, above=0), float("inf")),
        (Option(float, above=0), float("nan")),
        (Option(float, low=0, below=1), 1),
        (Option(str, choices=("a", "b")), "c"),
        (Option(bool), 1),
    ],
)
def test_unaccepted_value_is_an_error_that_names_the_setting(option, value):
    with pytest.raises(UserError, match="margin"):
        option.checked("margin", value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (Option(int, low=2), 2),
        (Option(int, low=1, optional=True), None),
        (Option(float, low=0, below=1), 0.0),
        (Option(str, choices=("a", "b")), "b"),
        (Option(bool), False),
    ],
)
def test_accepted_value_is_returned(option, value):
    assert option.checked("name", value) == value


def test_int_is_converted_to_float():
    value = Option(float, above=0).checked("margin", 2)
    assert (value, type(value)) == (2.0, float)
