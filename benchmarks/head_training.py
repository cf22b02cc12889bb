"""Twenty epochs of a head on the cached features of a frozen backbone, on the photographs of MIT_split.

The whole of a training is timed, with its validation after every epoch and its checkpoints, from features that a first
run has left in the cache to the saved model; beside it, one epoch from images, as it is without the cache. The
photographs are looked for in TFRET_MIT_SPLIT, the backbone's weights in TFRET_WEIGHTS. A quick look takes digits and
random weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from results import publish
from timing import in_turn, spread

from tfretrieval.data.catalog import Catalog
from tfretrieval.runs import Run
from tfretrieval.training import fit
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.history import best_epoch, read_history

BAR = 10
BACKBONE = "mobilenet_v2_0.35"
HEADS = {"cross-entropy, cosine": "cross-entropy", "triplet, P x K": "triplet-all"}


def config_of(loss: str, weights: str, epochs: int, size: int) -> TrainConfig:
    return TrainConfig.for_recipe(
        "resnet", backbone=BACKBONE, weights=weights, image_size=size, loss=loss, embedding_dim=64, freeze=True,
        augment="none", epochs=epochs, optimizer="adam", learning_rate=1e-3,
    )  # fmt: skip


def measure(what: str, catalog: Catalog, config: TrainConfig, repeats: int, folder: Path) -> dict[str, str]:
    run = Run(folder / "cached")
    started = time.perf_counter()
    fit.train(catalog, dataclasses.replace(config, epochs=1), run)
    first = time.perf_counter() - started

    def cached() -> None:
        fit.train(catalog, config, run, overwrite=True)

    seconds = in_turn({"cached": cached}, repeats, warm_ups=0)["cached"]
    best = best_epoch(read_history(run.history_path), "val_map")
    with mock.patch.object(fit, "_frozen_embedder", return_value=None):
        images = Run(folder / "images")
        fit.train(catalog, dataclasses.replace(config, epochs=2), images)
    epoch = read_history(images.history_path)[-1]["seconds"]
    assert best is not None
    return {
        "head": what,
        "epochs": str(config.epochs),
        "all epochs on cached features, s": spread(seconds, 1),
        "first run with 1 epoch, s": f"{first:.1f}",
        "one epoch on images, s": f"{epoch:.1f}",
        "held-out mAP": f"{best['val_map']:.3f}",
        f"under {BAR} s": "yes" if statistics.median(seconds) < BAR else "no",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, nothing kept")
    quick = parser.parse_args().quick
    photographs, weights = os.environ.get("TFRET_MIT_SPLIT", ""), os.environ.get("TFRET_WEIGHTS", "")
    if not quick and not (Path(photographs).is_dir() and photographs and Path(weights).is_file()):
        print("skipped: TFRET_MIT_SPLIT and TFRET_WEIGHTS do not name the photographs and the backbone's weights")
        return
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"TFRET_CACHE": f"{folder}/cache"}):
        if quick:
            digits = Catalog.from_source("digits")
            catalog, source = digits.subset(np.arange(len(digits)) % 20 == 0), "90 digits"
        else:
            catalog, source = Catalog.from_source(photographs), "MIT_split"
        epochs, repeats, size = (2, 1, 32) if quick else (20, 3, 224)
        rows = [
            measure(
                what, catalog, config_of(loss, "none" if quick else weights, epochs, size), repeats, Path(folder, loss)
            )
            for what, loss in HEADS.items()
        ]
    notes = f"TensorFlow {tf.__version__}; {source}, {BACKBONE} at {size} pixels, frozen; {repeats} rounds."
    publish("head_training", f"{epochs} epochs of a head in under {BAR} s", rows, notes, keep=not quick)


if __name__ == "__main__":
    main()
