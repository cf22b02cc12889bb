"""Train a head for twenty epochs on cached features of a frozen backbone, on MIT_split.

The time is that of a whole training, from the cached features to the saved model, with validation and a checkpoint
after every epoch. One epoch on images, without cached features, is measured for comparison. `TFRET_MIT_SPLIT` names the
photographs and `TFRET_WEIGHTS` the weights of the backbone; `--quick` uses digits and random weights.
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
from timing import spread, time_interleaved

from tfretrieval.data.catalog import Catalog
from tfretrieval.runs import Run
from tfretrieval.training import fit
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.history import best_epoch, read_history

TARGET_SECONDS = 10
BACKBONE = "mobilenet_v2_0.35"
HEADS = {"cross-entropy, cosine": "cross-entropy", "triplet, P x K": "triplet-all"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing saved")
    quick = parser.parse_args().quick
    photographs, weights = os.environ.get("TFRET_MIT_SPLIT", ""), os.environ.get("TFRET_WEIGHTS", "")
    if not quick and not (photographs and Path(photographs).is_dir() and Path(weights).is_file()):
        print("skipped: TFRET_MIT_SPLIT must name the photographs, and TFRET_WEIGHTS the weights of the backbone")
        return
    with tempfile.TemporaryDirectory() as directory, mock.patch.dict(os.environ, {"TFRET_CACHE": f"{directory}/cache"}):
        if quick:
            digits = Catalog.from_source("digits")
            catalog, data = digits.subset(np.arange(len(digits)) % 20 == 0), "90 digits"
        else:
            catalog, data = Catalog.from_source(photographs), "MIT_split"
        epochs, repeats, size = (2, 1, 32) if quick else (20, 3, 224)
        configs = {head: config_for(loss, "none" if quick else weights, epochs, size) for head, loss in HEADS.items()}
        rows = [
            measure(head, catalog, config, repeats, Path(directory, config.loss)) for head, config in configs.items()
        ]
    notes = f"TensorFlow {tf.__version__}; {data}, {BACKBONE} at {size} pixels, frozen; {repeats} rounds."
    publish("head_training", f"Training a head for {epochs} epochs", rows, notes, save=not quick)


def config_for(loss: str, weights: str, epochs: int, size: int) -> TrainConfig:
    return TrainConfig.for_recipe(
        "resnet", backbone=BACKBONE, weights=weights, image_size=size, loss=loss, embedding_dim=64, freeze=True,
        augment="none", epochs=epochs, optimizer="adam", learning_rate=1e-3,
    )  # fmt: skip


def measure(head: str, catalog: Catalog, config: TrainConfig, repeats: int, directory: Path) -> dict[str, str]:
    run = Run(directory / "features")
    started = time.perf_counter()
    fit.train(catalog, dataclasses.replace(config, epochs=1), run)
    first_seconds = time.perf_counter() - started

    def train_on_features() -> None:
        fit.train(catalog, config, run, overwrite=True)

    seconds = time_interleaved({"features": train_on_features}, repeats, warm_ups=0)["features"]
    best = best_epoch(read_history(run.history_path), "val_map")
    assert best is not None
    with mock.patch.object(fit, "_frozen_embedder", return_value=None):  # train on images
        images = Run(directory / "images")
        fit.train(catalog, dataclasses.replace(config, epochs=2), images)
    return {
        "head": head,
        "epochs": str(config.epochs),
        "all epochs, features cached, s": spread(seconds, 1),
        "1 epoch, features not cached yet, s": f"{first_seconds:.1f}",
        "1 epoch on images, s": f"{read_history(images.history_path)[-1]['seconds']:.1f}",
        "held-out mAP": f"{best['val_map']:.3f}",
        f"under {TARGET_SECONDS} s": "yes" if statistics.median(seconds) < TARGET_SECONDS else "no",
    }


if __name__ == "__main__":
    main()
