"""How fast pairs and triplets are made, against the training step of the study's net that eats them.

Pictures are random, 64 pixels, 2,000 in 8 classes, and kept in memory as in training; batches of 64. Stream and
training run in turn; medians over repeats. The training step is measured on one batch that is there already.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from machine import machine

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.pipelines import pair_steps, triplet_steps
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network

REPEATS, BATCH, SIZE, N, CLASSES = 7, 64, 64, 2000, 8
DRAWS, STEPS = 400, 20  # enough draws that what was made ahead does not count


class MadeUpTable:
    """Stands for an `ImageTable` whose pictures are in memory."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        labels = np.arange(N) % CLASSES
        self.catalog = Catalog.from_lists([str(i) for i in range(N)], labels, [str(c) for c in range(CLASSES)])
        self._images = tf.constant(rng.integers(0, 256, (N, SIZE, SIZE, 3), np.uint8))

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._images, rows)


def seconds_a_step(run: Callable[[], Any], steps: int) -> float:
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) / steps


def measure(name: str, loss: str, steps: Callable[..., tf.data.Dataset], augmentation: str) -> str:
    stream = iter(steps(MadeUpTable(), BATCH, 0, DRAWS, augmentation))
    network = build_network(TrainConfig.for_recipe("siamese", loss=loss, image_size=SIZE), CLASSES)
    batch = next(stream)
    repeated = tf.data.Dataset.from_tensors(batch).repeat()

    def draw() -> None:
        for _ in range(DRAWS):
            next(stream)

    def learn() -> None:
        network.fit(repeated, steps_per_epoch=STEPS, epochs=1, verbose=0, shuffle=False)

    draw(), learn()
    drawn, learnt = [], []
    for _ in range(REPEATS):
        drawn.append(seconds_a_step(draw, DRAWS))
        learnt.append(seconds_a_step(learn, STEPS))
    ratio = statistics.median(b / a for a, b in zip(drawn, learnt))
    d, t = (1000 * statistics.median(values) for values in (drawn, learnt))
    return f"{name:24} stream {d:7.2f} ms a batch   training {t:7.2f} ms a step   {ratio:6.1f} times"


def main() -> None:
    print(f"{machine()}; TensorFlow {tf.__version__}; medians of {REPEATS} runs, batches of {BATCH}")
    for augmentation in ("none", "flip"):
        print(measure(f"pairs, augment {augmentation}", "contrastive", pair_steps, augmentation))
        print(measure(f"triplets, augment {augmentation}", "triplet", triplet_steps, augmentation))


if __name__ == "__main__":
    main()
