"""A flawed data set, an untrained model and the audit of the one with the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from tfretrieval.audit.audit import audit
from tfretrieval.data.catalog import Catalog
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train


@pytest.fixture(scope="session")
def flawed(scenes, tmp_path_factory):
    """The scenes with a wrong label, a duplicate, a near duplicate in the other split, and a broken file."""
    data = Path(shutil.copytree(scenes, tmp_path_factory.mktemp("flawed") / "scenes"))
    (data / "train/sea/5.png").rename(data / "train/town/wrong.png")
    shutil.copy(data / "train/sea/0.png", data / "train/sea/twice.png")
    with Image.open(data / "train/field/1.png") as image:
        again = ImageEnhance.Brightness(image.resize((72, 72), Image.Resampling.BICUBIC)).enhance(0.9)
        again.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(data / "test/field/again.jpg", quality=90)
    (data / "test/sea/broken.png").write_bytes(b"no image")
    return data


@pytest.fixture(scope="session")
def frozen(scenes, tmp_path_factory) -> Run:
    """An untrained model, which separates these scenes by their mean colors."""
    run = Run(tmp_path_factory.mktemp("frozen") / "run")
    train(Catalog.from_source(scenes), TrainConfig.for_recipe("triplet", epochs=0, image_size=16), run)
    return run


@pytest.fixture(scope="session")
def result(flawed, frozen):
    return audit(Catalog.from_source(flawed), frozen)
