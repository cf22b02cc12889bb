"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os

import pytest

from tfretrieval import atomic
from tfretrieval.errors import UserError


class Interrupted(BaseException):
    pass


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic.replaced_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt, ValueError])
def test_what_ends_badly_leaves_the_old_version(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b").write_text("old")

    def write_half_a_file():
        with atomic.replaced_file(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    def write_half_a_folder():
        with atomic.replaced_directory(tmp_path / "d", "b") as temporary:
            (temporary / "b").write_text("half")
            raise error

    for write in (write_half_a_file, write_half_a_folder):
        with pytest.raises(error):
            write()
    assert names(tmp_path) == ["a.txt", "d"]
    assert ((tmp_path / "a.txt").read_text(), (tmp_path / "d" / "b").read_text()) == ("old", "old")


def test_a_folder_is_replaced_and_not_mixed(tmp_path):
    for name in ("one", "two"):
        with atomic.replaced_directory(tmp_path / "d", "mark") as temporary:
            (temporary / name).write_text(name)
            (temporary / "mark").touch()
    assert names(tmp_path / "d") == ["mark", "two"]
    assert names(tmp_path) == ["d"]


def test_a_folder_of_other_things_is_not_replaced_and_an_empty_one_is(tmp_path):
    (tmp_path / "photos").mkdir()

    def write():
        with atomic.replaced_directory(tmp_path / "photos", "mark") as temporary:
            (temporary / "new").touch()

    write()
    with pytest.raises(UserError, match="holds other things"):
        write()
    assert names(tmp_path / "photos") == ["new"]


def test_a_full_disk_is_told_in_one_line(tmp_path):
    def fill() -> None:
        raise OSError(28, "No space left on device", "/somewhere/temporary")

    with pytest.raises(UserError, match=r"^cannot write .*a\.txt: No space left on device$"), \
            atomic.replaced_file(tmp_path / "a.txt"):  # fmt: skip
        fill()
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        atomic.write_text(tmp_path / "f" / "a.txt", "x")


def test_json_survives(tmp_path):
    value = {"größe": [1, 0.1 + 0.2, None, "写真"]}
    atomic.write_json(tmp_path / "a.json", value)
    assert atomic.read_json(tmp_path / "a.json") == value
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read as JSON"):
        atomic.read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match="does not exist"):
        atomic.read_json(tmp_path / "b.json")


def test_leftovers_of_a_killed_process_are_cleared(tmp_path):
    (tmp_path / "sub" / ".tmp-1-d").mkdir(parents=True)
    (tmp_path / "sub" / ".tmp-1-d" / "x").write_text("")
    (tmp_path / "sub" / ".old-2-e").mkdir()
    (tmp_path / ".tmp-3-a.txt").write_text("")
    (tmp_path / "kept").write_text("")
    atomic.clear_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["kept", "sub"]
    assert os.listdir(tmp_path / "sub") == []
