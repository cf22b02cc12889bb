"""Tests of the backbones."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.models.backbones import build_backbone, find_application, set_trainable
from tfretrieval.models.embedder import build_embedder

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
SMALL = "mobilenet_v2_0.35"


@pytest.mark.parametrize(
    ("name", "builder", "options"),
    [
        ("resnet50", "ResNet50", {}),
        ("ResNet50", "ResNet50", {}),
        ("resnet50_v2", "ResNet50V2", {}),
        ("efficientnet_b0", "EfficientNetB0", {}),
        ("mobilenet_v2_0.35", "MobileNetV2", {"alpha": 0.35}),
        ("mobilenet_0.5", "MobileNet", {"alpha": 0.5}),
    ],
)
def test_application_is_found_in_any_spelling(name, builder, options):
    found, arguments = find_application(name)
    assert found is getattr(keras.applications, builder)
    assert arguments == options


@pytest.mark.parametrize("name", ["resnet51", "resnet50_0.5"])
def test_unknown_backbone_or_width_is_an_error(name):
    with pytest.raises(UserError, match=name.removesuffix("_0.5")):
        build_backbone(name, 32)


def test_convnet_has_two_blocks_and_256_features():
    backbone = build_backbone("convnet", 32)
    layers = [type(layer).__name__ for layer in backbone.layers]
    assert layers.count("Conv2D") == layers.count("MaxPooling2D") == 2
    assert "Rescaling" in layers
    assert backbone(IMAGES).shape == (2, 256)


@pytest.mark.parametrize(
    ("name", "module"), [(SMALL, keras.applications.mobilenet_v2), ("resnet50", keras.applications.resnet)]
)
def test_preprocessing_is_part_of_the_model(name, module):
    backbone = build_backbone(name, 32)
    base = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    expected = base(module.preprocess_input(IMAGES.copy()), training=False)
    np.testing.assert_allclose(backbone(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_resnet50_has_2048_features():
    assert build_backbone("resnet50", 64).output_shape == (None, 2048)


def changes_in_training(embedder: keras.Model) -> tuple[bool, bool]:
    """Whether a few steps change the first kernel, and any batch normalization."""
    model = keras.Sequential([keras.Input((32, 32, 3)), embedder, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    base = next(layer for layer in embedder.get_layer("backbone").layers if isinstance(layer, keras.Model))
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [np.array(w) for layer in norms for w in layer.get_weights()]
    kernel = np.array(base.layers[1].get_weights()[0])
    model.fit(IMAGES, np.ones((2, 2)), epochs=2, verbose=0)
    after = [w for layer in norms for w in layer.get_weights()]
    norms_changed = any((a != b).any() for a, b in zip(before, after))
    assert len(norms) > 10
    return bool((base.layers[1].get_weights()[0] != kernel).any()), norms_changed


def test_batch_normalization_of_pretrained_weights_is_frozen(tmp_path):
    source = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    for layer in source.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            layer.set_weights([3 * w for w in layer.get_weights()])
    source.save_weights(tmp_path / "w.weights.h5")
    embedder = build_embedder(SMALL, 32, weights=str(tmp_path / "w.weights.h5"))
    assert changes_in_training(embedder) == (True, False)


def test_batch_normalization_of_a_randomly_initialized_backbone_is_trained():
    assert changes_in_training(build_embedder(SMALL, 32)) == (True, True)


def test_frozen_backbone_has_no_trainable_variables():
    backbone = build_backbone(SMALL, 32)
    set_trainable(backbone, False)
    assert backbone.trainable_variables == []


def test_weights_are_loaded_from_a_file(tmp_path):
    source = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    source.save_weights(tmp_path / "w.weights.h5")
    loaded = build_backbone(SMALL, 32, str(tmp_path / "w.weights.h5"))
    expected = source(keras.applications.mobilenet_v2.preprocess_input(IMAGES.copy()), training=False)
    np.testing.assert_allclose(loaded(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_unsuitable_weights_file_is_an_error(tmp_path):
    other = keras.applications.MobileNetV2((32, 32, 3), alpha=0.5, include_top=False, weights=None)
    other.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(UserError, match=r"w\.weights\.h5"):
        build_backbone(SMALL, 32, str(tmp_path / "w.weights.h5"))
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"w\.pt"):
        build_backbone(SMALL, 32, str(tmp_path / "w.pt"))
    with pytest.raises(UserError, match=r"gone\.h5"):
        build_backbone(SMALL, 32, str(tmp_path / "gone.h5"))


def test_failed_download_is_an_error(monkeypatch):
    def unreachable(*_, **__):
        raise Exception("URL fetch failure on https://storage.googleapis.com/...: None -- unreachable")

    monkeypatch.setattr("tfretrieval.models.backbones.find_application", lambda name: (unreachable, {}))
    with pytest.raises(UserError, match="--weights FILE"):
        build_backbone(SMALL, 32, "imagenet")


def test_too_small_image_size_is_an_error():
    with pytest.raises(UserError, match="32"):
        build_backbone("resnet50", 16)


@pytest.mark.real
def test_imagenet_weights_are_loaded(pretrained_weights):
    backbone = build_backbone(SMALL, 96, str(pretrained_weights))
    assert backbone.count_params() == 410_208
    assert not np.allclose(backbone.get_weights()[0], build_backbone(SMALL, 96).get_weights()[0])
