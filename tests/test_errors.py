"""`UserError` and escaping."""

import pytest

from tfretrieval.errors import UserError, in_one_line, require


def test_problem_and_remedy_are_kept_apart_and_shown_together():
    error = UserError("a; b", "do c")
    assert (error.problem, error.remedy, str(error)) == ("a; b", "do c", "a; b; do c")
    assert str(UserError("only a problem")) == "only a problem"


def test_what_a_terminal_does_not_print_is_escaped():
    assert in_one_line("a\nb\x1b[0m") == "a\\nb\\x1b[0m"
    assert in_one_line("größer 写真") == "größer 写真"


def test_missing_package_is_an_error_that_names_its_extra():
    assert require("json", "serve").loads("1") == 1
    with pytest.raises(UserError, match=r"absent_package is not installed.*tfretrieval\[serve\]"):
        require("absent_package.client", "serve")
