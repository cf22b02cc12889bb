"""Tests of the optimizers; see also the moving average in `test_network.py`."""

from __future__ import annotations

import keras
import pytest

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.optimizers import build_optimizer


@pytest.mark.parametrize(("name", "optimizer"), [("sgd", keras.optimizers.SGD), ("adam", keras.optimizers.Adam)])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_optimizer_has_the_configured_options(name, optimizer, ema):
    built = build_optimizer(TrainConfig.for_recipe("siamese", optimizer=name, learning_rate=0.5, ema=ema))
    assert type(built) is optimizer
    assert float(built.learning_rate) == 0.5
    assert built.use_ema == bool(ema)
