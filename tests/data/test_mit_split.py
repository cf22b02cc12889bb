"""Tests of the MIT_split data set."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tfretrieval.data import mit_split
from tfretrieval.errors import UserError

PATHS = (
    "train/Opencountry/cdmc1.jpg",
    "train/inside_city/a_b.jpg",
    "test/coast/n1.jpg",
    "test/inside_city/hous1.jpg",
)
ORIGINAL = {"Opencountry": "opencountry", "inside_city": "insidecity"}


def content(path: str) -> bytes:
    return f"the image {path}".encode()


def write_archive(folder: Path, paths=PATHS, content=content) -> Path:
    file = folder / "archive.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for path in paths:
            label, name = PurePosixPath(path).parts[1:]
            archive.writestr(f"spatial_envelope/{ORIGINAL.get(label, label)}_{name}", content(path))
        archive.writestr("spatial_envelope/Thumbs.db", b"")
    return file


@pytest.fixture
def archive_of(monkeypatch):
    """A function that writes an archive; the manifest lists four small files."""
    entries = {path: hashlib.sha256(content(path)).hexdigest() for path in PATHS}
    monkeypatch.setattr(mit_split, "manifest", lambda: entries)
    return write_archive


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_archive_is_extracted_by_split_and_class(archive_of, tmp_path):
    target = mit_split.prepare(str(archive_of(tmp_path)), tmp_path / "out")
    assert files_in(target) == sorted(PATHS)
    assert mit_split.verify(target) == []


def test_only_missing_and_changed_files_are_extracted_again(archive_of, tmp_path):
    archive, target = str(archive_of(tmp_path)), tmp_path / "out"
    mit_split.prepare(archive, target)
    intact, changed, missing = (target / path for path in PATHS[:3])
    before = intact.stat().st_mtime_ns
    changed.write_bytes(b"x" * len(content(PATHS[1])))
    missing.unlink()
    assert len(mit_split.verify(target)) == 2
    mit_split.prepare(archive, target)
    assert mit_split.verify(target) == []
    assert intact.stat().st_mtime_ns == before


def test_prepared_folder_does_not_need_the_archive(archive_of, tmp_path):
    mit_split.prepare(str(archive_of(tmp_path)), tmp_path / "out")
    assert mit_split.prepare("missing.zip", tmp_path / "out") == tmp_path / "out"


def test_download_is_deleted_after_extraction(archive_of, tmp_path, monkeypatch):
    monkeypatch.setattr(mit_split, "download", lambda url, folder: archive_of(tmp_path))
    assert mit_split.verify(mit_split.prepare("https://example.org/a.zip", tmp_path / "out")) == []
    assert not (tmp_path / "archive.zip").exists()


def test_archive_of_other_images_is_an_error(archive_of, tmp_path):
    with pytest.raises(UserError, match=r"test/inside_city/hous1\.jpg"):
        mit_split.prepare(str(archive_of(tmp_path, PATHS[:3])), tmp_path / "out")
    with pytest.raises(UserError, match="manifest"):
        mit_split.prepare(str(archive_of(tmp_path, content=lambda path: b"other")), tmp_path / "out2")
    assert files_in(tmp_path / "out2") == []


def test_truncated_archive_is_an_error(archive_of, tmp_path):
    file = archive_of(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"archive\.zip"):
        mit_split.prepare(str(file), tmp_path / "out")


def test_verify_lists_every_difference(archive_of, tmp_path):
    target = mit_split.prepare(str(archive_of(tmp_path)), tmp_path / "out")
    (target / PATHS[0]).unlink()
    (target / PATHS[1]).write_bytes(b"short")
    (target / PATHS[2]).write_bytes(b"x" * len(content(PATHS[2])))
    (target / "test" / "coast" / "stray.jpg").write_bytes(b"")
    differences = mit_split.verify(target)
    assert [line.split(": ")[0] for line in differences] == [*PATHS[:3], "test/coast/stray.jpg"]
    with pytest.raises(UserError, match="nowhere"):
        mit_split.verify(tmp_path / "nowhere")


def test_folder_is_in_the_cache_or_at_tfret_mit_split(archive_of, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path))
    monkeypatch.delenv("TFRET_MIT_SPLIT", raising=False)
    with pytest.raises(UserError, match="tfret data prepare mit-split"):
        mit_split.folder()
    assert not mit_split.is_prepared()
    mit_split.prepare(str(archive_of(tmp_path)))
    assert mit_split.folder() == tmp_path / "mit-split"
    assert mit_split.is_prepared()
    (tmp_path / "mit-split" / PATHS[0]).unlink()
    assert not mit_split.is_prepared()
    monkeypatch.setenv("TFRET_MIT_SPLIT", str(tmp_path))
    assert mit_split.folder() == tmp_path


def test_manifest_has_2688_images_of_8_classes():
    entries = mit_split.manifest()
    parts = [PurePosixPath(path).parts for path in entries]
    assert len(entries) == 2688
    assert sum(part[0] == "train" for part in parts) == 1881
    assert len({part[1] for part in parts}) == 8
    assert len({part[1:] for part in parts}) == 2688, "names are unique within a class"


@pytest.mark.real
def test_archive_of_the_photographs_is_extracted_to_the_same_folder(mit_split, tmp_path):
    from tfretrieval.data.mit_split import prepare, verify

    files = sorted(mit_split.rglob("*.jpg"))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for file in files:
            archive.write(file, f"all/{ORIGINAL.get(file.parent.name, file.parent.name)}_{file.name}")
    target = prepare(str(tmp_path / "archive.zip"), tmp_path / "out")
    assert verify(target) == verify(mit_split) == []
