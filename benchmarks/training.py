"""Training steps compared with plain PyTorch: the convnet on pairs and triplets, and ResNet50 in bfloat16.

Both implementations train the same network with the same loss, optimizer and batch size. The convnet reads from the
input pipeline, or in PyTorch from a DataLoader with two workers, both over uint8 images in memory with random flips.
ResNet50 repeats one batch; its batch normalization is frozen.
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
from timing import speedup, spread, time_interleaved

from tfretrieval.models.backbones import set_trainable
from tfretrieval.models.classifier import build_classifier
from tfretrieval.models.embedder import build_embedder
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.streams import training_stream
from tfretrieval.training.train_step import Learner

N_CLASSES, SMALL_NET_TARGET, RESNET_TARGET = 8, 1.5, 1.0
RECIPES = {"pairs": ("siamese", "contrastive"), "triplets": ("triplet", "triplet")}
IMAGES_PER_ITEM = {"pairs": 2, "triplets": 3}
REQUIREMENTS = ("torch==2.13.0", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, no PyTorch, nothing saved")
    quick = parser.parse_args().quick
    n, size, batch, steps, repeats = (200, 16, 8, 2, 1) if quick else (2000, 64, 64, 10, 5)
    resnet = (2, 64, 1) if quick else (32, 224, 2)  # batch, image size, steps
    if quick:
        for side in (*(small_net(items, n, size, batch, steps) for items in RECIPES), resnet50(*resnet)):
            print(f"{side():.2f} s")
        return
    peer = Peer("torch_training.py", *map(str, (n, size, batch, steps, *resnet)), requirements=REQUIREMENTS)
    rows = []
    for items, per_item in IMAGES_PER_ITEM.items():
        ours = small_net(items, n, size, batch, steps)
        seconds = time_interleaved({"ours": ours, "PyTorch": lambda items=items: peer.seconds(items)}, repeats)
        rows.append(row(items, seconds["ours"], seconds["PyTorch"], per_item * batch * steps, SMALL_NET_TARGET))
    ours = resnet50(*resnet)
    seconds = time_interleaved({"ours": ours, "PyTorch": lambda: peer.seconds("resnet50/bfloat16")}, repeats)
    rows.append(row("ResNet50, bfloat16", seconds["ours"], seconds["PyTorch"], resnet[0] * resnet[2], RESNET_TARGET))
    peer.close()
    notes = (
        f"TensorFlow {tf.__version__}, {REQUIREMENTS[0]}; {n} images of {size} pixels, batches of {batch}, "
        f"{steps} steps per round; ResNet50 at {resnet[1]} pixels, batches of {resnet[0]}; {repeats} rounds."
    )
    publish("training", "Training steps", rows, notes)


def small_net(items: str, n: int, size: int, batch: int, steps: int) -> Callable[[], float]:
    """Train the study's net on pairs or triplets, see `timed_steps`."""
    recipe, loss = RECIPES[items]
    config = TrainConfig.for_recipe(recipe, loss=loss, image_size=size, batch_size=batch, steps_per_epoch=steps)
    stream, _ = training_stream(SyntheticTable(n, size, N_CLASSES), config)
    return timed_steps(build_network(config, N_CLASSES), stream, steps)


def resnet50(batch: int, size: int, steps: int) -> Callable[[], float]:
    """Fine-tune ResNet50 in bfloat16, see `timed_steps`."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    embedder = build_embedder("resnet50", size)
    network = build_classifier(embedder, N_CLASSES, "linear")
    keras.mixed_precision.set_global_policy("float32")
    set_trainable(embedder.get_layer("backbone"), True, keep_statistics=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.SGD(0.002, momentum=0.9), loss=loss)
    images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    shard = (images, np.arange(batch, dtype=np.int32) % N_CLASSES)
    return timed_steps(network, tf.data.Dataset.from_tensors((shard,)).repeat(), steps)


def timed_steps(network: keras.Model, data: tf.data.Dataset, steps: int) -> Callable[[], float]:
    """A function that takes some training steps and returns their seconds; the step is traced before."""
    learner = Learner(network, data, Replicas())
    learner.train_steps(1)

    def run() -> float:
        started = time.perf_counter()
        learner.train_steps(steps)
        return time.perf_counter() - started

    return run


def row(training: str, ours: list[float], pytorch: list[float], n_images: int, target: float) -> dict[str, str]:
    return {
        "training": training,
        "tfretrieval, images/s": f"{n_images / statistics.median(ours):.0f}",
        "PyTorch, images/s": f"{n_images / statistics.median(pytorch):.0f}",
        "speedup": spread([b / a for a, b in zip(ours, pytorch)], 2),
        "target": f"at least {target}",
        "reached": "yes" if speedup(ours, pytorch) >= target else "no",
    }


if __name__ == "__main__":
    main()
