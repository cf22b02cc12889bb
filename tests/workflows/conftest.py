"""A small trained run, and copies of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train

QUICK = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 2, "epochs": 1}


@pytest.fixture(scope="session")
def catalog(scenes) -> Catalog:
    return Catalog.from_source(scenes)


@pytest.fixture(scope="session")
def trained(catalog, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("trained") / "run"
    train(catalog, TrainConfig.for_recipe("triplet", **QUICK), Run(directory))
    return directory


@pytest.fixture
def run(trained, tmp_path) -> Run:
    return Run(shutil.copytree(trained, tmp_path / "run"))
