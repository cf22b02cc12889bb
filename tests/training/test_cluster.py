"""Tests of the cluster in TF_CONFIG."""

from __future__ import annotations

import json
import socket

import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.cluster import Cluster, read_cluster, wait_for_workers

WORKER = {"type": "worker", "index": 0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        json.dumps({"cluster": {"ps": ["a:1"]}, "task": WORKER}),
        json.dumps({"cluster": {"chief": ["a:1", "b:1"]}, "task": WORKER}),
        json.dumps({"cluster": {"worker": ["a"]}, "task": WORKER}),
        json.dumps({"cluster": {"worker": ["a:99999"]}, "task": WORKER}),
        json.dumps({"cluster": {"worker": ["a:1", "a:1"]}, "task": WORKER}),
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}),
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}),
    ],
)
def test_missing_or_invalid_tf_config_is_an_error(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG"):
        read_cluster()


def test_named_chief_precedes_the_workers(monkeypatch):
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
    cluster = read_cluster()
    assert (cluster.index, cluster.is_chief, cluster.other_workers) == (2, False, ["a:1", "b:1"])


def test_without_a_named_chief_the_first_worker_is_the_chief(monkeypatch, tf_config):
    monkeypatch.setenv("TF_CONFIG", tf_config([1, 2], 0))
    assert read_cluster().is_chief


def test_worker_that_does_not_start_is_an_error_that_names_it(free_ports):
    own, other = free_ports(2)
    with pytest.raises(UserError, match=f"127.0.0.1:{other}"):
        wait_for_workers(Cluster((f"127.0.0.1:{own}", f"127.0.0.1:{other}"), 0), 0.3)


def test_port_in_use_is_an_error():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}"):
            wait_for_workers(Cluster((f"127.0.0.1:{port}",), 0), 1)
