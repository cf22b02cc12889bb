"""The training loop: epochs of training steps, each followed by validation, a checkpoint and logs."""

import functools
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.data.pipelines import Table
from tfretrieval.errors import UserError
from tfretrieval.losses import loss_spec
from tfretrieval.progress import progress
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.history import write_history
from tfretrieval.training.interruption import interruptible
from tfretrieval.training.network import embedder_of
from tfretrieval.training.optimizers import set_steps_per_epoch
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.retrieval_metrics import RetrievalMetrics
from tfretrieval.training.streams import training_stream, validation_set
from tfretrieval.training.train_step import Learner

log = logging.getLogger(__name__)

LOGGED = ("loss", "accuracy", "val_loss", "val_map", "val_precision_at_1")


@dataclass(eq=False)
class TrainingLoop:
    """Trains a network from a state to the last epoch. Only the chief validates and writes.

    Attributes:
        network: compiled network, see `build_network`.
        state: progress of the run, updated in place.
        config: settings of the run.
        run: run to write to.
        replicas: replicas that compute each batch.
    """

    network: keras.Model
    state: TrainState
    config: TrainConfig
    run: Run
    replicas: Replicas

    def fit(self, training: Table, held_out: Table | None) -> None:
        """Train on a table until the last epoch or until patience runs out.

        Args:
            training: training images or features.
            held_out: held-out images or features that select the epoch; None on workers other than the chief.

        Raises:
            UserError: the loss is not finite, or the run cannot be written.
            WorkerLost: another worker failed.
        """
        config, state = self.config, self.state
        stream, steps = training_stream(training, config, state.epochs_done, self.replicas.shards)
        set_steps_per_epoch(self.network, math.ceil(steps / config.accumulate))
        is_classifier = loss_spec(config.loss).is_classifier
        learner = Learner(self.network, stream, self.replicas, is_classifier, config.xla, config.accumulate)
        self._validate = self._validation(training, held_out)
        self._tensorboard = TensorBoardLog(self.run.logs)
        with interruptible() as check_interrupt, progress(None, "train", total=config.epochs, unit="epoch") as epochs:
            epochs.update(state.epochs_done)
            for epoch in range(state.epochs_done, config.epochs):
                started = time.monotonic()
                learner.begin_epoch(config.learning_rate_at(epoch))
                with progress(None, f"epoch {epoch + 1}/{config.epochs}", total=steps, unit="step") as bar:
                    metrics = learner.train_steps(steps, functools.partial(_end_step, bar, check_interrupt))
                if not math.isfinite(metrics["loss"]):
                    raise UserError(
                        f"the loss is {metrics['loss']} in epoch {epoch + 1}; "
                        "use a lower --learning-rate or omit --mixed-precision"
                    )
                if self.replicas.on_chief(functools.partial(self._end_epoch, metrics, started)):
                    break
                epochs.update(1)

    def _validation(self, training: Table, held_out: Table | None) -> Callable[[], dict[str, float]]:
        """A function that computes the validation loss and the retrieval metrics."""
        if held_out is None:
            return dict
        network, config = self.network, self.config
        batches = validation_set(held_out, config)
        retrieval = RetrievalMetrics(embedder_of(network), held_out, training, config.metric, config.seed)

        def validate() -> dict[str, float]:
            losses = {} if batches is None else network.evaluate(batches, verbose=0, return_dict=True)
            return {**{f"val_{name}": value for name, value in losses.items()}, **retrieval.measure()}

        return validate

    def _end_epoch(self, metrics: dict[str, float], started: float) -> bool:
        """Validate and write the checkpoint, history and logs of an epoch; whether patience has run out."""
        state, config = self.state, self.config
        row: dict[str, float] = {
            "epoch": state.epochs_done + 1,
            **{name: float(value) for name, value in {**metrics, **self._validate()}.items()},
            "learning_rate": config.learning_rate_at(state.epochs_done),
            "seconds": round(time.monotonic() - started, 2),
        }
        state.add_epoch(row, config.monitor)
        Checkpoints(self.run.checkpoints).save(self.network, embedder_of(self.network), state)
        write_history(self.run.history_path, state.history)
        self._tensorboard.write(state.epochs_done, row)
        values = "  ".join(f"{name} {row[name]:.4f}" for name in LOGGED if name in row)
        log.info("epoch %d/%d  %s  %.1f s", state.epochs_done, config.epochs, values, row["seconds"])
        if is_over := state.is_out_of_patience(config.patience):
            log.info("no better %s for %d epochs: stopping early", config.monitor, config.patience)
        return is_over


class TensorBoardLog:
    """Writes the metrics of each epoch to `train/` and, for names with `val_`, to `validation/`.

    Args:
        directory: the log directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: dict[str, Any] = {}

    def write(self, epoch: int, metrics: dict[str, float]) -> None:
        """Write the metrics of an epoch, counted from 1."""
        for name, value in metrics.items():
            part = "validation" if name.startswith("val_") else "train"
            if part not in self._writers:
                self._writers[part] = tf.summary.create_file_writer(str(self._directory / part))
            with self._writers[part].as_default(step=epoch):
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value)
        for writer in self._writers.values():
            writer.flush()


def _end_step(bar: Any, check_interrupt: Callable[[], None]) -> None:
    bar.update(1)
    check_interrupt()
