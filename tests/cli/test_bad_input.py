"""Every mistake ends in one clear line and a non-zero exit, and what was there is still there."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index

QUICK = ("--epochs", 1, "--steps-per-epoch", 1, "--image-size", 16, "--images-per-class", 2, "--batch-size", 4)


def tree_of(folder: Path) -> dict[str, str]:
    """{relative path: hash of the contents} of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def data(scenes, tmp_path) -> Path:
    """A copy of the scenes that a test may spoil."""
    return Path(shutil.copytree(scenes, tmp_path / "scenes"))


def images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def refused(tfret, *arguments: object) -> str:
    outcome = tfret(*arguments)
    assert outcome.code == 1
    assert outcome.out == ""
    return outcome.error


def train_refused(tfret, data: object, tmp_path: Path, *more: object) -> str:
    """What `tfret train` says of a source; nothing may be left behind but at most an empty beginning."""
    line = refused(tfret, "train", "triplet", "--data", data, "--run", tmp_path / "new", *QUICK, *more)
    assert not (tmp_path / "new" / "model.keras").exists()
    return line


def test_a_missing_folder(tfret, tmp_path):
    assert "no folder or file" in train_refused(tfret, tmp_path / "nowhere", tmp_path)


def test_a_file_that_is_no_csv(tfret, tmp_path):
    (tmp_path / "data.txt").write_text("hello")
    assert "is a file but not a CSV" in train_refused(tfret, tmp_path / "data.txt", tmp_path)


def test_a_folder_without_classes(tfret, tmp_path):
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat" / "a.jpg")
    assert "has no class folders" in train_refused(tfret, tmp_path / "flat", tmp_path)


def test_one_class(tfret, data, tmp_path):
    for name in sorted(os.listdir(data / "train"))[1:]:
        shutil.rmtree(data / "train" / name)
        shutil.rmtree(data / "test" / name)
    assert "only one class" in train_refused(tfret, data, tmp_path)


def test_the_folder_above_the_data_gives_a_hint(tfret, data, tmp_path):
    (tmp_path / "outer").mkdir()
    data.rename(tmp_path / "outer" / "scenes")
    assert f"did you mean {tmp_path / 'outer' / 'scenes'}?" in train_refused(tfret, tmp_path / "outer", tmp_path)


def test_an_empty_class(tfret, data, tmp_path):
    (data / "train" / "void").mkdir()
    assert "void has no images" in train_refused(tfret, data, tmp_path)


def test_a_class_with_one_image(tfret, data, tmp_path):
    (data / "train" / "lone").mkdir()
    shutil.copy(images(data)[0], data / "train" / "lone" / "a.png")
    assert "class 'lone' has one training image" in train_refused(tfret, data, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"this is text", "not a JPEG"), ("truncated", "truncated")],
    ids=["0 bytes", "text", "truncated"],
)
def test_an_image_that_cannot_be_decoded_is_named_before_training(tfret, data, tmp_path, content, reason):
    victim = next(path for path in images(data / "train"))
    broken = victim.with_name("broken.jpg")
    if content == "truncated":
        noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        Image.fromarray(noise).save(broken)
        content = broken.read_bytes()[:-5000]
    broken.write_bytes(content)
    line = train_refused(tfret, data, tmp_path)
    assert str(broken) in line
    assert reason in line
    assert "--on-error skip" in line


def test_broken_images_are_skipped_and_listed_when_asked(tfret, data, tmp_path):
    broken = data / "train" / sorted(os.listdir(data / "train"))[0] / "broken.jpg"
    broken.write_bytes(b"no image")
    outcome = tfret("train", "triplet", "--data", data, "--run", tmp_path / "new", *QUICK, "--on-error", "skip")
    assert outcome.code == 0
    assert f"skipped {broken}" in outcome.err
    embedded = tfret("embed", "--run", tmp_path / "new", "--on-error", "skip", "--json")
    assert embedded.code == 0
    assert f"skipped {broken}" in embedded.err
    elsewhere = ("--data", data, "--split", "train", "--output", tmp_path / "out")
    assert "broken.jpg" in refused(tfret, "embed", "--run", tmp_path / "new", *elsewhere)


def test_nothing_but_broken_images(tfret, data, tmp_path):
    for path in images(data):
        path.write_bytes(b"no image")
    assert "cannot decode" in train_refused(tfret, data, tmp_path, "--on-error", "skip")


