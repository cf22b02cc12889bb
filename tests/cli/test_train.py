"""`tfret train`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from tfretrieval.cli.train import _click_type
from tfretrieval.runs import Run
from tfretrieval.training.config import OPTIONS
from tfretrieval.training.option import Option

QUICK = ("--epochs", 2, "--steps-per-epoch", 2, "--image-size", 16, "--images-per-class", 3, "--batch-size", 4)


@pytest.fixture
def train_fails(tfret, tmp_path):
    """Train on a source, which must fail without leaving a model; return the error line."""

    def train(data: object, *options: object) -> str:
        error = tfret("train", "triplet", "--data", data, "--run", tmp_path / "new", *QUICK, *options).failure
        assert not (tmp_path / "new" / "model.keras").exists()
        return error

    return train


def test_the_former_name_of_an_option_still_works(tfret, scenes, tmp_path):
    options = ("--data", scenes, "--run", tmp_path / "r", "--epochs", 0, "--image-size", 16)
    assert tfret("train", "triplet", *options, "--fit", "pad").code == 0
    assert Run(tmp_path / "r").config()["resize_mode"] == "pad"


@pytest.mark.parametrize("recipe", ["siamese", "triplet"])
def test_train_prints_the_model_path_and_best_epoch(tfret, scenes, tmp_path, recipe):
    result = tfret("train", recipe, "--data", scenes, "--run", tmp_path / "r", *QUICK, "--json").result
    assert Path(result["model"]).is_file()
    assert result["epochs"] == 2
    assert 0 <= result["val_map"] <= 1


@pytest.mark.slow
def test_resnet_trains_with_any_backbone(tfret, scenes, tmp_path):
    options = ("--backbone", "mobilenet_v2_0.35", "--weights", "none", "--image-size", 32, "--epochs", 1)
    result = tfret("train", "resnet", "--data", scenes, "--run", tmp_path / "r", *options, "--json").result
    stores = tfret("embed", "--run", tmp_path / "r", "--json").result["stores"]
    assert result["best_epoch"] == 1
    assert {store["dim"] for store in stores} == {1280}


def test_zero_epochs_save_the_untrained_model(tfret, scenes, tmp_path):
    result = tfret(
        "train", "triplet", "--data", scenes, "--run", tmp_path / "r", "--epochs", 0, "--image-size", 16, "--json"
    ).result
    assert result["epochs"] == 0
    assert result["best_epoch"] is None
    assert tfret("evaluate", "--run", tmp_path / "r", "-k", 1).code == 0


def test_options_override_the_config_file(tfret, scenes, tmp_path):
    import yaml

    (tmp_path / "c.yaml").write_text("recipe: triplet\nmargin: 0.5\nepochs: 9\nlearning_rate: 1\n")
    outcome = tfret(
        "train",
        "--config",
        tmp_path / "c.yaml",
        "--data",
        scenes,
        "--run",
        tmp_path / "r",
        "--image-size",
        16,
        "--epochs",
        0,
    )
    assert outcome.code == 0, outcome.err
    config = yaml.safe_load((tmp_path / "r" / "config.yaml").read_text())
    assert (config["margin"], config["epochs"], config["learning_rate"]) == (0.5, 0, 1.0)


def test_overwrite_retrains(tfret, scenes, run):
    before = (run / "model.keras").read_bytes()
    tfret("train", "triplet", "--data", scenes, "--run", run, *QUICK, "--seed", 3, "--overwrite")
    assert (run / "model.keras").read_bytes() != before


def test_a_missing_folder_is_an_error(tfret, tmp_path, train_fails):
    assert "nowhere" in train_fails(tmp_path / "nowhere")


def test_a_file_that_is_no_csv_is_an_error(tfret, tmp_path, train_fails):
    (tmp_path / "data.txt").write_text("hello")
    assert "data.txt" in train_fails(tmp_path / "data.txt")


def test_a_folder_without_class_folders_is_an_error(tfret, tmp_path, train_fails):
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat" / "a.jpg")
    assert "flat" in train_fails(tmp_path / "flat")


def test_a_single_class_is_an_error(tfret, data, tmp_path, train_fails):
    for name in sorted(os.listdir(data / "train"))[1:]:
        shutil.rmtree(data / "train" / name)
        shutil.rmtree(data / "test" / name)
    assert "one class" in train_fails(data)


def test_the_parent_of_the_data_gives_a_hint(tfret, data, tmp_path, train_fails):
    (tmp_path / "outer").mkdir()
    data.rename(tmp_path / "outer" / "scenes")
    assert str(tmp_path / "outer" / "scenes") in train_fails(tmp_path / "outer")


def test_an_empty_class_is_an_error(tfret, data, tmp_path, train_fails):
    (data / "train" / "void").mkdir()
    assert "void" in train_fails(data)


def test_a_class_with_one_image_is_an_error(tfret, data, tmp_path, images, train_fails):
    (data / "train" / "lone").mkdir()
    shutil.copy(images(data)[0], data / "train" / "lone" / "a.png")
    assert "lone" in train_fails(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"text", "not a JPEG, PNG, BMP"), ("truncated", "truncated")],
    ids=["0 bytes", "text", "truncated"],
)
def test_unreadable_images_are_named_before_training(tfret, data, tmp_path, content, reason, images, train_fails):
    victim = next(path for path in images(data / "train"))
    broken = victim.with_name("broken.jpg")
    if content == "truncated":
        noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        Image.fromarray(noise).save(broken)
        content = broken.read_bytes()[:-5000]
    broken.write_bytes(content)
    line = train_fails(data)
    assert str(broken) in line
    assert reason in line
    assert "--on-error skip" in line


def test_on_error_skip_lists_skipped_images(tfret, data, tmp_path):
    broken = data / "train" / sorted(os.listdir(data / "train"))[0] / "broken.jpg"
    broken.write_bytes(b"no image")
    outcome = tfret("train", "triplet", "--data", data, "--run", tmp_path / "new", *QUICK, "--on-error", "skip")
    assert outcome.code == 0
    assert f"skipped {broken}" in outcome.err
    embedded = tfret("embed", "--run", tmp_path / "new", "--on-error", "skip", "--json")
    assert embedded.code == 0
    assert f"skipped {broken}" in embedded.err
    elsewhere = ("--data", data, "--split", "train", "--output", tmp_path / "out")
    assert "broken.jpg" in tfret("embed", "--run", tmp_path / "new", *elsewhere).failure


def test_a_line_break_in_a_file_name_is_escaped(data, train_fails):
    (data / "train" / "sea" / "two\nlines.jpg").write_bytes(b"no image")
    assert "two\\nlines.jpg" in train_fails(data)


def test_only_unreadable_images_are_an_error(tfret, data, tmp_path, images, train_fails):
    for path in images(data):
        path.write_bytes(b"no image")
    assert str(data) in train_fails(data, "--on-error", "skip")


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


def test_a_csv_without_a_path_column_is_an_error(tfret, data, tmp_path, images, write_csv, train_fails):
    path = write_csv(tmp_path / "a.csv", ["file", "label"], [[images(data)[0], "x"]])
    assert "column path" in train_fails(path)


def test_a_csv_with_missing_files_is_an_error(tfret, data, tmp_path, images, write_csv, train_fails):
    rows = [[images(data)[0], "x"], ["gone.jpg", "y"]]
    line = train_fails(write_csv(tmp_path / "a.csv", ["path", "label"], rows))
    assert "gone.jpg" in line


def test_an_invalid_flag_in_a_csv_is_an_error(tfret, data, tmp_path, images, write_csv, train_fails):
    rows = [[images(data)[0], "x", "perhaps"], [images(data)[-1], "y", "true"]]
    path = write_csv(tmp_path / "a.csv", ["path", "label", "is_query"], rows)
    assert "is_query" in train_fails(path)


def test_a_repeated_file_in_a_csv_is_an_error(tfret, data, tmp_path, images, write_csv, train_fails):
    rows = [[images(data)[0], "x"], [images(data)[0], "y"]]
    path = write_csv(tmp_path / "a.csv", ["path", "label"], rows)
    assert "a.csv" in train_fails(path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--loss", "hinge", "hinge"),
        ("--backbone", "resnet9", "resnet9"),
        ("--backbone", "resnet50_0.5", "--backbone resnet50"),
        ("--weights", "imagenet", "weights"),
        ("--steps-per-epoch", 0, None),
        ("--image-size", 2, None),
        ("--margin", -1, None),
        ("--pca", 3, None),
    ],
)
def test_an_invalid_option_is_an_error(tfret, scenes, tmp_path, option, value, message):
    outcome = tfret("train", "triplet", "--data", scenes, "--run", tmp_path / "new", *QUICK, option, value)
    if message is None:
        assert outcome.code == 2
        assert option in outcome.err
    else:
        assert outcome.code == 1
        assert message in outcome.error
    assert not (tmp_path / "new" / "model.keras").exists()


def test_missing_or_invalid_weights_are_an_error(tfret, scenes, tmp_path, train_fails):
    (tmp_path / "text.h5").write_text("no weights")
    base = ("--backbone", "mobilenet_v2_0.35", "--image-size", 32, "--weights")
    assert "gone.h5" in train_fails(scenes, *base, tmp_path / "gone.h5")
    shutil.rmtree(tmp_path / "new", ignore_errors=True)
    assert "text.h5" in train_fails(scenes, *base, tmp_path / "text.h5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: [", "c.yaml"),
        ("epoch: 3", "c.yaml: unknown setting 'epoch'; did you mean 'epochs'?"),
        ("margin: many", "c.yaml: margin"),
        ("- 1", "c.yaml"),
    ],
)
def test_an_invalid_config_file_is_an_error(tfret, scenes, tmp_path, text, message, train_fails):
    (tmp_path / "c.yaml").write_text(text)
    assert message in train_fails(scenes, "--config", tmp_path / "c.yaml")


def test_an_existing_run_is_not_changed(tfret, scenes, run, tree_of):
    before = tree_of(run)
    assert str(run) in tfret("train", "triplet", "--data", scenes, "--run", run, *QUICK).failure
    assert tree_of(run) == before


def test_a_folder_with_other_files_is_not_changed(tfret, scenes, tmp_path, train_fails):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "thesis.txt").write_text("precious")
    assert "not a run" in train_fails(scenes)
    line = tfret("train", "triplet", "--data", scenes, "--run", tmp_path / "new", *QUICK, "--overwrite").failure
    assert "run" in line
    assert (tmp_path / "new" / "thesis.txt").read_text() == "precious"


def test_resume_with_other_settings_or_data_is_an_error(tfret, data, scenes, tmp_path, images):
    assert tfret("train", "triplet", "--data", data, "--run", tmp_path / "new", *QUICK).code == 0
    line = tfret("train", "triplet", "--run", tmp_path / "new", "--resume", "--margin", 7).failure
    assert "margin" in line
    images(data / "train")[0].unlink()
    assert "data" in tfret("train", "--run", tmp_path / "new", "--resume").failure


def test_resuming_without_a_run_is_an_error(tfret, tmp_path):
    assert "not a run" in tfret("train", "--resume", "--run", tmp_path / "nope").failure


def test_a_damaged_checkpoint_is_an_error(tfret, run, truncate):
    state = next((run / "checkpoints").glob("epoch-*/network.keras"))
    truncate(state)
    assert "checkpoints" in tfret("train", "--run", run, "--resume", "--epochs", 5).failure


def test_overwrite_keeps_the_old_run_if_training_cannot_start(tfret, run, data, images, tree_of):
    before = tree_of(run)
    overwrite = ("train", "triplet", "--data", data, "--run", run, *QUICK, "--overwrite")
    images(data / "train")[0].write_bytes(b"no image")
    assert str(data) in tfret(*overwrite).failure
    assert "resnet9" in tfret(*overwrite, "--backbone", "resnet9").failure
    assert tree_of(run) == before


def test_an_unknown_loss_is_an_error_before_the_run_is_created(tfret, scenes, tmp_path):
    error = tfret("train", "resnet", "--data", scenes, "--run", tmp_path / "r", "--loss", "foo").failure
    assert "'foo'" in error
    assert not (tmp_path / "r").exists()


def test_a_missing_recipe_is_wrong_usage(tfret):
    outcome = tfret("train")
    assert outcome.code == 2
    assert "RECIPE" in outcome.err


@pytest.mark.parametrize(
    ("option", "accepted", "rejected"),
    [
        (OPTIONS["epochs"], "0", "-1"),
        (OPTIONS["learning_rate"], "0.1", "0"),
        (OPTIONS["ema"], "0", "1"),
        (OPTIONS["augment"], "flip", "turn"),
        (Option(float), "-3.5", "x"),
    ],
)
def test_options_accept_the_values_of_their_setting(option, accepted, rejected):
    kind = click.types.convert_type(_click_type(option))
    assert kind.convert(accepted, None, None) == option.kind(accepted)
    with pytest.raises(click.BadParameter):
        kind.convert(rejected, None, None)
