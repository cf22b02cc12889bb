"""The figures of a run."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.config import RECIPES, TrainConfig, read_config_file


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_survives_the_way_through_a_file(recipe):
    config = TrainConfig.for_recipe(recipe, seed=3)
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert config.recipe == recipe
    assert config.seed == 3


def test_an_older_run_lacks_newer_figures_and_nothing_else():
    values = TrainConfig.for_recipe("siamese").to_dict()
    older = {name: value for name, value in values.items() if name not in ("accumulate", "xla")}
    assert TrainConfig.from_dict(older) == TrainConfig.for_recipe("siamese")
    del older["ema"]
    with pytest.raises(UserError, match="it lacks ema"):
        TrainConfig.from_dict(older)


def test_the_study_is_the_default():
    siamese, triplet, resnet = (TrainConfig.for_recipe(name) for name in ("siamese", "triplet", "resnet"))
    for net in (siamese, triplet):
        assert (net.optimizer, net.learning_rate, net.epochs, net.margin, net.embedding_dim) == (
            "adam",
            1e-3,
            20,
            1.0,
            10,
        )
        assert [net.learning_rate_at(epoch) for epoch in (0, 7, 8, 16)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    assert (resnet.backbone, resnet.optimizer, resnet.epochs, resnet.loss) == ("resnet50", "sgd", 5, "cross-entropy")


def test_no_decay():
    config = TrainConfig.for_recipe("siamese", lr_decay_every=0)
    assert config.learning_rate_at(100) == config.learning_rate


def test_another_backbone_for_the_small_nets_takes_its_own_size():
    assert TrainConfig.for_recipe("triplet", backbone="resnet50").image_size == 224
    assert TrainConfig.for_recipe("triplet", backbone="resnet50", image_size=96).image_size == 96


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("batch_size", 0), ("learning_rate", 0.0), ("margin", -1.0), ("validation_fraction", 1.0),
     ("momentum", 1.0), ("ema", 1.0), ("head", "arc"), ("accumulate", 0),
     ("augment", "flop"), ("images_per_class", 1), ("embedding_dim", 0), ("monitor", "loss")],
)  # fmt: skip
def test_a_figure_that_makes_no_sense_is_refused_by_name(name, value):
    with pytest.raises(UserError, match=name):
        TrainConfig.for_recipe("triplet", **{name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", 1.5), ("epochs", True), ("freeze", 1), ("loss", 3), ("seed", "0")]
)
def test_a_figure_of_the_wrong_type_is_refused(name, value):
    with pytest.raises(UserError, match=f"{name} must be of type"):
        TrainConfig.for_recipe("triplet", **{name: value})


def test_an_unknown_recipe_or_figure():
    with pytest.raises(UserError, match="no recipe 'vgg'"):
        TrainConfig.for_recipe("vgg")
    with pytest.raises(UserError, match="no setting 'epoch'"):
        TrainConfig.for_recipe("triplet", epoch=3)


def test_a_config_file(tmp_path):
    (tmp_path / "c.yaml").write_text("margin: 0.5\nsteps_per_epoch: null\n")
    assert read_config_file(tmp_path / "c.yaml") == {"margin": 0.5, "steps_per_epoch": None}
    (tmp_path / "empty.yaml").write_text("")
    assert read_config_file(tmp_path / "empty.yaml") == {}
    with pytest.raises(UserError, match="cannot read"):
        read_config_file(tmp_path / "gone.yaml")
