"""Tests of the training recipes."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.recipes import recipe_settings


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
    assert recipe_settings("resnet", epochs=None, seed=2) == {**recipe_settings("resnet"), "seed": 2}


def test_large_backbone_of_a_small_recipe_has_large_images():
    assert recipe_settings("triplet", backbone="resnet50")["image_size"] == 224
    assert recipe_settings("triplet", backbone="resnet50", image_size=96)["image_size"] == 96


def test_randomly_initialized_resnet_has_a_higher_learning_rate():
    assert recipe_settings("resnet", weights="none")["learning_rate"] == 0.01
    assert recipe_settings("resnet", weights="none", learning_rate=0.5)["learning_rate"] == 0.5


def test_unknown_recipe_is_an_error():
    with pytest.raises(UserError, match="vgg"):
        recipe_settings("vgg")
