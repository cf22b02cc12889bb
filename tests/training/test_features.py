"""A frozen backbone, whose features are computed once."""

from __future__ import annotations

import logging
import shutil

import keras
import numpy as np
import pytest

from tfretrieval.data import images
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.models import build_embedder
from tfretrieval.models.head import backbone_of, head_of
from tfretrieval.runs import Run
from tfretrieval.training import fit
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.features import engine_of, feature_path, feature_table
from tfretrieval.training.fit import train
from tfretrieval.training.history import read_history

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
def test_training_on_features_is_training_on_images(catalog, tmp_path, cache, monkeypatch, loss, backbone, mixed):
    figures = {**QUICK, "backbone": backbone, "loss": loss, "mixed_precision": mixed}
    config = TrainConfig.for_recipe("resnet", **figures, normalize=True)
    kept, images = Run(tmp_path / "kept"), Run(tmp_path / "images")
    model = train(catalog, config, kept)
    monkeypatch.setattr(fit, "_frozen_embedder", lambda *arguments: None)
    expected = train(catalog, config, images)
    tolerance = 5e-2 if mixed else 2e-3
    for one, other in zip(read_history(kept.history_path), read_history(images.history_path)):
        assert one.keys() == other.keys()
        for name in set(one) - {"seconds", "spread"}:
            assert one[name] == pytest.approx(other[name], abs=tolerance), name
    shown = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    saved = keras.models.load_model(kept.model_path)
    np.testing.assert_array_equal(saved(shown), model(shown))
    np.testing.assert_allclose(saved(shown), expected(shown), atol=tolerance)
    assert [layer.name for layer in saved.layers] == [layer.name for layer in expected.layers]


def test_the_saved_model_gives_the_embeddings_that_were_measured(catalog, tmp_path, cache):
    run = Run(tmp_path / "run")
    config = TrainConfig.for_recipe("resnet", **QUICK)
    model = train(catalog, config, run)
    table = ImageTable(catalog, 32)
    features = feature_table(backbone_of(model), catalog, "crop", lambda part: table)
    measured = engine_of(head_of(model)).embed_table(features)
    np.testing.assert_allclose(KerasEngine(model).embed_table(table), measured, rtol=1e-5, atol=1e-5)


def test_features_are_computed_once_and_images_not_even_decoded_again(catalog, tmp_path, cache, monkeypatch):
    config = TrainConfig.for_recipe("resnet", **QUICK)
    first = train(catalog, config, Run(tmp_path / "a"))
    files = sorted((cache / "features").iterdir())
    assert len(files) == 2, "training and held-out part"
    monkeypatch.setattr(images, "decode_and_resize", None)
    again = train(catalog, config, Run(tmp_path / "b"))
    for one, other in zip(first.get_weights(), again.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert sorted((cache / "features").iterdir()) == files


def test_other_weights_images_or_fit_have_features_of_their_own(scenes, tmp_path):
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


def test_nothing_is_kept_of_a_part_with_broken_images(scenes, tmp_path, cache):
    folder = shutil.copytree(scenes, tmp_path / "scenes")
    sorted((folder / "train").rglob("*.png"))[2].write_bytes(b"broken")
    catalog = Catalog.from_source(folder)
    backbone = backbone_of(build_embedder("convnet", 16))
    table = feature_table(backbone, catalog, "crop", lambda part: ImageTable(part, 16, on_error="skip"))
    assert len(table) == len(catalog) - 1 == len(table.gather(np.arange(len(table))))
    assert not (cache / "features").exists()


def test_little_memory_leaves_the_features_on_disk(catalog, cache, monkeypatch):
    backbone = backbone_of(build_embedder("convnet", 16))
    rows = np.array([5, 0, 5])
    held = feature_table(backbone, catalog, "crop", lambda part: ImageTable(part, 16)).gather(rows)
    monkeypatch.setattr(images, "MEMORY_FRACTION", 0.0)
    mapped = feature_table(backbone, catalog, "crop", lambda part: ImageTable(part, 16)).gather(rows)
    np.testing.assert_array_equal(held, mapped)


def test_an_interrupted_run_goes_on_to_the_same_model(catalog, tmp_path, cache):
    config = TrainConfig.for_recipe("resnet", **QUICK)
    whole, parted = Run(tmp_path / "whole"), Run(tmp_path / "parted")
    train(catalog, config, whole)
    train(catalog, TrainConfig.for_recipe("resnet", **{**QUICK, "epochs": 1}), parted)
    train(catalog, config, parted, resume=True)
    one, other = read_history(whole.history_path), read_history(parted.history_path)
    np.testing.assert_allclose([r["loss"] for r in one], [r["loss"] for r in other], rtol=1e-3)
    before = parted.model_fingerprint()
    train(catalog, config, parted, resume=True)
    assert parted.model_fingerprint() == before


def test_with_augmentation_it_is_said_why_features_are_not_kept(catalog, tmp_path, cache, caplog):
    config = TrainConfig.for_recipe("resnet", **{**QUICK, "augment": "flip", "epochs": 1})
    with caplog.at_level(logging.INFO, logger="tfretrieval"):
        train(catalog, config, Run(tmp_path / "run"))
    assert "--augment none computes them once" in caplog.text
    assert not (cache / "features").exists()


def test_nothing_left_to_learn_is_refused(catalog, tmp_path):
    config = TrainConfig.for_recipe("resnet", **{**QUICK, "embedding_dim": None}, loss="triplet-all")
    with pytest.raises(UserError, match="nothing is left to learn; give --embedding-dim"):
        train(catalog, config, Run(tmp_path / "run"))
