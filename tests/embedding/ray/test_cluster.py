"""Tests of the connection to Ray, without starting it."""

from __future__ import annotations

import socket
import sys

import pytest

from tfretrieval.embedding.ray.cluster import connected, cores_of_nodes, load_ray
from tfretrieval.errors import UserError


class Ray:
    """The part of the module `ray` that lists nodes."""

    def __init__(self, *cpus: int) -> None:
        self._cpus = cpus

    def nodes(self) -> list[dict]:
        lost = {"Resources": {"CPU": 64.0}, "Alive": False}
        return [lost, *({"Resources": {"CPU": float(count)}, "Alive": True} for count in self._cpus)]


def test_cores_are_those_of_live_nodes_with_cpus():
    assert cores_of_nodes(Ray(4, 0, 2)) == [4, 2]


def test_cluster_without_cpus_is_an_error():
    with pytest.raises(UserError, match="CPU"):
        cores_of_nodes(Ray(0))


def test_failed_connection_is_one_line(monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed")

    def init(address, **_):
        raise ConnectionError(f"Could not find any running Ray instance.\nAt {address}.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UserError, match=rf"{address}: Connection refused$"), connected(address):
            pass
        server.listen()
        with pytest.raises(UserError, match=rf"{address}: Could not find [^\n]*$"), connected(address):
            pass


def test_missing_ray_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"tfretrieval\[ray\]"):
        load_ray()
