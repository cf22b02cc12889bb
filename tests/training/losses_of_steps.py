"""A worker of `test_train_step`: takes ten steps of several trainings and prints the losses of each.

Usage: losses_of_steps.py STRATEGY FLOATX DATA CASES, with CASES in JSON: [[recipe, {setting: value}], ...].
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.replicas import Replicas, open_replicas

STEPS = 10


def main(strategy: str, floatx: str, source: str, cases: str) -> None:
    if strategy == "mirrored":
        _split_cpu()
    replicas = open_replicas(strategy)
    import keras

    from tfretrieval.data.catalog import Catalog

    keras.backend.set_floatx(floatx)
    catalog = Catalog.from_source(source).split("train")
    configs = [TrainConfig.for_recipe(recipe, **settings) for recipe, settings in json.loads(cases)]
    print(json.dumps([_losses(catalog, config, replicas) for config in configs]), flush=True)


def _losses(catalog: Any, config: TrainConfig, replicas: Replicas) -> list[float]:
    import keras

    from tfretrieval.data.images import ImageTable
    from tfretrieval.training.network import build_network
    from tfretrieval.training.optimizers import set_steps_per_epoch
    from tfretrieval.training.streams import training_stream
    from tfretrieval.training.train_step import Learner

    keras.utils.set_random_seed(config.seed if replicas.is_chief else 99)
    network = build_network(config, catalog.n_classes)
    table = ImageTable(catalog, config.image_size, config.resize_mode)
    stream, steps = training_stream(table, config, 0, replicas.shards)
    set_steps_per_epoch(network, math.ceil(steps / config.accumulate))
    learner = Learner(network, stream, replicas, accumulate=config.accumulate)
    learner.begin_epoch(config.learning_rate_at(0))
    return [learner.train_steps(config.accumulate)["loss"] for _ in range(STEPS)]


def _split_cpu() -> None:
    """Make two logical devices of the CPU, for two replicas in one process."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


if __name__ == "__main__":
    main(*sys.argv[1:])
