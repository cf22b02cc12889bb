"""Tests of the training configuration."""

from __future__ import annotations

import dataclasses

import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.config import OPTIONS, RECIPES, TrainConfig, read_config_file


def test_every_setting_has_an_option_and_an_accepted_default():
    assert list(OPTIONS) == [field.name for field in dataclasses.fields(TrainConfig)]
    assert TrainConfig("triplet").epochs == 20


@pytest.mark.parametrize("recipe", RECIPES)
def test_configuration_survives_a_dictionary(recipe):
    config = TrainConfig.for_recipe(recipe, seed=3)
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert (config.recipe, config.seed) == (recipe, 3)


def test_missing_setting_is_an_error():
    values = TrainConfig.for_recipe("siamese").to_dict()
    del values["ema"]
    with pytest.raises(UserError, match="ema"):
        TrainConfig.from_dict(values)


def test_learning_rate_decays_by_epochs():
    config = TrainConfig.for_recipe("siamese", learning_rate=1e-3, lr_decay=0.1, lr_decay_every=8)
    assert [config.learning_rate_at(epoch) for epoch in (0, 7, 8, 16)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    constant = dataclasses.replace(config, lr_decay_every=0)
    assert constant.learning_rate_at(100) == 1e-3


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("batch_size", 0), ("learning_rate", 0.0), ("margin", -1.0), ("validation_fraction", 1.0),
     ("momentum", 1.0), ("ema", 1.0), ("head", "arc"), ("accumulate", 0), ("learning_rate", float("inf")),
     ("augment", "flop"), ("images_per_class", 1), ("embedding_dim", 0), ("monitor", "loss"), ("margin", float("nan"))],
)  # fmt: skip
def test_unaccepted_value_is_an_error_that_names_the_setting(name, value):
    with pytest.raises(UserError, match=name):
        TrainConfig.for_recipe("triplet", **{name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", 1.5), ("epochs", True), ("freeze", 1), ("loss", 3), ("seed", "0")]
)
def test_value_of_another_type_is_an_error_that_names_the_setting(name, value):
    with pytest.raises(UserError, match=name):
        TrainConfig.for_recipe("triplet", **{name: value})


def test_unknown_setting_is_an_error():
    with pytest.raises(UserError, match="'epoch'"):
        TrainConfig.for_recipe("triplet", epoch=3)


def test_config_file_is_read_as_yaml(tmp_path):
    (tmp_path / "c.yaml").write_text("margin: 0.5\nsteps_per_epoch: null\n")
    assert read_config_file(tmp_path / "c.yaml") == {"margin": 0.5, "steps_per_epoch": None}
    (tmp_path / "empty.yaml").write_text("")
    assert read_config_file(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize("content", [None, b"- a\n- b\n", b"a: [", b"\xff\xfe"])
def test_missing_or_invalid_config_file_is_an_error(tmp_path, content):
    if content is not None:
        (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"c\.yaml"):
        read_config_file(tmp_path / "c.yaml")


@pytest.mark.parametrize(("content", "message"), [("epoch: 3", "epoch.*'epochs'"), ("margin: many", "margin")])
def test_unknown_or_invalid_setting_of_a_file_is_an_error_that_names_both(tmp_path, content, message):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(UserError, match=rf"c\.yaml: .*{message}"):
        read_config_file(tmp_path / "c.yaml")


@pytest.mark.parametrize(("recipe", "loss"), [("siamese", "contrastive"), ("triplet", "triplet-all")])
def test_small_networks_train_with_adam(recipe, loss):
    config = TrainConfig.for_recipe(recipe)
    assert (config.loss, config.optimizer, config.learning_rate, config.epochs) == (loss, "adam", 1e-3, 20)
    assert (config.backbone, config.margin, config.embedding_dim) == ("convnet", 1.0, 10)


def test_resnet_is_fine_tuned_with_sgd():
    config = TrainConfig.for_recipe("resnet")
    assert (config.backbone, config.weights, config.loss) == ("resnet50", "imagenet", "cross-entropy")
    assert (config.optimizer, config.learning_rate, config.epochs, config.embedding_dim) == ("sgd", 0.002, 5, None)


def test_change_of_none_keeps_the_setting_of_the_recipe():
    assert TrainConfig.for_recipe("resnet", epochs=None, seed=2) == dataclasses.replace(
        TrainConfig.for_recipe("resnet"), seed=2
    )


def test_large_backbone_of_a_small_recipe_has_large_images():
    assert TrainConfig.for_recipe("triplet", backbone="resnet50").image_size == 224
    assert TrainConfig.for_recipe("triplet", backbone="resnet50", image_size=96).image_size == 96


def test_randomly_initialized_resnet_has_a_higher_learning_rate():
    assert TrainConfig.for_recipe("resnet", weights="none").learning_rate == 0.01
    assert TrainConfig.for_recipe("resnet", weights="none", learning_rate=0.5).learning_rate == 0.5


def test_unknown_recipe_is_an_error():
    with pytest.raises(UserError, match="vgg"):
        TrainConfig.for_recipe("vgg")
