"""The training loop: epochs of training steps, each followed by validation, a checkpoint and logs."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import keras

from tfretrieval.data.pipelines import Table
from tfretrieval.errors import UserError
from tfretrieval.losses import loss_spec
from tfretrieval.progress import progress
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.history import write_history
from tfretrieval.training.interruption import Interruption
from tfretrieval.training.network import embedder_of
from tfretrieval.training.optimizers import set_batches_per_epoch
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.retrieval_metrics import RetrievalMetrics
from tfretrieval.training.streams import training_stream, validation_set
from tfretrieval.training.tensorboard import TensorBoardLog
from tfretrieval.training.train_step import Learner

log = logging.getLogger(__name__)

LOGGED = ("loss", "accuracy", "val_loss", "val_map", "val_precision_at_1")


class TrainingLoop:
    """Trains a network from a state to the last epoch. Only the chief validates and writes.

    Args:
        network: compiled network, see `build_network`.
        state: progress of the run, updated in place.
        config: settings of the run.
        run: run to write to.
        replicas: replicas that compute each batch.
    """

    def __init__(
        self, network: keras.Model, state: TrainState, config: TrainConfig, run: Run, replicas: Replicas
    ) -> None:
        self._network = network
        self._state = state
        self._config = config
        self._run = run
        self._replicas = replicas

    def fit(self, training: Table, held_out: Table | None) -> None:
        """Train on a table until the last epoch or until patience runs out.

        Args:
            training: training images or features.
            held_out: held-out images or features that select the epoch; None on workers other than the chief.

        Raises:
            UserError: the loss is not finite, or the run cannot be written.
            WorkerLost: another worker is gone.
        """
        config, state = self._config, self._state
        stream, steps = training_stream(training, config, state.epochs_done, self._replicas.shards)
        set_batches_per_epoch(self._network, steps)
        learner = Learner(self._network, stream, self._replicas, loss_spec(config.loss).is_classifier, config.xla)
        end_epoch = EpochEnd(self._network, state, config, self._run, self._validation(training, held_out))
        with Interruption() as interruption, progress(None, "train", total=config.epochs, unit="epoch") as epochs:
            epochs.update(state.epochs_done)
            for epoch in range(state.epochs_done, config.epochs):
                learner.begin_epoch(config.learning_rate_at(epoch))
                with progress(None, f"epoch {epoch + 1}/{config.epochs}", total=steps, unit="step") as bar:
                    metrics = learner.train_steps(steps, functools.partial(_end_step, bar, interruption))
                if not math.isfinite(metrics["loss"]):
                    raise UserError(
                        f"the loss is {metrics['loss']} in epoch {epoch + 1}; "
                        "use a lower --learning-rate or drop --mixed-precision"
                    )
                if self._replicas.on_chief(functools.partial(end_epoch, metrics)):
                    break
                epochs.update(1)

    def _validation(self, training: Table, held_out: Table | None) -> Callable[[], dict[str, float]]:
        """A function that computes the validation loss and the retrieval metrics."""
        if held_out is None:
            return dict
        batches = validation_set(held_out, self._config)
        retrieval = RetrievalMetrics(
            embedder_of(self._network), held_out, training, self._config.metric, self._config.seed
        )

        def validate() -> dict[str, float]:
            losses = {} if batches is None else self._network.evaluate(batches, verbose=0, return_dict=True)
            return {**{f"val_{name}": value for name, value in losses.items()}, **retrieval.after_epoch()}

        return validate


class EpochEnd:
    """Validates after an epoch and writes its checkpoint, history and logs.

    Args:
        network: the network in training.
        state: progress of the run, updated in place.
        config: settings of the run.
        run: run to write to.
        validate: computes the validation metrics.
    """

    def __init__(
        self,
        network: keras.Model,
        state: TrainState,
        config: TrainConfig,
        run: Run,
        validate: Callable[[], dict[str, float]],
    ) -> None:
        self._network = network
        self._state = state
        self._config = config
        self._run = run
        self._validate = validate
        self._checkpoints = Checkpoints(run.checkpoints)
        self._tensorboard = TensorBoardLog(run.logs)
        self._started = time.monotonic()

    def __call__(self, metrics: dict[str, float]) -> bool:
        """Finish the epoch with these training metrics; whether patience has run out.

        Raises:
            UserError: the run cannot be written.
        """
        state, config = self._state, self._config
        metrics = {**metrics, **self._validate()}
        now = time.monotonic()
        row: dict[str, float] = {
            "epoch": state.epochs_done + 1,
            **{name: float(value) for name, value in metrics.items()},
            "learning_rate": config.learning_rate_at(state.epochs_done),
            "seconds": round(now - self._started, 2),
        }
        self._started = now
        state.add_epoch(row, config.monitor)
        self._checkpoints.save(self._network, embedder_of(self._network), state)
        write_history(self._run.history_path, state.history)
        self._tensorboard.write(state.epochs_done, row)
        values = "  ".join(f"{name} {row[name]:.4f}" for name in LOGGED if name in row)
        log.info("epoch %d/%d  %s  %.1f s", state.epochs_done, config.epochs, values, row["seconds"])
        if state.is_out_of_patience(config.patience):
            log.info("no better %s for %d epochs: stopping early", config.monitor, config.patience)
            return True
        return False


def _end_step(bar: Any, interruption: Interruption) -> None:
    bar.update(1)
    interruption.check()
