"""The application around the routes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.serve.app import create_app
from tfretrieval.serve.service import Service


def in_a_thread(coroutine) -> Any:
    """The result of a coroutine; this thread may have an event loop already, that of a browser."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="module")
def send(make_collection):
    """Send a request to an application over a gallery without an index."""
    gallery = Embeddings.from_arrays(np.eye(4), [0, 0, 1, 1])
    app = create_app(Service(make_collection(gallery)), hosts=("test",))

    def request(method: str, path: str, **options) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return in_a_thread(run())

    return request


def test_the_page_and_its_scripts_are_served(send):
    assert "<!DOCTYPE html>" in send("GET", "/").text
    assert "javascript" in send("GET", "/js/main.js").headers["content-type"]


def test_the_server_is_not_ready_before_its_lifespan(send):
    assert send("GET", "/api/health").json() == {"status": "ok"}
    assert send("GET", "/api/ready").status_code == 503


def test_unknown_hosts_are_rejected(send):
    assert send("GET", "/api/health", headers={"host": "evil.example"}).status_code == 400


def test_errors_are_json_with_one_line(send):
    for path, status in (("/api/nothing", 404), ("/api/search", 422), ("/api/evaluation/knn", 404)):
        response = send("GET", path)
        assert response.status_code == status
        assert list(response.json()) == ["error"]


def test_an_internal_error_reveals_nothing(send):
    response = send("GET", "/api/search", params={"id": "0"})
    assert response.status_code == 500
    assert "log" in response.json()["error"]
