"""Worker processes for the tests of distributed training."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """A function that returns ports of this machine that are not in use."""

    def find(count: int) -> list[int]:
        probes = [socket.socket() for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in probes]
        for probe in probes:
            probe.close()
        return ports

    return find


@pytest.fixture
def tf_config() -> Callable[[list[int], int], str]:
    """A function that returns TF_CONFIG for the worker `index` of a cluster on some ports."""

    def config(ports: list[int], index: int) -> str:
        addresses = [f"127.0.0.1:{port}" for port in ports]
        return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})

    return config


@pytest.fixture
def start_worker(tf_config):
    """A function that starts a Python script as worker `index` of a cluster; processes end with the test."""
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
