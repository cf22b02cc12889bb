"""Reading a catalog from a folder, a CSV file or a name."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.sources import absolute_source, last_changed, last_modified
from tfretrieval.errors import UserError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_of_splits(tmp_path):
    touch(tmp_path, "train/b/1.jpg", "train/a/2.PNG", "test/a/3.webp", "test/c/4.jpeg")
    catalog = Catalog.from_source(tmp_path)
    assert catalog.ids.tolist() == ["test/a/3.webp", "test/c/4.jpeg", "train/a/2.PNG", "train/b/1.jpg"]
    assert catalog.class_names == ("a", "b", "c")
    assert catalog.labels.tolist() == [0, 2, 0, 1]
    assert catalog.splits.tolist() == ["test", "test", "train", "train"]
    assert all(Path(path).is_absolute() for path in catalog.paths)


def test_a_folder_of_classes_holds_the_same_quarter_out_every_time(tmp_path, caplog):
    touch(tmp_path, *(f"{name}/{i}.jpg" for name in "ab" for i in range(8)))
    with caplog.at_level(logging.INFO, logger="tfretrieval"):
        catalog = Catalog.from_source(tmp_path)
    assert "25 %" in caplog.text
    assert catalog.split("test").counts().tolist() == [2, 2]
    assert Catalog.from_source(tmp_path).fingerprint == catalog.fingerprint


def test_what_lies_deeper_belongs_to_its_class_and_hidden_files_are_not_read(tmp_path):
    touch(tmp_path, "train/a/x/y/1.jpg", "train/a/.2.jpg", "train/b/größer 写真.jpg", "train/.git/3.jpg")
    catalog = Catalog.from_source(tmp_path)
    assert catalog.ids.tolist() == ["train/a/x/y/1.jpg", "train/b/größer 写真.jpg"]


def test_files_that_are_no_images_are_left_out_and_told(tmp_path, caplog):
    touch(tmp_path, "train/a/1.jpg", "train/a/Thumbs.db", "train/a/2.tiff", "train/a/3.TIFF", "train/b/2.jpg")
    with caplog.at_level(logging.INFO, logger="tfretrieval"):
        assert len(Catalog.from_source(tmp_path)) == 2
    assert "2 .tiff, 1 .db" in caplog.text


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(tmp_path / "photos", "train/a/1.jpg", "train/b/2.jpg")
    assert len(Catalog.from_source("~/photos")) == 2


def test_a_csv_with_every_column(tmp_path):
    touch(tmp_path, "p/1.jpg", "p/2.jpg", "p/3.jpg")
    (tmp_path / "d.csv").write_text(
        "\ufeffpath,label,split,id,is_query,is_gallery\n"
        'p/1.jpg,"sea, deep",train,one,no,yes\np/2.jpg,hill,test,two,1,0\np/3.jpg,,test,three,,\n',
        encoding="utf-8",
    )
    catalog = Catalog.from_source(tmp_path / "d.csv")
    assert catalog.ids.tolist() == ["one", "two", "three"]
    assert catalog.class_names == ("hill", "sea, deep")
    assert catalog.labels.tolist() == [1, 0, -1]
    assert catalog.splits.tolist() == ["train", "test", "test"]
    assert catalog.is_query.tolist() == [False, True, False]
    assert catalog.is_gallery.tolist() == [True, False, False]


def test_a_csv_without_splits_holds_a_quarter_out(tmp_path):
    touch(tmp_path, *(f"{i}.jpg" for i in range(16)))
    rows = "".join(f"{i}.jpg,{'ab'[i % 2]}\n" for i in range(16))
    (tmp_path / "d.csv").write_text("path,label\n" + rows)
    assert Catalog.from_source(tmp_path / "d.csv").split("test").counts().tolist() == [2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "lists no images"),
        ("", "no column path and no column label"),
        ("path,label\n1.jpg,a\n2.jpg\n", "line 3: the line is shorter"),
        ("path,label\n1.jpg,a\n2.jpg,a\n", "only one class"),
        ("path,label\n1.jpg,\n2.jpg,\n", "no class"),
        ("path,label\n1.jpg,a\n9.jpg,b\n", r"lists 1 files that do not exist, the first .*9\.jpg"),
    ],
)
def test_a_csv_that_cannot_be_used(tmp_path, text, message):
    touch(tmp_path, "1.jpg", "2.jpg")
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        Catalog.from_source(tmp_path / "d.csv")


def test_a_csv_that_is_not_in_utf_8(tmp_path):
    (tmp_path / "d.csv").write_bytes("path,label\n1.jpg,größer\n".encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        Catalog.from_source(tmp_path / "d.csv")


def test_a_name_that_is_nothing():
    with pytest.raises(UserError, match="digits or mit-split"):
        Catalog.from_source("digit")


@pytest.mark.real
def test_the_photographs_of_mit_split(mit_split, monkeypatch):
    monkeypatch.setenv("TFRET_MIT_SPLIT", str(mit_split))
    catalog = Catalog.from_source("mit-split")
    assert catalog.source == "mit-split"
    assert catalog.split("train").counts().tolist() == [292, 244, 227, 184, 214, 260, 212, 248]
    assert catalog.split("test").counts().tolist() == [118, 116, 101, 76, 94, 114, 80, 108]
    assert catalog.roles() == ("test", "train")


def test_a_source_changes_when_files_come_or_go(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    for folder in [data, *data.rglob("*/")]:
        os.utime(folder, (1000, 1000))
    assert last_modified(data) == 1000
    (data / "train" / "sea" / "0.png").unlink()
    assert last_modified(data) > 1000
    (tmp_path / "list.csv").write_text("path,label\n")
    os.utime(tmp_path / "list.csv", (2000, 2000))
    assert last_modified(tmp_path / "list.csv") == 2000
    assert last_modified(tmp_path / "gone") == float("inf")


def test_a_changed_or_missing_file_is_detected(tmp_path):
    before = time.time() - 1
    file = tmp_path / "a.png"
    file.write_bytes(b"1")
    os.utime(file, (1000, 1000))
    assert last_changed([str(file), "s3://bucket/b.png"]) > before, "an old modification time may be copied"
    assert last_changed([str(tmp_path / "gone.png")]) == float("inf")
    assert last_changed([]) == 0


def test_a_source_is_located_but_for_what_has_no_place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert absolute_source("photos") == str(tmp_path / "photos")
    assert absolute_source("") == ""
    assert absolute_source("mit-split") == "mit-split"
