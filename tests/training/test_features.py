"""Tests of cached features of a frozen backbone."""

from __future__ import annotations

import logging
import shutil

import keras
import numpy as np
import pytest

from tfretrieval.data import images
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.errors import UserError
from tfretrieval.models.embedder import build_embedder
from tfretrieval.models.head import backbone_of, head_of
from tfretrieval.runs import Run
from tfretrieval.training import fit
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.features import feature_path, feature_table
from tfretrieval.training.fit import train
from tfretrieval.training.history import read_history
from tfretrieval.training.table_embedder import TableEmbedder

QUICK = {
    "image_size": 32, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 3, "epochs": 3, "freeze": True,
    "augment": "none", "embedding_dim": 5, "backbone": "convnet", "weights": "none",
}  # fmt: skip


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def catalog(scenes):
    return Catalog.from_source(scenes)


@pytest.mark.parametrize(
    ("loss", "backbone", "mixed"),
    [
        pytest.param("cross-entropy", "mobilenet_v2_0.35", False, marks=pytest.mark.slow),
        ("cross-entropy", "convnet", False),
        ("contrastive", "convnet", False),
        ("triplet", "convnet", True),
        ("triplet-all", "convnet", False),
    ],
)
def test_training_on_features_equals_training_on_images(catalog, tmp_path, cache, monkeypatch, loss, backbone, mixed):
    settings = {**QUICK, "backbone": backbone, "loss": loss, "mixed_precision": mixed}
    config = TrainConfig.for_recipe("resnet", **settings, normalize=True)
    features, images = Run(tmp_path / "features"), Run(tmp_path / "images")
    model = train(catalog, config, features)
    monkeypatch.setattr(fit, "_frozen_embedder", lambda *arguments: None)
    expected = train(catalog, config, images)
    tolerance = 5e-2 if mixed else 2e-3
    for actual, reference in zip(read_history(features.history_path), read_history(images.history_path)):
        assert actual.keys() == reference.keys()
        for name in set(actual) - {"seconds", "spread"}:
            assert actual[name] == pytest.approx(reference[name], abs=tolerance), name
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    saved = keras.models.load_model(features.model_path)
    np.testing.assert_array_equal(saved(pixels), model(pixels))
    np.testing.assert_allclose(saved(pixels), expected(pixels), atol=tolerance)
    assert [layer.name for layer in saved.layers] == [layer.name for layer in expected.layers]


def test_saved_model_gives_the_embeddings_of_training(catalog, tmp_path, cache):
    run = Run(tmp_path / "run")
    config = TrainConfig.for_recipe("resnet", **QUICK)
    model = train(catalog, config, run)
    table = ImageTable(catalog, 32)
    features = feature_table(backbone_of(model), catalog, "crop", lambda items: table)
    expected = TableEmbedder(head_of(model)).embed(features)
    np.testing.assert_allclose(TableEmbedder(model).embed(table), expected, rtol=1e-5, atol=1e-5)


def test_later_training_uses_cached_features_without_decoding(catalog, tmp_path, cache, monkeypatch):
    config = TrainConfig.for_recipe("resnet", **QUICK)
    first = train(catalog, config, Run(tmp_path / "a"))
    files = sorted((cache / "features").iterdir())
    assert len(files) == 2, "training and held-out images"
    monkeypatch.setattr(images, "read_image", None)
    second = train(catalog, config, Run(tmp_path / "b"))
    for expected, actual in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
    assert sorted((cache / "features").iterdir()) == files


def test_other_weights_images_or_resize_modes_have_another_cache_file(scenes, tmp_path):
    folder = shutil.copytree(scenes, tmp_path / "scenes")
    catalog = Catalog.from_source(folder)
    backbone = backbone_of(build_embedder("convnet", 16))
    path = feature_path(backbone, catalog, "crop")
    assert feature_path(backbone, catalog, "crop") == path
    others = {feature_path(backbone, catalog, "pad"), feature_path(backbone, catalog.split("train"), "crop")}
    image = sorted(folder.rglob("*.png"))[0]
    shutil.copyfile(sorted(folder.rglob("*.png"))[1], image)
    others.add(feature_path(backbone, catalog, "crop"))
    weights = backbone.get_weights()
    backbone.set_weights([weights[0] * 1.01, *weights[1:]])
    others.add(feature_path(backbone, catalog, "crop"))
    assert len(others - {path}) == 4


def test_features_are_not_cached_with_unreadable_images(scenes, tmp_path, cache):
    folder = shutil.copytree(scenes, tmp_path / "scenes")
    sorted((folder / "train").rglob("*.png"))[2].write_bytes(b"broken")
    catalog = Catalog.from_source(folder)
    backbone = backbone_of(build_embedder("convnet", 16))
    table = feature_table(backbone, catalog, "crop", lambda items: ImageTable(items, 16, on_error="skip"))
    assert len(table) == len(catalog) - 1 == len(table.gather(np.arange(len(table))))
    assert not (cache / "features").exists()


def test_features_that_do_not_fit_in_memory_are_read_from_disk(catalog, cache, monkeypatch):
    backbone = backbone_of(build_embedder("convnet", 16))
    rows = np.array([5, 0, 5])
    in_memory = feature_table(backbone, catalog, "crop", lambda items: ImageTable(items, 16)).gather(rows)
    monkeypatch.setattr(images, "MEMORY_FRACTION", 0.0)
    on_disk = feature_table(backbone, catalog, "crop", lambda items: ImageTable(items, 16)).gather(rows)
    np.testing.assert_array_equal(in_memory, on_disk)


def test_resumed_run_equals_an_uninterrupted_one(catalog, tmp_path, cache):
    config = TrainConfig.for_recipe("resnet", **QUICK)
    full, resumed = Run(tmp_path / "full"), Run(tmp_path / "resumed")
    train(catalog, config, full)
    train(catalog, TrainConfig.for_recipe("resnet", **{**QUICK, "epochs": 1}), resumed)
    train(catalog, config, resumed, resume=True)
    losses = [[row["loss"] for row in read_history(run.history_path)] for run in (full, resumed)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
    before = resumed.model_fingerprint()
    train(catalog, config, resumed, resume=True)
    assert resumed.model_fingerprint() == before


def test_augmentation_disables_the_cache_with_a_log_line(catalog, tmp_path, cache, caplog):
    config = TrainConfig.for_recipe("resnet", **{**QUICK, "augment": "flip", "epochs": 1})
    with caplog.at_level(logging.INFO, logger="tfretrieval"):
        train(catalog, config, Run(tmp_path / "run"))
    assert "--augment none" in caplog.text
    assert not (cache / "features").exists()


def test_network_without_trainable_weights_is_an_error(catalog, tmp_path):
    config = TrainConfig.for_recipe("resnet", **{**QUICK, "embedding_dim": None}, loss="triplet-all")
    with pytest.raises(UserError, match="--embedding-dim"):
        train(catalog, config, Run(tmp_path / "run"))
