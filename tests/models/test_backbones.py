"""Backbones by name, with their preprocessing inside and their statistics left alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.models import build_embedder
from tfretrieval.models.backbones import build_backbone, find_application, set_trainable

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
def test_a_backbone_is_found_in_any_spelling(name, builder, options):
    found, alpha = find_application(name)
    assert found is getattr(keras.applications, builder)
    assert alpha == options


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet51", "no backbone 'resnet51'; there are convnet, "),
        ("resnet50_0.5", "the backbone resnet50 has no width"),
    ],
)
def test_a_backbone_that_is_none(name, message):
    with pytest.raises(UserError, match=message):
        build_backbone(name, 32)


def test_the_study_net_has_two_blocks_and_takes_0_to_255():
    net = build_backbone("convnet", 32)
    kinds = [type(layer).__name__ for layer in net.layers]
    assert kinds.count("Conv2D") == kinds.count("MaxPooling2D") == 2
    assert "Rescaling" in kinds
    assert net(IMAGES).shape == (2, 256)


@pytest.mark.parametrize(
    ("name", "prepare"), [(SMALL, keras.applications.mobilenet_v2), ("resnet50", keras.applications.resnet)]
)
def test_preprocessing_is_in_the_graph(name, prepare):
    backbone = build_backbone(name, 32)
    base = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    expected = base(prepare.preprocess_input(IMAGES.copy()), training=False)
    np.testing.assert_allclose(backbone(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_resnet50_gives_2048_values():
    assert build_backbone("resnet50", 64).output_shape == (None, 2048)


def fitted(embedder: keras.Model) -> tuple[bool, bool]:
    """Whether a few steps move the first kernel, and any batch normalization."""
    model = keras.Sequential([keras.Input((32, 32, 3)), embedder, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    base = next(layer for layer in embedder.get_layer("backbone").layers if isinstance(layer, keras.Model))
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [np.array(w) for layer in norms for w in layer.get_weights()]
    kernel = np.array(base.layers[1].get_weights()[0])
    model.fit(IMAGES, np.ones((2, 2)), epochs=2, verbose=0)
    after = [w for layer in norms for w in layer.get_weights()]
    moved = any((one != other).any() for one, other in zip(before, after))
    assert len(norms) > 10
    return bool((base.layers[1].get_weights()[0] != kernel).any()), moved


def test_normalization_keeps_the_statistics_that_came_with_pre_trained_weights(tmp_path):
    source = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    for layer in source.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            layer.set_weights([3 * w for w in layer.get_weights()])
    source.save_weights(tmp_path / "w.weights.h5")
    embedder = build_embedder(SMALL, 32, weights=str(tmp_path / "w.weights.h5"))
    assert fitted(embedder) == (True, False)


def test_normalization_learns_where_the_backbone_begins_from_nothing():
    assert fitted(build_embedder(SMALL, 32)) == (True, True)


def test_a_frozen_backbone_has_nothing_to_learn():
    net = build_backbone(SMALL, 32)
    set_trainable(net, False)
    assert net.trainable_variables == []


def test_weights_come_from_a_file(tmp_path):
    source = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    source.save_weights(tmp_path / "w.weights.h5")
    loaded = build_backbone(SMALL, 32, str(tmp_path / "w.weights.h5"))
    expected = source(keras.applications.mobilenet_v2.preprocess_input(IMAGES.copy()), training=False)
    np.testing.assert_allclose(loaded(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_weights_that_do_not_fit(tmp_path):
    other = keras.applications.MobileNetV2((32, 32, 3), alpha=0.5, include_top=False, weights=None)
    other.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(UserError, match="does not hold weights for mobilenet_v2"):
        build_backbone(SMALL, 32, str(tmp_path / "w.weights.h5"))
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"is not an \.h5 weights file"):
        build_backbone(SMALL, 32, str(tmp_path / "w.pt"))
    with pytest.raises(UserError, match="no weights file"):
        build_backbone(SMALL, 32, str(tmp_path / "gone.h5"))


def test_without_a_network_one_line_names_the_way_out(monkeypatch):
    def unreachable(*_, **__):
        raise Exception("URL fetch failure on https://storage.googleapis.com/...: None -- unreachable")

    monkeypatch.setattr("tfretrieval.models.backbones.find_application", lambda name: (unreachable, {}))
    with pytest.raises(UserError, match=r"cannot download ImageNet weights for mobilenet_v2_0.35; .*--weights FILE"):
        build_backbone(SMALL, 32, "imagenet")


def test_an_image_too_small_for_a_backbone():
    with pytest.raises(UserError, match="needs images of 32 pixels or more, not 16"):
        build_backbone("resnet50", 16)


@pytest.mark.real
def test_real_weights_load_whole(pretrained_weights):
    net = build_backbone(SMALL, 96, str(pretrained_weights))
    assert net.count_params() == 410_208
    assert not np.allclose(net.get_weights()[0], build_backbone(SMALL, 96).get_weights()[0])
