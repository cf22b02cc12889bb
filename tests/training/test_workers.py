"""Training on several workers: the steps of one process, and what happens when one of them goes away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.cluster import Cluster, read_cluster, wait_for_others
from tfretrieval.training.history import read_history
from tfretrieval.training.replicas import open_replicas

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"image_size": 16, "batch_size": 7}
CASES = [
    ["resnet", {**SMALL, "backbone": "convnet", "weights": "none", "accumulate": 2, "augment": "standard"}],
    ["triplet", {**SMALL, "classes_per_batch": 3, "images_per_class": 3}],
]
MORE_CASES = [["siamese", SMALL], ["triplet", {**SMALL, "loss": "triplet"}]]
NORMALISING = ["resnet", {"backbone": "mobilenet_v2_0.35", "weights": "none", "image_size": 32, "batch_size": 7}]


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def tf_config(ports: list[int], index: int) -> str:
    addresses = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


@pytest.fixture
def started():
    """Starts worker `index` at some ports with a script and its arguments; none outlives the test."""
    processes = []

    def start(ports: list[int], index: int, *command: object) -> subprocess.Popen:
        environment = {**os.environ, "TF_CONFIG": tf_config(ports, index), "TF_CPP_MIN_LOG_LEVEL": "3"}
        arguments = [sys.executable, *(str(argument) for argument in command)]
        processes.append(
            subprocess.Popen(
                arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def losses(started, strategy: str, workers: int, source: Path, cases: list) -> list[np.ndarray]:
    """Of each worker, [case, step]; in double precision, for rounding grows from step to step."""
    script = [ROOT / "tests" / "training" / "losses_of_steps.py", strategy, "float64", source, json.dumps(cases)]
    ports = free_ports(workers)
    results = []
    for process in [started(ports, index, *script) for index in range(workers)]:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        results.append(np.array(json.loads(out)))
    return results


@pytest.mark.parametrize("cases", [CASES, pytest.param(MORE_CASES, marks=pytest.mark.slow)], ids=["some", "others"])
def test_two_workers_or_two_devices_take_the_steps_of_one(started, scenes, cases):
    (alone,) = losses(started, "none", 1, scenes, cases)
    first, second = losses(started, "multi-worker", 2, scenes, cases)
    (mirrored,) = losses(started, "mirrored", 1, scenes, cases)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, alone, atol=1e-5)
    np.testing.assert_allclose(mirrored, alone, atol=1e-5)
    assert (np.ptp(alone, axis=1) > 1e-3).all(), "something was learned"


@pytest.mark.slow
def test_batches_are_normalized_by_the_statistics_of_all_workers(started, scenes):
    (alone,) = losses(started, "none", 1, scenes, [NORMALISING])
    first, second = losses(started, "multi-worker", 2, scenes, [NORMALISING])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[:, :3], alone[:, :3], atol=1e-4)  # then rounding, in single precision, has grown


QUICK = ["--epochs=12", "--image-size=16", "--batch-size=4", "--steps-per-epoch=2", "--augment=none"]


def test_a_worker_that_is_killed_and_started_again_resumes_and_the_chief_alone_writes(started, scenes, tmp_path):
    ports, runs = free_ports(2), [Run(tmp_path / name) for name in ("chief", "worker")]

    def start(index: int) -> subprocess.Popen:
        arguments = ["siamese", "--data", scenes, "--run", runs[index].directory, "--strategy=multi-worker", *QUICK]
        return started(ports, index, "cli.py", "train", *arguments)

    chief, worker = start(0), start(1)
    wait_for(lambda: runs[0].history_path.is_file() and len(read_history(runs[0].history_path)) >= 2)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    again = start(1)
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert "worker 1 of 2 is done" in out
    out, err = chief.communicate(timeout=60)
    assert chief.returncode == 0, err
    assert "a worker was lost" in err
    assert [row["epoch"] for row in read_history(runs[0].history_path)] == list(range(1, 13))
    assert runs[0].manifest()["replicas"] == 2
    assert not runs[1].directory.exists()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


WORKER = {"type": "worker", "index": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs TF_CONFIG"),
        ("{", "is not of the form"),
        ("[]", "is not of the form"),
        ('{"cluster": {"worker": ["a:1"]}}', "is not of the form"),
        (json.dumps({"cluster": {"ps": ["a:1"]}, "task": WORKER}), "names the job 'ps'"),
        (json.dumps({"cluster": {"chief": ["a:1", "b:1"]}, "task": WORKER}), "more than one chief"),
        (json.dumps({"cluster": {"worker": ["a"]}, "task": WORKER}), "not of the form host:port"),
        (json.dumps({"cluster": {"worker": ["a:99999"]}, "task": WORKER}), "not between 1 and 65535"),
        (json.dumps({"cluster": {"worker": ["a:1", "a:1"]}, "task": WORKER}), "an address twice"),
        (json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}), "this is worker 1"),
        (json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}), "this is chief 0"),
    ],
)
def test_a_tf_config_that_makes_no_sense_is_one_clear_line(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=message):
        read_cluster()


def test_the_chief_is_the_one_that_is_named_or_the_first_worker(monkeypatch):
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
    cluster = read_cluster()
    assert (cluster.index, cluster.is_chief, cluster.others) == (2, False, ["a:1", "b:1"])
    monkeypatch.setenv("TF_CONFIG", tf_config([1, 2], 0))
    assert read_cluster().is_chief


def test_a_worker_that_does_not_come_is_named():
    own, other = free_ports(2)
    with pytest.raises(UserError, match=f"no worker came at 127.0.0.1:{other} within 0 s"):
        wait_for_others(Cluster((f"127.0.0.1:{own}", f"127.0.0.1:{other}"), 0), 0.3)


def test_a_port_that_is_taken_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on port {port}"):
            wait_for_others(Cluster((f"127.0.0.1:{port}",), 0), 1)


def test_workers_come_before_anything_that_tensorflow_computes(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(free_ports(1), 0))
    import tensorflow as tf

    tf.constant(0)
    with pytest.raises(UserError, match="before TensorFlow computes anything"):
        open_replicas("multi-worker")


def test_an_unknown_strategy():
    with pytest.raises(UserError, match="no strategy 'tpu'; there are none, mirrored, multi-worker"):
        open_replicas("tpu")
