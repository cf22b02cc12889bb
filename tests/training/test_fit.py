"""Tests of training and of resuming an interrupted training."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.training.history import read_history

QUICK = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 2, "epochs": 2}


def assert_equal_weights(*paths: Path) -> None:
    for a, b in zip(*(keras.models.load_model(path).get_weights() for path in paths), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def catalog(scenes):
    return Catalog.from_source(scenes)


def test_run_has_model_history_manifest_costs_and_logs(catalog, tmp_path):
    run = Run(tmp_path / "run")
    model = train(catalog, TrainConfig.for_recipe("triplet", **QUICK), run, argv=["tfret", "train"])
    history = read_history(run.history_path)
    assert [row["epoch"] for row in history] == [1, 2]
    assert {"loss", "val_map", "val_precision_at_1", "spread", "learning_rate", "seconds"} <= set(history[0])
    manifest = run.manifest()
    assert manifest["data"]["fingerprint"] == catalog.fingerprint
    assert manifest["argv"] == ["tfret", "train"]
    assert "tensorflow" in manifest["versions"]
    costs = run.manifest()["training"]
    assert costs["parameters"] == model.count_params()
    assert costs["peak_memory"] > 100e6
    assert any(run.logs.rglob("events.out.tfevents.*"))
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    saved = keras.models.load_model(run.model_path)
    np.testing.assert_allclose(saved(images), model(images), rtol=1e-6)


def test_loss_decreases(catalog, tmp_path):
    config = TrainConfig.for_recipe("siamese", **{**QUICK, "steps_per_epoch": 10, "epochs": 6})
    train(catalog, config, Run(tmp_path / "run"))
    losses = [row["loss"] for row in read_history(Run(tmp_path / "run").history_path)]
    assert losses[-1] < 0.7 * losses[0]


def test_model_is_that_of_the_best_epoch(catalog, tmp_path, monkeypatch):
    from tfretrieval.training import retrieval_metrics

    values = iter([0.3, 0.9, 0.5])
    monkeypatch.setattr(
        retrieval_metrics.RetrievalMetrics,
        "measure",
        lambda self: {"val_map": next(values), "val_precision_at_1": 0.0, "spread": 1.0},
    )
    run = Run(tmp_path / "run")
    train(catalog, TrainConfig.for_recipe("triplet", **{**QUICK, "epochs": 3}), run)
    assert_equal_weights(run.model_path, run.checkpoints / "best-0002.keras")


def test_early_stopping_also_holds_after_a_resume(catalog, tmp_path, monkeypatch):
    from tfretrieval.training import retrieval_metrics

    monkeypatch.setattr(
        retrieval_metrics.RetrievalMetrics,
        "measure",
        lambda self: {"val_map": 0.5, "val_precision_at_1": 0.5, "spread": 1.0},
    )
    run = Run(tmp_path / "run")
    config = TrainConfig.for_recipe("triplet", **{**QUICK, "epochs": 9, "patience": 2})
    train(catalog, config, run)
    assert len(read_history(run.history_path)) == 3
    train(catalog, config, run, resume=True)
    assert len(read_history(run.history_path)) == 3


def test_resume_with_more_epochs_equals_an_uninterrupted_training(catalog, tmp_path):
    config = TrainConfig.for_recipe("triplet", **QUICK)
    full, resumed = Run(tmp_path / "full"), Run(tmp_path / "resumed")
    longer = TrainConfig.for_recipe("triplet", **{**QUICK, "epochs": 4})
    train(catalog, longer, full)
    train(catalog, config, resumed)
    train(catalog, longer, resumed, resume=True)
    expected, actual = read_history(full.history_path), read_history(resumed.history_path)
    assert [row["epoch"] for row in actual] == [1, 2, 3, 4]
    np.testing.assert_allclose([row["loss"] for row in actual], [row["loss"] for row in expected], rtol=1e-3)


def test_model_is_that_of_the_last_epoch_without_held_out_images(catalog, tmp_path):
    run = Run(tmp_path / "run")
    train(catalog, TrainConfig.for_recipe("triplet", **QUICK, validation_fraction=0.0), run)
    assert "val_map" not in read_history(run.history_path)[0]
    assert_equal_weights(run.model_path, run.checkpoints / "best-0002.keras")


def test_validation_loss_is_recorded(catalog, tmp_path):
    run = Run(tmp_path / "run")
    train(catalog, TrainConfig.for_recipe("siamese", **QUICK, validation_fraction=0.5), run)
    assert all(row["val_loss"] > 0 for row in read_history(run.history_path))


def test_loss_that_is_not_finite_is_an_error(catalog, tmp_path):
    scratch = {"backbone": "convnet", "weights": "none", "head": "linear", "ema": 0.0}
    config = TrainConfig.for_recipe("resnet", **scratch, **QUICK, learning_rate=1e38)
    with pytest.raises(UserError, match=r"nan|inf"):
        train(catalog, config, Run(tmp_path / "run"))


def test_mixed_precision_gives_float32_embeddings_and_resets_the_policy(catalog, tmp_path):
    run = Run(tmp_path / "run")
    model = train(catalog, TrainConfig.for_recipe("triplet", **QUICK, mixed_precision=True), run)
    assert model.output.dtype in ("float32", np.float32)
    assert model.get_layer("projection").compute_dtype in ("bfloat16", "float16")
    assert keras.mixed_precision.global_policy().name == "float32"
    assert all(np.isfinite(row["loss"]) for row in read_history(run.history_path))


def test_mixed_precision_and_xla_give_nearly_the_same_losses(catalog, tmp_path):
    losses = {}
    for name, options in {"plain": {}, "mixed": {"mixed_precision": True}, "xla": {"xla": True}}.items():
        config = TrainConfig.for_recipe("siamese", **QUICK, **options)
        train(catalog, config, Run(tmp_path / name))
        losses[name] = [row["loss"] for row in read_history(Run(tmp_path / name).history_path)]
    np.testing.assert_allclose(losses["xla"], losses["plain"], rtol=1e-3)
    np.testing.assert_allclose(losses["mixed"], losses["plain"], rtol=0.1)
    assert losses["mixed"] != losses["plain"]


@pytest.mark.slow
def test_accumulation_ends_with_the_epoch_also_in_a_resumed_run(catalog, tmp_path):
    settings = {**QUICK, "steps_per_epoch": 5, "accumulate": 2, "ema": 0.5}
    full, resumed = Run(tmp_path / "full"), Run(tmp_path / "resumed")
    longer = TrainConfig.for_recipe("siamese", **{**settings, "epochs": 3})
    train(catalog, longer, full)
    train(catalog, TrainConfig.for_recipe("siamese", **settings), resumed)
    train(catalog, longer, resumed, resume=True)
    expected, actual = read_history(full.history_path), read_history(resumed.history_path)
    np.testing.assert_allclose([row["loss"] for row in actual], [row["loss"] for row in expected], rtol=1e-3)
    state = keras.models.load_model(full.checkpoints / "epoch-0003" / "network.keras")
    assert int(np.asarray(state.optimizer.iterations)) == 9, "two groups of two batches and one of one, three times"


def test_seed_determines_the_training(catalog, tmp_path):
    losses = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(catalog, TrainConfig.for_recipe("triplet", **QUICK, seed=seed), Run(tmp_path / name))
        losses[name] = [row["loss"] for row in read_history(Run(tmp_path / name).history_path)]
    np.testing.assert_allclose(losses["a"], losses["b"], rtol=1e-4)
    assert not np.allclose(losses["a"], losses["c"], rtol=1e-4)


@pytest.mark.parametrize("loss", ["cross-entropy", "contrastive", "triplet", "triplet-all"])
def test_steps_are_traced_once_for_all_epochs(catalog, tmp_path, monkeypatch, loss):
    from tfretrieval.training import fit

    traced: list[int] = []

    def counted(*arguments: object) -> keras.Model:
        network = build_network(*arguments)
        forward = network.call
        network.call = lambda *a, **k: (traced.append(1), forward(*a, **k))[1]
        return network

    build_network = fit.build_network
    monkeypatch.setattr(fit, "build_network", counted)
    monkeypatch.setattr(fit, "imprint_head", lambda *a: None)
    counts = []
    for epochs in (1, 3):
        settings = {**QUICK, "batch_size": 5, "epochs": epochs, "validation_fraction": 0.4}
        traced.clear()
        train(catalog, TrainConfig.for_recipe("triplet", loss=loss, **settings), Run(tmp_path / str(epochs)))
        counts.append(len(traced))
    assert 0 < counts[0] == counts[1] <= 4, "training, validation, retrieval metrics and the shape inference of Keras"


# Parallel test runners ignore Ctrl-C, and a child inherits that.
START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tfretrieval.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def tfret_process():
    """A function that starts `tfret` in a process, which ends with the test."""
    started = []

    def start(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-c", START, *(str(argument) for argument in arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_training_resumes_and_has_every_epoch_once(tfret_process, scenes, catalog, tmp_path, times):
    n_epochs = 10 if times == 1 else 24
    run = Run(tmp_path / "run")
    quick = [f"--{name.replace('_', '-')}={value}" for name, value in {**QUICK, "epochs": n_epochs}.items()]
    arguments = ["train", "triplet", "--data", scenes, "--run", run.directory, *quick, "--resume"]
    delays = random.Random(0)
    for _ in range(times):
        process = tfret_process(*arguments)
        time.sleep(delays.uniform(0.5, 9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for file in run.directory.glob("*.keras"):
            keras.models.load_model(file)
        if run.history_path.exists():
            epochs = [row["epoch"] for row in read_history(run.history_path)]
            assert epochs == list(range(1, len(epochs) + 1))
    process = tfret_process(*arguments)
    assert process.wait(timeout=300) == 0, process.stderr.read()
    history = read_history(run.history_path)
    assert [row["epoch"] for row in history] == list(range(1, n_epochs + 1))
    keras.models.load_model(run.model_path)
    assert not [path for path in run.directory.rglob("*") if path.name.startswith((".tmp", ".old"))]
    full = Run(tmp_path / "full")
    train(catalog, TrainConfig.for_recipe("triplet", **{**QUICK, "epochs": n_epochs}), full)
    expected = [row["loss"] for row in read_history(full.history_path)]
    np.testing.assert_allclose([row["loss"] for row in history][:8], expected[:8], rtol=2e-2)


def test_ctrl_c_exits_with_one_line_and_keeps_finished_epochs(tfret_process, scenes, tmp_path):
    run = Run(tmp_path / "run")
    quick = [f"--{name.replace('_', '-')}={value}" for name, value in {**QUICK, "epochs": 100000}.items()]
    process = tfret_process("train", "triplet", "--data", scenes, "--run", run.directory, *quick)
    deadline = time.monotonic() + 120
    while not run.history_path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    line = stderr.rstrip().splitlines()[-1]
    assert line.startswith("tfret: error: interrupted")
    assert f"tfret train --resume --run {run.directory}" in line
    assert "Traceback" not in stderr
    assert len(read_history(run.history_path)) >= 1
