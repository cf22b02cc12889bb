"""Training steps against plain PyTorch: the study's net on pairs and triplets, and ResNet50 in bfloat16.

Both sides train the same net by the same loss and optimizer on batches of the same size. The study's net is fed by the
pipeline on one side and by a DataLoader of two workers on the other, both from uint8 images in memory and with random
flips; ResNet50 trains on one batch that is there already, its batch statistics fixed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from peer import Peer
from results import publish
from synthetic_table import SyntheticTable
from timing import in_turn, spread, times_as_fast

from tfretrieval.models import build_classifier, build_embedder
from tfretrieval.models.backbones import set_trainable
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.streams import training_stream
from tfretrieval.training.train_step import Learner

CLASSES, METRIC_BAR, RESNET_BAR = 8, 1.5, 1.0
LOSSES = {"pairs": ("siamese", "contrastive"), "triplets": ("triplet", "triplet")}
REQUIREMENTS = ("torch==2.13.0", "numpy")


def metric_side(kind: str, n: int, size: int, batch: int, steps: int) -> Callable[[], float]:
    recipe, loss = LOSSES[kind]
    config = TrainConfig.for_recipe(recipe, loss=loss, image_size=size, batch_size=batch, steps_per_epoch=steps)
    stream, _ = training_stream(SyntheticTable(n, size, CLASSES), config)
    return timed_steps(build_network(config, CLASSES), stream, steps)


def resnet_side(batch: int, size: int, steps: int) -> Callable[[], float]:
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    embedder = build_embedder("resnet50", size)
    network = build_classifier(embedder, CLASSES, "linear")
    keras.mixed_precision.set_global_policy("float32")
    set_trainable(embedder.get_layer("backbone"), True, keep_statistics=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.SGD(0.002, momentum=0.9), loss=loss)
    images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    whole = (images, np.arange(batch, dtype=np.int32) % CLASSES)
    return timed_steps(network, tf.data.Dataset.from_tensors((whole,)).repeat(), steps)


def timed_steps(network: keras.Model, data: tf.data.Dataset, steps: int) -> Callable[[], float]:
    """A function that trains so many steps and returns its seconds."""
    learner = Learner(network, data, Replicas())
    learner.train_steps(1)

    def run() -> float:
        started = time.perf_counter()
        learner.train_steps(steps)
        return time.perf_counter() - started

    return run


def row(what: str, own: list[float], peer: list[float], images: int, bar: float) -> dict[str, str]:
    ratio = times_as_fast(own, peer)
    return {
        "training": what,
        "tfretrieval, images/s": f"{images / statistics.median(own):.0f}",
        "PyTorch, images/s": f"{images / statistics.median(peer):.0f}",
        "times as fast": spread([b / a for a, b in zip(own, peer)], 2),
        "claim": f"at least {bar}",
        "holds": "yes" if ratio >= bar else "no",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, our side alone, nothing kept")
    quick = parser.parse_args().quick
    n, size, batch, steps, repeats = (200, 16, 8, 2, 1) if quick else (2000, 64, 64, 10, 5)
    resnet = (2, 64, 1) if quick else (32, 224, 2)
    if quick:
        for side in (*(metric_side(kind, n, size, batch, steps) for kind in LOSSES), resnet_side(*resnet)):
            print(f"{side():.2f} s")
        return
    peer = Peer("torch_training.py", *map(str, (n, size, batch, steps, *resnet)), requirements=REQUIREMENTS)
    rows = []
    for kind, per_item in (("pairs", 2), ("triplets", 3)):
        own = metric_side(kind, n, size, batch, steps)
        taken = in_turn({"own": own, "peer": lambda kind=kind: peer.seconds(kind)}, repeats)
        rows.append(row(kind, taken["own"], taken["peer"], per_item * batch * steps, METRIC_BAR))
    own = resnet_side(*resnet)
    taken = in_turn({"own": own, "peer": lambda: peer.seconds("resnet50/bfloat16")}, repeats)
    rows.append(row("ResNet50, bfloat16", taken["own"], taken["peer"], resnet[0] * resnet[2], RESNET_BAR))
    peer.close()
    notes = (
        f"TensorFlow {tf.__version__}, {REQUIREMENTS[0]}; {n} images of {size} pixels, batches of {batch}, "
        f"{steps} steps a round; ResNet50 at {resnet[1]} pixels, batches of {resnet[0]}; {repeats} rounds."
    )
    publish("training", "Training steps against PyTorch", rows, notes)


if __name__ == "__main__":
    main()
