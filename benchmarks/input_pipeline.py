"""What the input pipeline adds to a training step, for every kind of batch.

The same step of the study's net is fed by the pipeline over images in memory and by one batch that is there already,
in turn. The medians over all steps of a round are compared, so that what a trace costs once does not count.
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
from timing import in_turn, spread

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.streams import training_stream
from tfretrieval.training.train_step import Learner

CLASSES, BAR = 8, 5
LOSSES = {"images": "cross-entropy", "pairs": "contrastive", "triplets": "triplet", "P x K": "triplet-all"}


def measure(kind: str, augment: str, steps: int, repeats: int, n: int, size: int) -> dict[str, str]:
    config = TrainConfig.for_recipe(
        "siamese", loss=LOSSES[kind], augment=augment, image_size=size, optimizer="adam", steps_per_epoch=steps
    )
    network = build_network(config, CLASSES)
    stream, _ = training_stream(SyntheticTable(n, size, CLASSES), config)
    repeated = tf.data.Dataset.from_tensors(next(iter(stream))).repeat()
    fed = {"memory": Learner(network, repeated, Replicas()), "pipeline": Learner(network, stream, Replicas())}

    def step_of(learner: Learner) -> float:
        """The median of the seconds between the ends of steps."""
        ends: list[float] = []
        learner.train_steps(steps, lambda: ends.append(time.perf_counter()))
        return float(np.median(np.diff(ends)))

    taken = in_turn({name: lambda learner=learner: step_of(learner) for name, learner in fed.items()}, repeats)
    added = [100 * (b / a - 1) for a, b in zip(taken["memory"], taken["pipeline"])]
    return {
        "batches": kind,
        "augment": augment,
        "step from memory, ms": spread([1000 * x for x in taken["memory"]], 1),
        "step from the pipeline, ms": spread([1000 * x for x in taken["pipeline"]], 1),
        "added, %": spread(added, 1),
        f"at most {BAR} %": "yes" if statistics.median(added) <= BAR else "no",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, nothing kept")
    quick = parser.parse_args().quick
    steps, repeats, n, size = (3, 1, 200, 16) if quick else (20, 5, 2000, 64)
    augmentations = ("flip",) if quick else ("flip", "standard")
    rows = [measure(kind, augment, steps, repeats, n, size) for kind in LOSSES for augment in augmentations]
    notes = (
        f"TensorFlow {tf.__version__}; {n} images of {size} pixels in memory, batches of 64 (P x K: 8 x 12), "
        f"{steps} steps a round, {repeats} rounds."
    )
    publish("input_pipeline", f"The input pipeline adds at most {BAR} % to a step", rows, notes, keep=not quick)


if __name__ == "__main__":
    main()