def test_unusual_images_and_names_are_read(tfret, data, tmp_path):
    folder = data / "train" / sorted(os.listdir(data / "train"))[0] / "nested folder" / "größer 写真"
    folder.mkdir(parents=True)
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))
    rgb.convert("CMYK").save(folder / "cmyk ä.jpg")
    rgb.convert("RGBA").save(folder / "alpha.png")
    rgb.convert("L").save(folder / "gray.jpg")
    Image.fromarray(np.full((20, 30), 40000, np.uint16)).save(folder / "16 bit.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(folder / "rotated.JPG", exif=exif)
    outcome = tfret("train", "triplet", "--data", data, "--run", tmp_path / "ünï", *QUICK)
    assert outcome.code == 0
    assert tfret("evaluate", "--run", tmp_path / "ünï", "-k", 1, "--json").code == 0


def write_csv(path: Path, columns: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def test_a_csv_without_its_columns(tfret, data, tmp_path):
    path = write_csv(tmp_path / "a.csv", ["file", "label"], [[images(data)[0], "x"]])
    assert "has no column path" in train_refused(tfret, path, tmp_path)


def test_a_csv_with_missing_files(tfret, data, tmp_path):
    rows = [[images(data)[0], "x"], ["gone.jpg", "y"]]
    line = train_refused(tfret, write_csv(tmp_path / "a.csv", ["path", "label"], rows), tmp_path)
    assert "lists 1 files that do not exist" in line
    assert "gone.jpg" in line


def test_a_csv_with_a_flag_that_is_none(tfret, data, tmp_path):
    rows = [[images(data)[0], "x", "perhaps"], [images(data)[-1], "y", "true"]]
    path = write_csv(tmp_path / "a.csv", ["path", "label", "is_query"], rows)
    assert "line 2: is_query is 'perhaps'" in train_refused(tfret, path, tmp_path)


def test_a_csv_that_lists_a_file_twice(tfret, data, tmp_path):
    rows = [[images(data)[0], "x"], [images(data)[0], "y"]]
    path = write_csv(tmp_path / "a.csv", ["path", "label"], rows)
    assert "more than once" in train_refused(tfret, path, tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--loss", "hinge", "hinge"),
        ("--backbone", "resnet9", "resnet9"),
        ("--backbone", "resnet50_0.5", "width"),
        ("--weights", "imagenet", "--weights none"),
        ("--steps-per-epoch", 0, None),
        ("--image-size", 2, None),
        ("--margin", -1, None),
        ("--pca", 3, None),
    ],
)
def test_a_wrong_option(tfret, scenes, tmp_path, option, value, message):
    outcome = tfret("train", "triplet", "--data", scenes, "--run", tmp_path / "new", *QUICK, option, value)
    if message is None:
        assert outcome.code == 2
        assert option in outcome.err
    else:
        assert outcome.code == 1
        assert message in outcome.error
    assert not (tmp_path / "new" / "model.keras").exists()


def test_weights_that_are_missing_or_of_another_kind(tfret, scenes, tmp_path):
    (tmp_path / "text.h5").write_text("no weights")
    base = ("--backbone", "mobilenet_v2_0.35", "--image-size", 32, "--weights")
    assert "gone.h5" in train_refused(tfret, scenes, tmp_path, *base, tmp_path / "gone.h5")
    shutil.rmtree(tmp_path / "new", ignore_errors=True)
    assert "does not hold weights" in train_refused(tfret, scenes, tmp_path, *base, tmp_path / "text.h5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: [", "is not YAML"),
        ("epoch: 3", "'epoch'"),
        ("margin: many", "must be of type float"),
        ("- 1", "must hold lines"),
    ],
)
def test_a_wrong_config_file(tfret, scenes, tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    assert message in train_refused(tfret, scenes, tmp_path, "--config", tmp_path / "c.yaml")


def test_no_run(tfret, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "there is no run below runs/" in refused(tfret, "evaluate")
    assert "is not a run" in refused(tfret, "evaluate", "--run", tmp_path)


def test_a_run_that_is_there_already_is_not_touched(tfret, scenes, run):
    before = tree_of(run)
    line = refused(tfret, "train", "triplet", "--data", scenes, "--run", run, *QUICK)
    assert "--overwrite" in line
    assert tree_of(run) == before


def test_a_folder_with_other_things_is_not_touched(tfret, scenes, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "thesis.txt").write_text("precious")
    assert "is not a run" in train_refused(tfret, scenes, tmp_path)
    line = refused(tfret, "train", "triplet", "--data", scenes, "--run", tmp_path / "new", *QUICK, "--overwrite")
    assert "is not a run" in line
    assert (tmp_path / "new" / "thesis.txt").read_text() == "precious"


def test_resume_with_another_figure_or_other_data(tfret, data, scenes, tmp_path):
    assert tfret("train", "triplet", "--data", data, "--run", tmp_path / "new", *QUICK).code == 0
    line = refused(tfret, "train", "triplet", "--run", tmp_path / "new", "--resume", "--margin", 7)
    assert "margin 1.0, not 7.0" in line
    images(data / "train")[0].unlink()
    assert "have changed since" in refused(tfret, "train", "--run", tmp_path / "new", "--resume")


def test_an_unknown_split(tfret, run):
    assert "has no split 'dev'; it has test, train" in refused(tfret, "embed", "--run", run, "--split", "dev")
    assert "has no split 'dev'" in refused(tfret, "evaluate", "--run", run, "--query-split", "dev")


def test_more_neighbors_than_the_gallery_has(tfret, run, scenes):
    line = refused(tfret, "query", images(scenes)[0], "--run", run, "-k", 1000)
    assert "the gallery has 18 items" in line
    assert "18" in refused(tfret, "evaluate", "--run", run, "-k", 1000)


def test_more_components_than_there_can_be(tfret, run):
    assert "10" in refused(tfret, "index", "--run", run, "--pca", 11)


@pytest.mark.parametrize("pca", ["-1", "0", "2.5", "all"])
def test_components_that_are_none(tfret, run, pca):
    assert tfret("index", "--run", run, "--pca", pca).code == 2


@pytest.mark.parametrize("factory", ["Flatt", "IVF4096,Flat"])
def test_a_factory_string_that_faiss_cannot_use(tfret, run, factory):
    assert factory in refused(tfret, "index", "--run", run, "--retriever", "faiss", "--factory", factory)
    assert not run.joinpath("index").exists()


def test_faiss_options_for_knn(tfret, run):
    assert "belongs to --retriever faiss" in refused(tfret, "index", "--run", run, "--factory", "Flat")


def test_a_query_image_that_is_missing_or_broken(tfret, run, tmp_path):
    assert "no image" in refused(tfret, "query", tmp_path / "gone.jpg", "--run", run)
    assert "is a folder" in refused(tfret, "query", tmp_path, "--run", run)
    (tmp_path / "text.jpg").write_text("no image")
    assert "text.jpg" in refused(tfret, "query", tmp_path / "text.jpg", "--run", run)


def test_a_query_lists_what_it_skipped(tfret, data, run, tmp_path):
    broken, whole = tmp_path / "text.jpg", images(data)[0]
    broken.write_text("no image")
    outcome = tfret("query", broken, whole, "--run", run, "--on-error", "skip", "--json")
    found = json.loads(outcome.out)
    assert found["skipped"] == [str(broken)]
    assert [answer["image"] for answer in found["answers"]] == [str(whole)]


def test_a_query_for_a_class_or_a_split_that_is_not_there(tfret, data, run):
    image = images(data)[0]
    assert "no class 'nope'; it has field, sea, town" in refused(tfret, "query", image, "--run", run, "--class", "nope")
    assert "no split 'nope'; it has train" in refused(tfret, "query", image, "--run", run, "--split", "nope")


@pytest.mark.parametrize("name", ["index.json", "transform/transform.json", "retriever/retriever.json"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda file: file.write_text("{")], ids=["gone", "half"])
def test_an_index_without_one_of_its_files_says_how_to_make_it_anew(tfret, data, run, name, harm):
    assert tfret("index", "--run", run).code == 0
    harm(run / "index/knn" / name)
    line = refused(tfret, "query", images(data)[0], "--run", run)
    assert name in line
    assert f"rebuild it with `tfret index --run {run} --retriever knn`" in line


def test_the_settings_of_an_index_that_cannot_be_read_are_said_to_be_lost(tfret, run):
    index = ("index", "--run", run, "--retriever", "faiss")
    assert tfret(*index, "--pca", 2).code == 0
    spoil(run / "index/faiss/retriever/index.faiss")
    assert "cannot be read" not in tfret(*index).err
    assert json.loads((run / "index/faiss/index.json").read_text())["settings"]["pca"] == 2
    (run / "index/faiss/index.json").write_text("x")
    assert "settings of the faiss index cannot be read" in tfret(*index).err
    assert json.loads((run / "index/faiss/index.json").read_text())["settings"]["pca"] is None


@pytest.mark.parametrize("name", ["embeddings.json", "vectors.npy", "items.parquet"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda file: file.write_text("[1, 2]")], ids=["gone", "other"])
def test_a_store_without_one_of_its_files_is_made_anew_by_embed(tfret, data, run, name, harm):
    assert tfret("index", "--run", run).code == 0
    harm(run / "embeddings/train" / name)
    for command in (("evaluate", "-k", 1), ("query", images(data)[0])):
        line = refused(tfret, *command, "--run", run)
        assert "`tfret embed`" in line
        assert "pickle" not in line
    assert "re-embedded" in tfret("embed", "--run", run).err
    assert tfret("evaluate", "--run", run, "-k", 1).code == 0


@pytest.mark.parametrize("name", ["run.json", "config.yaml"])
@pytest.mark.parametrize("content", ["[1, 2]", "{", "{}", None])
def test_a_run_whose_description_is_damaged_says_so(tfret, run, name, content):
    (run / name).unlink() if content is None else (run / name).write_text(content)
    for command in ("evaluate", "embed", "report"):
        line = refused(tfret, command, "--run", run)
        assert name in line
        assert "train" in line


def test_going_on_with_what_is_no_run(tfret, tmp_path):
    assert "is not a run" in refused(tfret, "train", "--resume", "--run", tmp_path / "nope")


def test_half_a_model_is_all_that_is_told_of(tfret, data, run):
    assert tfret("index", "--run", run).code == 0
    spoil(run / "model.keras")
    outcome = tfret("query", images(data)[0], "--run", run)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "model.keras is damaged" in outcome.error


def test_a_line_end_in_a_name_does_not_end_the_line(tfret, data, tmp_path):
    broken = data / "train" / "sea" / "two\nlines.jpg"
    broken.write_bytes(b"no image")
    assert "two\\nlines.jpg" in train_refused(tfret, data, tmp_path)
    found = tfret("data", "audit", data)
    assert "broken: train/sea/two\\nlines.jpg:" in found.out


def test_a_stale_index_is_rebuilt_and_never_mixed_in(tfret, scenes, run):
    first = tfret("evaluate", "--run", run, "-k", 1, "--json")
    assert first.code == 0
    old = Embeddings.load(run / "embeddings/train").fingerprint
    again = ("train", "triplet", "--data", scenes, "--run", run / "other", *QUICK, "--seed", 5)
    assert tfret(*again).code == 0
    shutil.copy(run / "other" / "model.keras", run / "model.keras")
    second = tfret("evaluate", "--run", run, "-k", 1, "--json")
    assert "stale" in second.err
    fresh = tfret("evaluate", "--run", run / "other", "-k", 1, "--json")
    assert fresh.code == second.code == 0
    stores = [Embeddings.load(folder / "embeddings/train") for folder in (run, run / "other")]
    assert stores[0].fingerprint == stores[1].fingerprint != old
    assert Index.load(run / "index/knn").gallery == stores[0].fingerprint


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "artefact",
    [
        "model.keras",
        "config.yaml",
        "run.json",
        "embeddings/train/vectors.npy",
        "embeddings/train/items.parquet",
        "embeddings/train/embeddings.json",
        "index/knn/index.json",
        "index/knn/retriever/retriever.json",
        "index/knn/retriever/vectors.npy",
        "index/knn/transform/transform.npz",
    ],
)
def test_a_damaged_artefact(tfret, run, artefact):
    assert tfret("evaluate", "--run", run, "-k", 1, "--pca", 2).code == 0
    spoil(run / artefact)
    line = refused(tfret, "evaluate", "--run", run, "-k", 1)
    assert Path(artefact).parts[0].split(".")[0] in line


def test_embed_mends_a_damaged_store(tfret, run):
    assert tfret("embed", "--run", run).code == 0
    spoil(run / "embeddings/train/vectors.npy")
    assert tfret("embed", "--run", run).code == 0
    assert len(Embeddings.load(run / "embeddings/train")) == 18


def test_index_mends_a_damaged_index(tfret, run):
    assert tfret("index", "--run", run).code == 0
    spoil(run / "index/knn/retriever/vectors.npy")
    assert "rebuild it with `tfret index --run" in refused(tfret, "evaluate", "--run", run)
    mended = tfret("index", "--run", run)
    assert mended.code == 0
    assert "is damaged" in mended.err
    assert tfret("evaluate", "--run", run).code == 0


def test_a_model_of_another_kind(tfret, run):
    import keras

    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save(run / "model.keras")
    assert "is not an embedder" in refused(tfret, "embed", "--run", run)


def test_a_damaged_checkpoint(tfret, run):
    state = next((run / "checkpoints").glob("epoch-*/network.keras"))
    spoil(state)
    assert "is damaged" in refused(tfret, "train", "--run", run, "--resume", "--epochs", 5)


def test_an_output_that_cannot_be_written(tfret, run, scenes, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in refused(tfret, "export", "--run", run, "--output", tmp_path / "file" / "x")
    line = refused(tfret, "train", "triplet", "--data", scenes, "--run", tmp_path / "file" / "x", *QUICK)
    assert "cannot write" in line
    assert (tmp_path / "file").read_text() == "in the way"


def test_export_does_not_replace_a_folder_of_other_things(tfret, run, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("precious")
    assert "photos exists" in refused(tfret, "export", "--run", run, "--output", tmp_path / "photos")
    assert (tmp_path / "photos" / "a.txt").exists()


@pytest.mark.parametrize("split", ["train", "all"])
def test_embed_does_not_replace_a_folder_of_photos(tfret, run, data, split):
    before = tree_of(data)
    arguments = ("embed", "--run", run, "--data", data, "--split", split, "--output", data)
    assert "contains other files" in refused(tfret, *arguments)
    assert tree_of(data) == before


def test_a_figure_is_a_png_and_never_replaces_a_photo(tfret, run, data):
    photo = images(data)[0].rename(data / "photo.jpg")
    before = tree_of(data)
    assert tfret("query", photo, "--run", run, "-k", 1, "--figure", photo).code == 2
    assert tree_of(data) == before


def test_overwrite_keeps_the_old_run_until_the_new_one_can_begin(tfret, run, data):
    before = tree_of(run)
    anew = ("train", "triplet", "--data", data, "--run", run, *QUICK, "--overwrite")
    images(data / "train")[0].write_bytes(b"no image")
    assert "cannot decode" in refused(tfret, *anew)
    assert "resnet9" in refused(tfret, *anew, "--backbone", "resnet9")
    assert tree_of(run) == before


def test_a_full_disk_keeps_what_was_there(tfret, run, monkeypatch):
    assert tfret("embed", "--run", run).code == 0
    before = tree_of(run / "embeddings")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (run / "model.keras").write_bytes((run / "model.keras").read_bytes())
    monkeypatch.setattr(os, "posix_fallocate", full)
    shutil.rmtree(run / "embeddings" / "test")
    assert "No space left on device" in refused(tfret, "embed", "--run", run, "--split", "test")
    assert {k: v for k, v in before.items() if k.startswith("train")} == tree_of(run / "embeddings")


def test_stores_that_do_not_fit(tfret, tmp_path):
    labels = [0, 1, 0, 1]
    Embeddings.from_arrays(np.eye(4), labels).save(tmp_path / "a")
    Embeddings.from_arrays(np.ones((4, 3)), labels).save(tmp_path / "b")
    stores = ("evaluate", "--gallery", tmp_path / "a", "-k", 1, "--queries")
    line = refused(tfret, *stores, tmp_path / "b")
    assert "3" in line
    assert "4" in line
    assert "is not an embedding store" in refused(tfret, *stores, tmp_path)
    assert tfret("evaluate", "--gallery", tmp_path / "a").code == 2


def test_a_threshold_on_no_metric(tfret, run):
    assert "no metric 'mep'" in refused(tfret, "evaluate", "--run", run, "-k", 1, "--fail-under", "mep=0.5")
    assert tfret("evaluate", "--run", run, "-k", 1, "--fail-under", "map").code == 2


def test_unknown_models_of_a_study(tfret, tmp_path):
    outcome = tfret("study", "--data", "digits", "--models", "resnet,vgg", "--output", tmp_path / "s")
    assert outcome.code == 2
    assert "--models" in outcome.err


def test_an_unknown_command(tfret):
    outcome = tfret("trian")
    assert outcome.code == 2
    assert "trian" in outcome.err


def test_an_archive_that_is_none(tfret, tmp_path):
    assert "no archive" in refused(
        tfret, "data", "prepare", "mit-split", "--archive", tmp_path / "gone.zip", "--output", tmp_path / "out"
    )
    (tmp_path / "text.zip").write_text("no zip")
    assert "not a whole zip" in refused(
        tfret, "data", "prepare", "mit-split", "--archive", tmp_path / "text.zip", "--output", tmp_path / "out"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target-recall", 0.9, "--factory", "Flat"), "give the one or the others"),
        (("--nprobe", 3, "--target-recall", 0.9), "give the one or the others"),
        (("--target-recall", 1.5), "--target-recall"),
        (("--target-recall", 0), "--target-recall"),
    ],
)
def test_a_target_recall_that_cannot_be(tfret, options, message):
    outcome = tfret("index", "--retriever", "faiss", *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_more_neighbors_in_a_figure_than_the_gallery_has(tfret, run):
    assert "cannot draw 30 neighbors: the gallery has 17 items" in refused(
        tfret, "visualize", "neighbors", "--run", run, "-k", 30
    )


def test_stores_of_different_models_are_not_compared(tfret, run, tmp_path):
    assert tfret("embed", "--run", run, "--output", tmp_path / "e").code == 0
    header = json.loads((tmp_path / "e" / "test" / "embeddings.json").read_text())
    header["made_from"]["model"] = "another"
    (tmp_path / "e" / "test" / "embeddings.json").write_text(json.dumps(header))
    stores = ("--gallery", tmp_path / "e" / "train", "--queries", tmp_path / "e" / "test")
    assert "were embedded by different models" in refused(tfret, "evaluate", *stores)


def test_a_loss_that_there_is_not_is_refused_before_anything_is_loaded(tfret, scenes, tmp_path):
    said = refused(tfret, "train", "resnet", "--data", scenes, "--run", tmp_path / "r", "--loss", "foo")
    assert "'foo'" in said
    assert not (tmp_path / "r").exists()


def test_retriever_milvus_takes_its_own_options_only(tfret, run):
    assert "--uri belongs to --retriever milvus" in refused(tfret, "index", "--run", run, "--uri", "x.db")
    assert "a path must end in .db" in refused(tfret, "index", "--run", run, "--retriever", "milvus", "--uri", "x")
    wrong = tfret("index", "--run", run, "--retriever", "milvus", "--index-param", "M")
    assert wrong.code == 2
    assert "is not of the form M=16" in wrong.err
    wrong = tfret("study", "--data", "digits", "--uri", "x.db")
    assert wrong.code == 2
    assert "--uri needs milvus among --retrievers" in wrong.err


def test_an_address_without_ray(tfret, run):
    assert "--address belongs to --engine ray" in refused(tfret, "embed", "--run", run, "--address", "auto")


def test_remote_images_need_ray(tfret, run, tmp_path):
    (tmp_path / "remote.csv").write_text("path,label\nhttp://localhost:9/a.jpg,a\nhttp://localhost:9/b.jpg,b\n")
    said = refused(tfret, "embed", "--run", run, "--data", tmp_path / "remote.csv", "--split", "train")
    assert "is not a file of this machine; --engine ray reads it" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--suspects", -1), "--suspects"),
        (("--page", "a.jpg"), "a name that ends in .html"),
        (("--retriever", "x"), ""),
    ],
)
def test_an_audit_with_wrong_options(tfret, scenes, options, message):
    outcome = tfret("data", "audit", scenes, *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_an_audit_of_what_is_no_data_set(tfret, data, run, tmp_path):
    assert "no folder or file" in refused(tfret, "data", "audit", tmp_path / "nowhere")
    (data / "train" / "void").mkdir()
    assert "void has no images" in refused(tfret, "data", "audit", data)
    one = write_csv(tmp_path / "one.csv", ["path", "label"], [[path, "x"] for path in images(data)])
    assert "has 1 class" in refused(tfret, "data", "audit", one)
    rows = [["s3://bucket/a.jpg", "x"], ["s3://bucket/b.jpg", "y"]]
    remote = write_csv(tmp_path / "remote.csv", ["path", "label"], rows)
    assert "audit reads local files only" in refused(tfret, "data", "audit", remote)


def test_an_audit_with_what_is_no_run(tfret, scenes, run, tmp_path):
    assert "is not a run" in refused(tfret, "data", "audit", scenes, "--run", tmp_path / "gone")
    spoil(run / "model.keras")
    assert "model.keras" in refused(tfret, "data", "audit", scenes, "--run", run)


def test_a_page_of_an_audit_that_cannot_be_written(tfret, scenes, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in refused(tfret, "data", "audit", scenes, "--page", tmp_path / "file" / "a.html")
    assert (tmp_path / "file").read_text() == "in the way"
