"""Tests of the directory of a converted model."""

from __future__ import annotations

import json
import shutil

import pytest

from tfretrieval.embedding.openvino.model_dir import CONVERTED_MODEL, MODEL, WEIGHTS, read_header, update_header
from tfretrieval.errors import UserError


@pytest.fixture
def directory(converted, tmp_path):
    return shutil.copytree(converted, tmp_path / "e", ignore=shutil.ignore_patterns("cache"))


def test_update_adds_entries_to_the_header(directory):
    before = read_header(directory)
    update_header(directory, agreement=0.5)
    assert read_header(directory) == {**before, "agreement": 0.5}


@pytest.mark.parametrize("name", [CONVERTED_MODEL.header, MODEL, WEIGHTS])
def test_missing_file_is_an_error(directory, name):
    (directory / name).unlink()
    with pytest.raises(UserError, match=str(directory)):
        read_header(directory)


@pytest.mark.parametrize("name", [MODEL, WEIGHTS])
def test_file_changed_in_place_is_an_error(directory, name):
    (directory / name).write_bytes(b"x" * (directory / name).stat().st_size)
    with pytest.raises(UserError, match=str(directory)):
        read_header(directory)


@pytest.mark.parametrize("change", [{"format": 99}, {"dim": None}])
def test_header_of_another_format_or_with_missing_entries_is_an_error(directory, change):
    header = {**json.loads((directory / CONVERTED_MODEL.header).read_text()), **change}
    entries = {name: value for name, value in header.items() if value is not None}
    (directory / CONVERTED_MODEL.header).write_text(json.dumps(entries))
    with pytest.raises(UserError, match=str(directory)):
        read_header(directory)
