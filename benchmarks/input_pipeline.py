"""Overhead of the input pipeline on a training step, for each type of batch.

The same step of the study's net reads from the pipeline over images in memory, or repeats one batch, alternately. The
medians over the steps of a round are compared, so that the time of tracing does not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from results import publish
from synthetic_table import SyntheticTable
from timing import spread, time_interleaved

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.streams import training_stream
from tfretrieval.training.train_step import Learner

N_CLASSES, MAX_OVERHEAD = 8, 5
LOSSES = {"images": "cross-entropy", "pairs": "contrastive", "triplets": "triplet", "P x K": "triplet-all"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing saved")
    quick = parser.parse_args().quick
    steps, repeats, n, size = (3, 1, 200, 16) if quick else (20, 5, 2000, 64)
    augmentations = ("flip",) if quick else ("flip", "standard")
    rows = [measure(batches, augment, steps, repeats, n, size) for batches in LOSSES for augment in augmentations]
    notes = (
        f"TensorFlow {tf.__version__}; {n} images of {size} pixels in memory, batches of 64 (P x K: 8 x 12), "
        f"{steps} steps per round, {repeats} rounds."
    )
    publish("input_pipeline", "Overhead of the input pipeline", rows, notes, save=not quick)


def measure(batches: str, augment: str, steps: int, repeats: int, n: int, size: int) -> dict[str, str]:
    config = TrainConfig.for_recipe(
        "siamese", loss=LOSSES[batches], augment=augment, image_size=size, optimizer="adam", steps_per_epoch=steps
    )
    network = build_network(config, N_CLASSES)
    stream, _ = training_stream(SyntheticTable(n, size, N_CLASSES), config)
    one_batch = tf.data.Dataset.from_tensors(next(iter(stream))).repeat()
    learners = {"batch": Learner(network, one_batch, Replicas()), "pipeline": Learner(network, stream, Replicas())}

    def seconds_per_step(learner: Learner) -> float:
        """The median over steps."""
        ends: list[float] = []
        learner.train_steps(steps, lambda: ends.append(time.perf_counter()))
        return float(np.median(np.diff(ends)))

    sides = {name: lambda learner=learner: seconds_per_step(learner) for name, learner in learners.items()}
    seconds = time_interleaved(sides, repeats)
    overhead = [100 * (b / a - 1) for a, b in zip(seconds["batch"], seconds["pipeline"])]
    return {
        "batches": batches,
        "augment": augment,
        "step on a repeated batch, ms": spread([1000 * s for s in seconds["batch"]], 1),
        "step on the pipeline, ms": spread([1000 * s for s in seconds["pipeline"]], 1),
        "overhead, %": spread(overhead, 1),
        f"at most {MAX_OVERHEAD} %": "yes" if statistics.median(overhead) <= MAX_OVERHEAD else "no",
    }


if __name__ == "__main__":
    main()
