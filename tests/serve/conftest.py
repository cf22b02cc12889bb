"""A run, and a server of it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.runs import Run
from tfretrieval.serve.collection import Collection
from tfretrieval.serve.loading import open_collection
from tfretrieval.serve.server import create_server
from tfretrieval.serve.service import Service
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train

SETTINGS = {"image_size": 16, "epochs": 1, "steps_per_epoch": 30, "batch_size": 32}


@pytest.fixture(scope="session")
def served_run(tmp_path_factory) -> Run:
    """A run on digits, or the one that TFRET_SERVED_RUN names."""
    if named := os.environ.get("TFRET_SERVED_RUN"):
        return Run.open(named)
    run = Run(tmp_path_factory.mktemp("served") / "digits-run")
    train(Catalog.from_source("digits"), TrainConfig.for_recipe("triplet", **SETTINGS), run)
    return run


@pytest.fixture(scope="session")
def service(served_run) -> Service:
    return Service(open_collection(served_run, retrievers=("knn", "faiss")))


@pytest.fixture(scope="session")
def make_collection(tmp_path_factory):
    """Create a collection from embeddings and indexes, with an engine of zeros and an empty audit."""

    def create(gallery, queries=None, indexes=None, **changes) -> Collection:
        engine = SimpleNamespace(
            image_size=8,
            resize_mode="crop",
            embed_pixels=lambda pixels: np.zeros((len(pixels), gallery.dim), np.float32),
        )
        values = {"evaluations": {}, "engine": engine, "facts": {}, "audit": dict}
        values["directory"] = tmp_path_factory.mktemp("maps")
        return Collection("name", gallery, queries or gallery, indexes or {}, **values | changes)

    return create


@contextlib.contextmanager
def serving(service: Service, hosts: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[httpx.Client]:
    """A client of the application on a local port."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = create_server(service, hosts)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        with httpx.Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=60) as client:
            yield client
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def client(service):
    with serving(service) as client:
        yield client


@pytest.fixture(scope="session")
def start():
    """`serving`, for tests that need their own server."""
    return serving


@pytest.fixture(scope="session")
def query_file(service) -> Path:
    """The file of the first query."""
    return Path(service.collection.queries.items.paths[0])
