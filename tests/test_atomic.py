"""Tests of atomic writes."""

from __future__ import annotations

import json
import os

import pytest

from tfretrieval import atomic
from tfretrieval.errors import UserError


class Interrupted(BaseException):
    pass


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_is_replaced_after_the_block(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic.replaced_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt, ValueError])
def test_error_keeps_the_previous_version(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b").write_text("old")

    def write_file():
        with atomic.replaced_file(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    def write_directory():
        with atomic.replaced_directory(tmp_path / "d", "b") as temporary:
            (temporary / "b").write_text("half")
            raise error

    for write in (write_file, write_directory):
        with pytest.raises(error):
            write()
    assert names(tmp_path) == ["a.txt", "d"]
    assert ((tmp_path / "a.txt").read_text(), (tmp_path / "d" / "b").read_text()) == ("old", "old")


def test_directory_is_replaced_completely(tmp_path):
    for name in ("one", "two"):
        with atomic.replaced_directory(tmp_path / "d", "mark") as temporary:
            (temporary / name).write_text(name)
            (temporary / "mark").touch()
    assert names(tmp_path / "d") == ["mark", "two"]
    assert names(tmp_path) == ["d"]


def test_only_an_empty_or_known_directory_is_replaced(tmp_path):
    (tmp_path / "photos").mkdir()

    def write():
        with atomic.replaced_directory(tmp_path / "photos", "mark") as temporary:
            (temporary / "new").touch()

    write()
    with pytest.raises(UserError, match="photos"):
        write()
    assert names(tmp_path / "photos") == ["new"]


def test_full_disk_is_an_error_that_names_the_file(tmp_path):
    def fill() -> None:
        raise OSError(28, "No space left on device", "/somewhere/temporary")

    with pytest.raises(UserError, match=r"a\.txt: No space left on device$"), \
            atomic.replaced_file(tmp_path / "a.txt"):  # fmt: skip
        fill()
    assert names(tmp_path) == []


def test_directory_never_replaces_a_file(tmp_path):
    (tmp_path / "notes").write_text("keep")
    with pytest.raises(UserError, match="is a file"), atomic.replaced_directory(tmp_path / "notes", "mark"):
        pass
    assert (tmp_path / "notes").read_text() == "keep"


def test_file_in_place_of_a_directory_is_an_error(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(UserError, match=r"a\.txt"):
        atomic.write_text(tmp_path / "f" / "a.txt", "x")


def test_json_survives_a_file(tmp_path):
    value = {"größe": [1, 0.1 + 0.2, None, "写真"]}
    atomic.write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


def test_temporary_files_of_killed_processes_are_deleted(tmp_path):
    (tmp_path / "sub" / ".tmp-1-d").mkdir(parents=True)
    (tmp_path / "sub" / ".tmp-1-d" / "x").write_text("")
    (tmp_path / "sub" / ".old-2-e").mkdir()
    (tmp_path / ".tmp-3-a.txt").write_text("")
    (tmp_path / "kept").write_text("")
    atomic.clear_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["kept", "sub"]
    assert os.listdir(tmp_path / "sub") == []
