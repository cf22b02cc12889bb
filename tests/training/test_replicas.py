"""Tests of replicas; `test_train_step.py` trains on several."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.pipelines import BatchShard
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.cluster import Cluster
from tfretrieval.training.history import read_history
from tfretrieval.training.replicas import Replicas, WorkerLost, open_replicas


def test_one_replica_computes_the_whole_batch():
    replicas = open_replicas()
    assert (replicas.count, replicas.is_chief, replicas.shards) == (1, True, [BatchShard(0, 1)])
    assert replicas.on_chief(lambda: "result") == "result"
    rows = tf.constant([[1.0], [2.0]])
    np.testing.assert_array_equal(replicas.run(lambda replica, shard: replicas.all_gather(shard), [rows]), rows)


def test_lost_connection_of_a_cluster_is_a_lost_worker():
    cluster = Cluster(("a:1", "b:1"), 1)
    with pytest.raises(WorkerLost, match="a:1"), Replicas(cluster=cluster).detecting_lost_workers():
        raise tf.errors.UnavailableError(None, None, "connection reset")


def test_without_a_cluster_errors_of_tensorflow_are_kept():
    with pytest.raises(tf.errors.UnavailableError), Replicas().detecting_lost_workers():
        raise tf.errors.UnavailableError(None, None, "connection reset")


def test_workers_must_be_opened_before_tensorflow_computes(monkeypatch, free_ports, tf_config):
    monkeypatch.setenv("TF_CONFIG", tf_config(free_ports(1), 0))
    tf.constant(0)
    with pytest.raises(UserError, match="before TensorFlow"):
        open_replicas("multi-worker")


def test_unknown_strategy_is_an_error():
    with pytest.raises(UserError, match="tpu"):
        open_replicas("tpu")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_lost_worker_ends_the_others_with_status_75_and_resume_continues(start_worker, free_ports, scenes, tmp_path):
    runs = [Run(tmp_path / name) for name in ("chief", "worker")]
    settings = ["--epochs=12", "--image-size=16", "--batch-size=4", "--steps-per-epoch=2", "--augment=none"]

    def start(ports: list[int], index: int, *options: str):
        arguments = ["siamese", "--data", scenes, "--run", runs[index].directory, "--strategy=multi-worker"]
        return start_worker(ports, index, "cli.py", "train", *arguments, *settings, *options)

    ports = free_ports(2)
    chief, worker = start(ports, 0), start(ports, 1)
    deadline = time.monotonic() + 120
    while not (runs[0].history_path.is_file() and len(read_history(runs[0].history_path)) >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    worker.send_signal(signal.SIGKILL)
    _, err = chief.communicate(timeout=60)
    assert chief.returncode == 75, err
    last = err.rstrip().splitlines()[-1]
    assert last.startswith("tfret: error:")
    assert "--resume" in last
    assert "Traceback" not in err

    ports = free_ports(2)
    processes = [start(ports, index, "--resume") for index in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert [row["epoch"] for row in read_history(runs[0].history_path)] == list(range(1, 13))
    assert runs[0].manifest()["replicas"] == 2
    assert not runs[1].directory.exists(), "only the chief writes"
