"""From the original archive to the split of the study."""

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
    """Writes an archive, and the manifest is that of four small files."""
    entries = [mit_split.Entry(p, len(content(p)), hashlib.sha256(content(p)).hexdigest()) for p in PATHS]
    monkeypatch.setattr(mit_split, "manifest", lambda: entries)
    return write_archive


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_archive_becomes_the_split(archive_of, tmp_path):
    target = mit_split.prepare(str(archive_of(tmp_path)), tmp_path / "out")
    assert tree(target) == sorted(PATHS)
    assert mit_split.verify(target) == []


def test_only_what_is_missing_or_wrong_is_written_again(archive_of, tmp_path):
    archive, target = str(archive_of(tmp_path)), tmp_path / "out"
    mit_split.prepare(archive, target)
    kept, wrong, gone = (target / path for path in PATHS[:3])
    before = kept.stat().st_mtime_ns
    wrong.write_bytes(b"x" * len(content(PATHS[1])))
    gone.unlink()
    assert len(mit_split.verify(target)) == 2
    mit_split.prepare(archive, target)
    assert mit_split.verify(target) == []
    assert kept.stat().st_mtime_ns == before


def test_a_prepared_folder_needs_no_archive(archive_of, tmp_path):
    mit_split.prepare(str(archive_of(tmp_path)), tmp_path / "out")
    assert mit_split.prepare("gone.zip", tmp_path / "out") == tmp_path / "out"


def test_a_download_is_deleted_when_it_has_been_laid_out(archive_of, tmp_path, monkeypatch):
    monkeypatch.setattr(mit_split, "download", lambda address, folder: archive_of(tmp_path))
    assert mit_split.verify(mit_split.prepare("https://example.org/a.zip", tmp_path / "out")) == []
    assert not (tmp_path / "archive.zip").exists()


def test_an_archive_of_other_images(archive_of, tmp_path):
    with pytest.raises(UserError, match=r"no file for test/inside_city/hous1\.jpg; it is not the original"):
        mit_split.prepare(str(archive_of(tmp_path, PATHS[:3])), tmp_path / "out")
    with pytest.raises(UserError, match="differs from the manifest"):
        mit_split.prepare(str(archive_of(tmp_path, content=lambda path: b"other")), tmp_path / "out2")
    assert tree(tmp_path / "out2") == []


def test_half_an_archive(archive_of, tmp_path):
    file = archive_of(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="not a whole zip"):
        mit_split.prepare(str(file), tmp_path / "out")


def test_verify_names_every_fault(archive_of, tmp_path):
    target = mit_split.prepare(str(archive_of(tmp_path)), tmp_path / "out")
    (target / PATHS[0]).unlink()
    (target / PATHS[1]).write_bytes(b"short")
    (target / PATHS[2]).write_bytes(b"x" * len(content(PATHS[2])))
    (target / "test" / "coast" / "stray.jpg").write_bytes(b"")
    faults = mit_split.verify(target)
    assert [fault.split(": ")[1].split(",")[0] for fault in faults] == [
        "missing", "5 bytes", "contents differ (sha256)", "not in the manifest"
    ]  # fmt: skip
    with pytest.raises(UserError, match="no folder"):
        mit_split.verify(tmp_path / "nowhere")


def test_where_the_data_set_is(archive_of, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path))
    monkeypatch.delenv("TFRET_MIT_SPLIT", raising=False)
    with pytest.raises(UserError, match="run `tfret data prepare mit-split"):
        mit_split.folder()
    assert not mit_split.is_prepared()
    mit_split.prepare(str(archive_of(tmp_path)))
    assert mit_split.folder() == tmp_path / "mit-split"
    assert mit_split.is_prepared()
    (tmp_path / "mit-split" / PATHS[0]).unlink()
    assert not mit_split.is_prepared()
    monkeypatch.setenv("TFRET_MIT_SPLIT", str(tmp_path))
    assert mit_split.folder() == tmp_path


def test_the_manifest_is_the_split_of_the_study():
    entries = mit_split.manifest()
    parts = [PurePosixPath(entry.path).parts for entry in entries]
    assert len(entries) == len({entry.path for entry in entries}) == 2688
    assert sum(part[0] == "train" for part in parts) == 1881
    assert len({part[1] for part in parts}) == 8
    assert len({part[1:] for part in parts}) == 2688, "a name of the archive belongs to one place"


@pytest.mark.real
def test_an_archive_of_the_real_photographs_becomes_the_real_folder(mit_split, tmp_path):
    from tfretrieval.data.mit_split import prepare, verify

    files = sorted(mit_split.rglob("*.jpg"))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for file in files:
            archive.write(file, f"all/{ORIGINAL.get(file.parent.name, file.parent.name)}_{file.name}")
    target = prepare(str(tmp_path / "archive.zip"), tmp_path / "out")
    assert verify(target) == verify(mit_split) == []
